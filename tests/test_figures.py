"""Every figure with usual and with degenerate numbers: drawn without a warning, nothing cut, a caption that is true."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from kerashw import figures
from kerashw.drawing import to_png
from kerashw.errors import UsageError
from kerashw.figures.style import title_of
from kerashw.figures.trials import ranks, scale_of, view

NAN = float("nan")
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def chance(seed=0):
    return np.random.default_rng(seed)


def pictures(*shape):
    return chance().integers(0, 256, shape).astype("uint8")


def trials(count, settings=3, failed=(), **fields):
    """Trials of a made-up search: a rate, an optimizer, a width, and as many more settings as asked for."""
    generator, made = chance(), []
    for number in range(count):
        values = {
            "learning_rate": float(10 ** generator.uniform(-4, -1)),
            "optimizer": str(generator.choice(["adam", "sgd", "rmsprop"])),
            "hidden": [(64, 32), (128,), None][number % 3],
            **{f"a_long_setting_{place}": float(generator.uniform()) for place in range(9)},
        }
        lost = number in failed
        scores = [] if lost else generator.uniform(0.2, 0.4, 4).tolist()
        made.append(
            dict(
                number=number, settings=dict(list(values.items())[:settings]), scores=scores,
                score=None if lost else float(np.mean(scores)), deviation=None if lost else float(np.std(scores)),
                status="failed" if lost else "completed", reason="diverged" if lost else None,
                begin=10.0 * number, end=10.0 * number + 8, **fields,
            )
        )  # fmt: skip
    return made


def scored(*scores):
    """Trials with one setting and the given scores; None is a trial that was pruned."""
    return [
        dict(number=number, settings={"rate": 0.1 * (number + 1)}, score=score,
             status="pruned" if score is None else "completed")
        for number, score in enumerate(scores)
    ]  # fmt: skip


def judged(count, **values):
    """Trials with an accuracy and a size each, or with other values in their place."""
    generator = chance()
    return [
        dict(number=number, values={"val_accuracy": float(generator.uniform(0.5, 1)),
                                    "parameters": int(10 ** generator.uniform(2, 6)), **values})
        for number in range(count)
    ]  # fmt: skip


POINTS = {"train": {"x": [-1.0, 0.0, 3.0], "y": [1.0, 0.0, 2.0]}, "test": {"x": [-2.0, 2.5], "y": [0.5, 1.0]}}
SEARCH = dict(metric="val_mse", scales={"learning_rate": "log"})

# figure: what a study usually gives it
USUAL = {
    "activation_profiles": dict(
        activations={"dense_1": chance().normal(size=(3, 10)), "dense_2": chance().normal(size=(3, 128))},
        inputs=["left, x = -4.9", "centre, x = 0", "right, x = 4.9"], inactive={"dense_1": 0.1, "dense_2": 0.25}),
    "arms": dict(arms={"sgd": [3.0, 2.0, 1.5], "adam": chance().uniform(1, 2, (4, 3))}, metric="val_loss",
                 published={"adam": [2.0, 1.5, 1.2], "the report": [1.0]}),
    "attributions": dict(images=pictures(3, 8, 8), labels=["7: 99 %", "Ankle boot", "1"],
                         maps={"saliency": chance().uniform(size=(3, 8, 8)),
                               "integrated gradients": chance().normal(size=(3, 8, 8))}),
    "augmented_samples": dict(originals=pictures(2, 8, 8), augmented=pictures(2, 5, 8, 8),
                              labels=["Ankle boot", "Bag"]),
    "calibration": dict(confidence=[NAN, 0.5, 0.95], accuracy=[NAN, 0.4, 0.9], counts=[0, 10, 90], error=0.055),
    "class_scores": dict(classes=CLASSES, precision=chance().uniform(0.7, 1, 10), recall=chance().uniform(0.7, 1, 10),
                         f1=chance().uniform(0.7, 1, 10), support=[1000] * 10),
    "confusion_matrix": dict(counts=chance().integers(0, 90, (10, 10)) + 900 * np.eye(10, dtype=int), classes=CLASSES),
    "data_points": dict(points=POINTS),
    "dense_weights": dict(kernels={"dense_1": chance().normal(size=(64, 30)), "output": chance().normal(size=(30, 10))},
                          outputs=CLASSES),
    "feature_maps": dict(image=pictures(8, 8), maps=chance().uniform(size=(6, 6, 10)), layer="conv_1"),
    "filters": dict(kernels=chance().normal(size=(5, 5, 10, 20)), layer="conv_2"),
    "fit": dict(points=POINTS, x=[-3.0, 0.0, 3.0],
                curves={"before training": [0.0, 0.0, 0.0], "after training": chance().normal(size=(5, 3))}),
    "gradient_check": dict(n=[1, 10, 100, 1000], differences={"float32": [1e-1, 1e-3, 1e-4, 1e-2],
                                                              "float64": [1e-1, 1e-3, 1e-5, 1e-7]}),
    "grid_table": dict(trials=trials(12, failed=(3, 7)), metric="val_mse"),
    "importance": dict(settings=["learning_rate", "hidden"], shares=[0.7, 0.3], spreads=[0.1, 0.1], note="From 60."),
    "learning_curves": dict(history={"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 1.7], "accuracy": [0.1, 0.5, 0.8],
                                     "val_accuracy": [0.2, 0.6, 0.7]}),
    "maximal_inputs": dict(images=pictures(10, 8, 8), units=CLASSES, layer="output", activations=np.arange(10.0)),
    "parallel_coordinates": dict(trials=trials(20, failed=(3,)), **SEARCH),
    "pareto_front": dict(trials=judged(20), objectives={"val_accuracy": "max", "parameters": "min"}, front=[3, 4, 9],
                         knee=4, winner=4),
    "predictions": dict(images=pictures(10, 8, 8), predicted=CLASSES, actual=[*CLASSES[:9], "Bag"],
                        confidence=chance().uniform(0.4, 1, 10)),
    "receptive_fields": dict(image=pictures(28, 28), fields={"conv_1": dict(top=12, left=12, height=5, width=5),
                                                            "conv_2": dict(top=-2, left=-2, height=32, width=32)}),
    "residuals": dict(predicted=chance().normal(size=50), actual=chance().normal(size=50), unit="y"),
    "sample_items": dict(images=pictures(30, 8, 8), labels=CLASSES * 3),
    "search_history": dict(trials=trials(20, failed=(3,)), metric="val_mse"),
    "slices": dict(trials=trials(20, failed=(3,)), **SEARCH),
    "strongest_crops": dict(crops=pictures(4, 6, 5, 5), units=["0", "1", "2", "3"], layer="conv_2",
                            activations=chance().uniform(1, 2, (4, 6))),
    "table": dict(columns={"layer": ["dense_1", "output"], "parameters": [1280, 10], "score": [0.5, None]},
                  title="Layers", note="Takes items of 28 x 28."),
    "timeline": dict(trials=trials(20, failed=(3,))),
    "weight_histograms": dict(layers=figures.histograms({"dense_1": chance().normal(size=900), "output": [0.1, 0.2]},
                                                        {"dense_1": chance().normal(size=900), "output": [0.1, 0.3]})),
    "worst_errors": dict(images=pictures(8, 8, 8), predicted=CLASSES[:8], actual=CLASSES[2:], confidence=[0.9] * 8),
}  # fmt: skip

# (figure, what is unusual): what to give it instead of the usual
UNUSUAL = {
    ("activation_profiles", "a dead layer"): dict(activations={"dense_1": np.zeros((3, 5))}, inactive={"dense_1": 1.0}),
    ("activation_profiles", "one unit, one input"): dict(activations={"d": [[0.5]]}, inputs=["x = 0"], inactive=None),
    ("activation_profiles", "nothing finite"): dict(activations={"dense_1": np.full((3, 4), NAN)}, inactive={}),
    ("activation_profiles", "wide layers"): dict(activations={"dense_1": chance().normal(size=(3, 768))}),
    ("arms", "one arm, one epoch"): dict(arms={"sgd": [1.0]}, published=None),
    ("arms", "an arm that diverged"): dict(arms={"sgd": [1.0, NAN, NAN], "adam": [1.0, 0.5, 0.4]}),
    ("arms", "nothing finite"): dict(arms={"sgd": [NAN, NAN]}, published={"sgd": [None]}),
    ("arms", "more arms than colours"): dict(arms={f"arm {n}": [n + 1.0, 1.0] for n in range(12)}, published=None),
    ("arms", "a wide range"): dict(arms={"sgd": [1000.0, 0.1], "adam": [3.0, 0.001]}),
    ("arms", "no arms"): dict(arms={}, published=None),
    ("attributions", "zero everywhere"): dict(maps={"saliency": np.zeros((3, 8, 8))}),
    ("attributions", "not finite"): dict(maps={"saliency": np.full((3, 8, 8), NAN)}),
    ("attributions", "one colour image"): dict(images=pictures(1, 8, 6, 3), labels=["7"],
                                               maps={"saliency": np.ones((1, 8, 6))}),
    ("attributions", "no method"): dict(maps={}),
    ("augmented_samples", "one item, one draw"): dict(originals=pictures(1, 8, 8), augmented=pictures(1, 1, 8, 8),
                                                      labels=()),
    ("calibration", "one bin"): dict(confidence=[1.0], accuracy=[1.0], counts=[7], error=0.0),
    ("calibration", "empty bins only"): dict(confidence=[NAN] * 3, accuracy=[None] * 3, counts=[0] * 3, error=NAN),
    ("class_scores", "one class"): dict(classes=["cat"], precision=[1.0], recall=[1.0], f1=None, support=[3]),
    ("class_scores", "a class without items"): dict(classes=["cat", "dog"], precision=[0.0, 1.0], recall=[NAN, 1.0],
                                                    f1=[None, 1.0], support=[0, 9]),
    ("confusion_matrix", "one class"): dict(counts=[[5]], classes=["cat"]),
    ("confusion_matrix", "an empty row"): dict(counts=[[5, 0], [0, 0]], classes=["cat", "dog"]),
    ("confusion_matrix", "many classes"): dict(counts=np.eye(43, dtype=int), classes=[f"sign {n}" for n in range(43)]),
    ("data_points", "one point"): dict(points={"train": {"x": [1.0], "y": [2.0]}}),
    ("dense_weights", "one weight, all zero"): dict(kernels={"output": [[0.0]]}, outputs=["cat"]),
    ("dense_weights", "not finite"): dict(kernels={"output": np.full((3, 10), NAN)}),
    ("dense_weights", "no layer"): dict(kernels={}),
    ("data_points", "no point"): dict(points={"train": {"x": [], "y": []}}),
    ("feature_maps", "a dead layer"): dict(maps=np.zeros((6, 6, 4))),
    ("feature_maps", "not finite"): dict(maps=np.full((6, 6, 2), NAN)),
    ("feature_maps", "many maps"): dict(maps=chance().uniform(size=(4, 4, 100)), image=pictures(8, 8, 3)),
    ("filters", "all zero"): dict(kernels=np.zeros((3, 3, 1, 4))),
    ("filters", "not finite"): dict(kernels=np.full((3, 3, 2, 2), NAN)),
    ("filters", "many and deep"): dict(kernels=chance().normal(size=(3, 3, 64, 128))),
    ("filters", "one dimension"): dict(kernels=chance().normal(size=(7, 4, 6))),
    ("filters", "chosen channels"): dict(channels=[0, 9, 5]),
    ("fit", "one run, one point"): dict(points={"train": {"x": [0.0], "y": [1.0]}}, curves={"after": [0.0, 1.0, 2.0]}),
    ("fit", "a curve that diverged"): dict(curves={"after training": [NAN, NAN, NAN]}),
    ("fit", "points beyond the curve"): dict(x=[10.0, 11.0, 12.0]),
    ("fit", "no curve"): dict(curves={}),
    ("fit", "a wild run"): dict(curves={"after": [[0.0, 1.0, 2.0], [1e6, 1.0, -1e6], [0.0, 1.0, 2.0]]}),
    ("gradient_check", "one N"): dict(n=[1], differences={"float32": [0.1]}),
    ("gradient_check", "exact"): dict(differences={"float32": [0.0] * 4, "float64": [0.1, 0.0, 0.0, 0.0]}),
    ("gradient_check", "not finite"): dict(differences={"float32": [NAN] * 4}),
    ("grid_table", "one trial"): dict(trials=trials(1)),
    ("grid_table", "no trial"): dict(trials=[]),
    ("grid_table", "all failed"): dict(trials=trials(5, failed=range(5))),
    ("grid_table", "no settings"): dict(trials=trials(3, settings=0)),
    ("grid_table", "many trials and settings"): dict(trials=trials(80, settings=12, failed=range(50, 80))),
    ("grid_table", "scores that exploded"): dict(trials=[dict(trial, score=-1e30) for trial in trials(4)]),
    ("importance", "one setting"): dict(settings=["learning_rate"], shares=[1.0], spreads=[0.4]),
    ("importance", "not known"): dict(shares=[NAN, NAN], spreads=[NAN, NAN]),
    ("importance", "nothing matters"): dict(shares=[0.0, 0.0], spreads=[0.0, 0.0]),
    ("learning_curves", "one epoch"): dict(history={"loss": [1.0], "val_loss": [1.5]}),
    ("learning_curves", "NaN at the end"): dict(history={"loss": [1.0, 0.5, NAN], "val_loss": [1.0, None, NAN]}),
    ("learning_curves", "nothing finite"): dict(history={"loss": [NAN, NAN], "val_loss": [NAN, float("inf")]}),
    ("learning_curves", "constant"): dict(history={"loss": [2.3] * 4, "val_loss": [2.3] * 4}),
    ("learning_curves", "folds of unequal length"): dict(
        history={"loss": [[3, 2, 1], [3, 2]], "val_loss": [[4], [5, 1]]}),
    ("learning_curves", "empty"): dict(history={}),
    ("learning_curves", "a history that was continued"): dict(history={"epoch": [5, 6], "loss": [2.0, 1.0]}),
    ("maximal_inputs", "one unit"): dict(images=pictures(1, 8, 8), units=["0"], activations=None),
    ("maximal_inputs", "a dead unit"): dict(images=np.full((2, 8, 8), NAN), units=["0", "1"], activations=[0.0, NAN]),
    ("parallel_coordinates", "one trial"): dict(trials=trials(1)),
    ("parallel_coordinates", "no trial"): dict(trials=[]),
    ("parallel_coordinates", "all failed"): dict(trials=trials(5, failed=range(5))),
    ("parallel_coordinates", "equal scores"): dict(trials=scored(0.5, 0.5, 0.5)),
    ("parallel_coordinates", "many trials and settings"): dict(trials=trials(60, settings=12)),
    ("parallel_coordinates", "a wide range"): dict(trials=scored(0.1, 1.0, 1e6)),
    ("pareto_front", "one trial"): dict(trials=judged(1), front=[0], knee=0, winner=0),
    ("pareto_front", "no trial"): dict(trials=[], front=[], knee=None, winner=None),
    ("pareto_front", "values of no trial"): dict(trials=judged(3, val_accuracy=None), front=[], knee=None, winner=2),
    ("pareto_front", "equal trials"): dict(
        trials=judged(4, val_accuracy=0.5, parameters=9), front=[0], knee=0, winner=0),
    ("pareto_front", "three objectives"): dict(
        trials=judged(10, latency=0.2), objectives={"val_accuracy": "max", "parameters": "min", "latency": "min"}),
    ("pareto_front", "a score that exploded"): dict(
        trials=[dict(number=place, values={"val_mse": value, "parameters": 9}) for place, value in enumerate(
            [0.5, 0.6, 0.4, 0.5, 0.7, 0.5, -1e30, 0.5, 0.4, 0.5])], objectives={"val_mse": "min", "parameters": "min"}),
    ("pareto_front", "many on the front"): dict(trials=judged(60), front=list(range(60)), winner=3),
    ("predictions", "all right"): dict(predicted=CLASSES, actual=CLASSES, confidence=None),
    ("predictions", "one item"): dict(images=pictures(1, 8, 8, 3), predicted=["1"], actual=["7"], confidence=[NAN]),
    ("predictions", "very long names"): dict(predicted=["Donaudampfschifffahrt"] * 10),
    ("receptive_fields", "one layer"): dict(fields={"conv_1": dict(top=0, left=0, height=1, width=1)}),
    ("receptive_fields", "no layer"): dict(fields={}),
    ("residuals", "one item"): dict(predicted=[1.0], actual=[2.0]),
    ("residuals", "exact and constant"): dict(predicted=[1.0] * 5, actual=[1.0] * 5),
    ("residuals", "nothing finite"): dict(predicted=[NAN], actual=[1.0]),
    ("sample_items", "one item"): dict(images=pictures(1, 8, 8), labels=["7"]),
    ("sample_items", "no item"): dict(images=pictures(0, 8, 8), labels=[]),
    ("sample_items", "more than fit"): dict(images=pictures(100, 4, 4), labels=["7"] * 100),
    ("sample_items", "labels with dollars"): dict(labels=["$5 to $10"] * 30),
    ("search_history", "one trial"): dict(trials=trials(1)),
    ("search_history", "no trial"): dict(trials=[]),
    ("search_history", "all failed"): dict(trials=trials(5, failed=range(5))),
    ("search_history", "scores that exploded"): dict(
        trials=scored(0.5, 0.6, 0.4, 0.5, 0.7, 0.5, -1e30), direction="max"),
    ("search_history", "pruned and running"): dict(
        trials=[*scored(None, 0.5), dict(number=2, score=None, status="running")]),
    ("slices", "one trial"): dict(trials=trials(1)),
    ("slices", "no trial"): dict(trials=[]),
    ("slices", "all failed"): dict(trials=trials(5, failed=range(5))),
    ("slices", "many trials and settings"): dict(trials=trials(60, settings=12)),
    ("slices", "a setting that not all have"): dict(trials=[*trials(3, settings=1), *trials(3, settings=3)]),
    ("strongest_crops", "one crop"): dict(crops=pictures(1, 1, 5, 5), units=["0"], activations=None),
    ("strongest_crops", "a dead unit"): dict(crops=np.zeros((4, 6, 5, 5)), activations=np.zeros((4, 6))),
    ("timeline", "one trial"): dict(trials=trials(1)),
    ("timeline", "no trial"): dict(trials=[]),
    ("timeline", "no times"): dict(trials=scored(0.5, 0.4)),
    ("timeline", "interrupted"): dict(stops=[38.0, 38.0, 108.0]),
    ("timeline", "many trials"): dict(trials=trials(300, failed=range(0, 300, 9))),
    ("table", "no rows"): dict(columns={"layer": [], "parameters": []}, note=""),
    ("table", "many rows"): dict(columns={"layer": [f"layer {n}" for n in range(90)], "parameters": [n for n in range(90)]}),
    ("weight_histograms", "constant weights"): dict(layers=figures.histograms({"d": np.zeros(9)}, {"d": np.zeros(9)})),
    ("weight_histograms", "one weight"): dict(layers=figures.histograms({"d": [0.3]})),
    ("weight_histograms", "not finite"): dict(layers=figures.histograms({"d": [NAN, NAN]}, {"d": [0.0, 1.0]})),
    ("weight_histograms", "no layer"): dict(layers={}),
    ("worst_errors", "no error"): dict(images=pictures(0, 8, 8), predicted=[], actual=[], confidence=[]),
    ("worst_errors", "one error"): dict(images=pictures(1, 8, 8), predicted=["1"], actual=["7"], confidence=[1.0]),
}  # fmt: skip
CASES = [*((name, None) for name in USUAL), *UNUSUAL]


@pytest.fixture(scope="module", params=CASES, ids=[f"{name}: {case or 'usual'}" for name, case in CASES])
def drawn(request):
    """A figure and its PNG, for each case; a warning is an error."""
    name, case = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.FIGURES[name](**{**USUAL[name], **UNUSUAL.get((name, case), {})})
        return figure, to_png(figure)


def test_a_figure_is_drawn_without_a_warning_and_stays_small(drawn):
    figure, content = drawn
    assert isinstance(figure, Figure)
    assert len(content) < 200_000
    assert title_of(figure)


def test_a_caption_is_whole_sentences_without_nan(drawn):
    caption = drawn[0].caption
    assert caption and caption.endswith(".") and "  " not in caption and ".." not in caption
    assert not re.search(r"\b(nan|inf)\b", caption)


def test_no_word_is_cut_off_at_the_edge(drawn):
    width, height = drawn[0].bbox.size
    boxes = [(text.get_text(), text.get_window_extent()) for text in words_of(drawn[0])]
    assert [text for text, box in boxes
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1] == []  # fmt: skip


def test_no_words_lie_over_each_other(drawn):
    # The box of a slanted word is far larger than the word.
    words = [text for text in words_of(drawn[0]) if text.get_rotation() % 90 == 0]
    boxes = np.array([text.get_window_extent().extents for text in words]).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, 2:]
    shared = np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None).prod(axis=2)
    area = (high - low).prod(axis=1)
    pairs = np.argwhere(np.triu(shared > 0.12 * np.minimum(area[:, None], area), 1))
    assert [(words[one].get_text(), words[other].get_text()) for one, other in pairs] == []


def words_of(figure):
    """The Text objects that are to be seen: matplotlib keeps labels of ticks beyond the end of an axis."""
    unseen = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (ax.axison and low <= tick.get_loc() <= high):
                    unseen |= {id(tick.label1), id(tick.label2)}
    return [text for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in unseen]  # fmt: skip


def test_the_usual_table_has_every_figure():
    assert list(USUAL) == list(figures.FIGURES)


def test_the_figures_need_neither_keras_nor_the_state_of_pyplot():
    program = """
import sys, kerashw.drawing
assert not {"matplotlib", "PIL", "sklearn"} & set(sys.modules)
import kerashw.figures
kerashw.drawing.to_png(kerashw.figures.learning_curves(history={"loss": [1.0]}))
print({"keras", "tensorflow", "keras_tuner", "matplotlib.pyplot"} & set(sys.modules))
"""
    here = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=here)
    assert (done.stdout, done.stderr) == ("set()\n", "")


# --- what captions say


def caption(name, **changed):
    return figures.FIGURES[name](**{**USUAL[name], **changed}).caption


def test_the_caption_of_points_tells_the_widest_gap():
    assert "the widest gap between two of them is 3, from 0 to 3" in caption("data_points")


def test_the_caption_of_a_fit_tells_the_error_of_the_mean_of_its_runs():
    points = {"test": {"x": [0.0, 1.0], "y": [0.0, 0.0]}}
    told = caption("fit", points=points, x=[0.0, 1.0], curves={"before": [9.0, 9.0], "after": [[1.0, 1.0], [3.0, 3.0]]})
    assert 'The curve "after" misses the 2 test points with a mean squared error of 4.' in told
    assert "means over 2 runs, bands go from the smallest to the largest" in told


def test_a_curve_may_be_given_in_any_order_of_x():
    points = {"test": {"x": [0.5], "y": [0.5]}}
    told = caption("fit", points=points, x=[1.0, 0.0], curves={"line": [1.0, 0.0]})
    assert "a mean squared error of 0." in told


def test_the_best_epoch_is_that_of_the_lowest_mean_over_the_folds():
    told = caption("learning_curves", history={"loss": [3.0, 2.0, 1.0], "val_loss": [[9, 1, 2], [9, 7, 2]]})
    assert "Validation loss was lowest, 2, at epoch 3 of 3; training loss was 1 there." in told


def test_the_best_epoch_may_go_by_another_metric_upwards():
    told = caption("learning_curves", monitor="val_accuracy", direction="max")
    assert "Validation accuracy was highest, 0.7, at epoch 3 of 3; training accuracy was 0.8 there." in told


def test_a_given_best_epoch_is_not_called_the_lowest():
    assert "Validation loss was 1.7 at epoch 3 of 3" in caption("learning_curves", best_epoch=3)


def test_a_history_that_stops_being_finite_is_told():
    told = caption("learning_curves", history={"loss": [1.0, 0.5, NAN]})
    assert "From epoch 3 on not every value is finite (loss)." in told


def test_a_loss_over_orders_of_magnitude_gets_a_logarithmic_axis_and_says_so():
    def scale(*losses):
        ax = figures.learning_curves(history={"loss": losses}).axes[0]
        return ax.get_yscale(), ax.get_ylabel()

    assert scale(100.0, 1.0) == ("log", "loss (log scale)")
    assert scale(2.0, 1.0) == scale(100.0, 0.0) == ("linear", "loss")


def test_weights_far_from_all_others_do_not_squeeze_the_rest_into_a_peak():
    weights = np.append(chance().normal(size=5000), 1e6)
    layer = figures.histograms({"dense_1": weights})["dense_1"]
    assert layer["edges"][-1] < 10 and layer["outside"] >= 1
    assert layer["after"].sum() + layer["outside"] == 5001


def test_before_and_after_share_their_bins_and_lose_no_weight():
    layer = figures.histograms({"d": [0.0, 1.0, 2.0]}, {"d": [-1.0, 0.0, 5.0]})["d"]
    assert layer["edges"][0] == -1 and layer["edges"][-1] == 5
    assert layer["after"].sum() == layer["before"].sum() == 3


def test_weights_that_are_not_finite_are_counted_and_told():
    layers = figures.histograms({"d": [0.0, 1.0, NAN]})
    assert layers["d"]["not_finite"] == 1
    assert "1 weight of d not finite." in figures.weight_histograms(layers=layers).caption


def test_filters_share_one_scale_around_zero():
    assert "on one scale from -2 to 2" in caption("filters", kernels=np.array([[[[0.5, -2.0]]]]))


def test_the_caption_of_filters_tells_which_of_a_deep_layer_are_shown():
    told = caption("filters", kernels=np.ones((3, 3, 64, 128)))
    assert "Filters 0 to 31 of 128 of conv_2 (3 x 3), input channels 0 to 7 of 64" in told


def test_a_channel_that_a_layer_has_not_is_refused():
    with pytest.raises(UsageError, match="conv_2 has no input channel 10, it has 0 to 9"):
        caption("filters", channels=[10])


def test_images_of_a_strange_shape_are_refused():
    with pytest.raises(UsageError, match="images have shape"):
        figures.sample_items(images=np.zeros((2, 3)), labels=["a", "b"])


def test_right_and_wrong_predictions_differ_without_colour():
    figure = figures.predictions(images=pictures(2, 4, 4), predicted=["7", "1"], actual=["7", "7"])
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "✓ 7" in words and "✗ 1" in words and "is 7" in words


def test_a_confusion_matrix_of_another_size_than_its_classes_is_refused():
    with pytest.raises(UsageError, match="expected 3 x 3"):
        figures.confusion_matrix(counts=[[1, 0], [0, 1]], classes=["a", "b", "c"])


def test_a_cell_of_a_confusion_matrix_has_its_count_and_the_rate_of_its_row():
    figure = figures.confusion_matrix(counts=[[997, 3], [5, 15]], classes=["a", "b"])
    words = {text.get_text() for text in figure.findobj(Text)}
    assert {"997\n100 %", "3\n<1 %", "5\n25 %", "15\n75 %"} <= words


def test_the_caption_of_a_calibration_tells_in_which_direction_the_model_errs():
    assert "The model is surer than right: its mean confidence lies 0.055 above its accuracy." in caption("calibration")
    assert "less sure than right" in caption("calibration", accuracy=[NAN, 0.9, 1.0])


def test_the_caption_of_arms_names_first_second_and_last_in_the_right_direction():
    arms = {"sgd": [0.5, 0.7], "adam": [0.6, 0.9], "rmsprop": [0.5, 0.8]}
    told = caption("arms", arms=arms, metric="accuracy", direction="max", published=None)
    assert told == "adam ends highest, with accuracy 0.9; rmsprop follows with 0.8; the last is sgd with 0.7."


# --- tables and trials


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_a_long_table_says_what_it_leaves_out():
    told = caption("grid_table", trials=trials(80, failed=range(60, 80)))
    assert "Shown are the best 25 of 60 combinations and 5 of 20 without a score." in told
    assert "20 trials failed (diverged: 20)." in told


def test_a_table_of_thirty_rows_leaves_nothing_out():
    assert "Shown are" not in caption("grid_table", trials=trials(30, failed=range(20, 30)))


def test_a_failed_cell_of_a_grid_stands_with_its_reason():
    assert "failed: diverged" in texts(figures.grid_table(trials=trials(4, failed=(2,)), metric="val_mse"))


def test_a_setting_that_never_varies_is_in_the_caption_and_not_in_the_table():
    some = [dict(trial, settings={**trial["settings"], "epochs": 50}) for trial in trials(4)]
    figure = figures.grid_table(trials=some, metric="val_mse")
    assert "The same in all: epochs 50." in figure.caption and "epochs" not in texts(figure)


def test_equal_scores_share_a_rank_and_the_best_has_the_first():
    assert ranks(np.array([0.3, 0.1, NAN, 0.1]), "min").tolist() == [3, 1, 0, 1]
    assert ranks(np.array([0.3, 0.1, NAN, 0.1]), "max").tolist() == [1, 2, 0, 2]


def test_the_best_trial_goes_by_the_direction():
    assert "Trial 1 of 3 trials has the best val_mse, 0.1" in caption("search_history", trials=scored(0.2, 0.1, 0.3))
    told = caption("search_history", trials=scored(0.2, 0.1, 0.3), direction="max")
    assert "Trial 2 of 3 trials has the best val_mse, 0.3" in told


def test_a_direction_that_is_neither_min_nor_max_is_refused():
    with pytest.raises(UsageError, match="'min' or 'max', got 'up'"):
        figures.search_history(trials=scored(0.1), metric="loss", direction="up")


def test_a_score_that_exploded_is_left_outside_and_told():
    told = caption("search_history", trials=scored(0.5, 0.6, 0.4, 0.5, 0.7, 0.5, -1e9), direction="max")
    assert "1 score outside of the axis, down to -1e+09, is drawn at its edge." in told


def test_scores_without_an_outlier_are_all_inside():
    for scores in ([0.1], [0.5, 0.5], [1e-3, 1.0, 1e6], [-2.0, 0.3, 0.9], list(np.linspace(-1, 1, 50))):
        _, low, high = view(np.array(scores))
        assert low < min(scores) and max(scores) < high


def test_failed_trials_are_told_with_their_reasons():
    assert "2 trials failed (diverged: 2)." in caption("slices", trials=trials(9, failed=(1, 2)))


def test_numbers_are_an_axis_and_names_are_categories_unless_said_otherwise():
    some = [dict(settings={"units": units, "pool": pool}) for units, pool in ((64, "max"), (16, None), (64, "max"))]
    assert scale_of(some, "units").kind == "linear"
    assert scale_of(some, "units", "category").names == ("16", "64")
    assert scale_of(some, "pool").positions.tolist() == [0, 1, 0]
    assert scale_of(some, "units", "log").label == "units (log scale)"


def test_a_logarithmic_setting_with_a_zero_is_drawn_on_a_linear_axis_and_labelled_so():
    some = [dict(settings={"l2": 0.0}), dict(settings={"l2": 0.1})]
    assert scale_of(some, "l2", "log").label == "l2"


def test_a_list_of_units_is_the_same_category_as_a_tuple():
    some = [dict(settings={"hidden": [64, 32]}), dict(settings={"hidden": (64, 32)})]
    assert scale_of(some, "hidden").names == ("64, 32",)


def test_a_scale_of_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="must be one of linear, log, category, got 'ordinal'"):
        scale_of([dict(settings={"l2": 0.1})], "l2", "ordinal")


def test_the_timeline_counts_how_many_trials_ran_at_once():
    times = [(0, 3), (1, 2), (3, 5)]
    some = [dict(number=n, status="completed", begin=begin, end=end) for n, (begin, end) in enumerate(times)]
    told = caption("timeline", trials=some)
    assert told == (
        "3 trials took 5 s in all; the longest was trial 0 with 3 s. At most 2 ran at once. "
        "A bar goes from when a trial was proposed until its score was known."
    )
    assert caption("timeline", trials=some[1:], stops=[2.5]) == (
        "2 trials took 4 s in all; the longest was trial 2 with 2 s. At most 1 ran at once. "
        "The search was interrupted 1 time."
    )


def test_the_map_of_a_kernel_tells_which_unit_has_the_largest_weights_and_which_has_none():
    told = caption("dense_weights", kernels={"dense_2": [[1.0, 0.0, -3.0], [0.5, 0.0, 1.0]], "output": [[0.0]]})
    assert told == (
        "dense_2: 3 units of 2 inputs, weights from -3 to 1; unit 2 has the largest, 1 of 3 has none but zeros. "
        "output: 1 unit of 1 input, all weights are zero."
    )


def test_a_kernel_that_is_no_matrix_is_refused():
    with pytest.raises(UsageError, match=r"the kernel of conv_1 has shape \(3, 3, 1, 2\), expected \(inputs, units\)"):
        figures.dense_weights(kernels={"conv_1": np.zeros((3, 3, 1, 2))})


def test_every_curve_of_a_fit_is_drawn_however_many_there_are():
    curves = {f"arm{place}": [float(place)] * 3 for place in range(12)}
    figure = figures.fit(points={"train": {"x": [0, 1], "y": [1, 1]}}, x=[0.0, 0.5, 1.0], curves=curves)
    assert len(figure.axes[0].get_lines()) == 12


def test_the_best_epoch_is_sought_among_those_that_every_fold_has():
    folds = [[1.2, 1.0, 1.1, 1.1], [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.11]]
    caption = figures.learning_curves(history={"val_mse": folds}, monitor="val_mse").caption
    assert caption.startswith("Validation mse was lowest, 0.65, at epoch 4 of 7")


def test_good_scores_far_from_the_others_stay_within_the_picture():
    scores = [0.1 + place / 1000 for place in range(34)] + [0.9, 0.95, 0.97]
    trials = [dict(number=place, settings={}, score=score, status="completed") for place, score in enumerate(scores)]
    figure = figures.search_history(trials=trials, metric="val_accuracy", direction="max")
    low, high = figure.axes[0].get_ylim()
    assert low < 0.1 and high > 0.97
