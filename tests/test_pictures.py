"""What figures are drawn from, for data and models of every kind; and what happens when one of them fails."""

import json
import shutil

import keras
import numpy as np
import pytest

from kerashw import pictures
from kerashw.__main__ import main
from kerashw.building import build_model
from kerashw.commands import quiet_tensorflow
from kerashw.datasets import Dataset
from kerashw.errors import UsageError
from kerashw.formats import Served, export
from kerashw.figures import data_points
from kerashw.models import cnn, mlp
from kerashw.pictures import FIGURES, Picture, Record, dataset_of, draw_figures
from kerashw.pictures.arms import alike
from kerashw.pictures.excitement import attributions
from kerashw.pictures.inside import CONVOLUTIONS_AT_MOST, convolutions, dense_weights, has_dense_weights
from kerashw.pictures.search import timeline
from kerashw.pictures.training import connections
from kerashw.progress import Progress
from kerashw.reuse import draw_weights
from kerashw.run import Run, read_json, write_json
from kerashw.seeds import derive
from kerashw.space import Choice, Grid
from kerashw.study import Study
from kerashw.training import Task
from tuning.pipeline import execute, make_setup

quiet_tensorflow()

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (24, 8, 8, 3)).astype("uint8")
LABELS = np.arange(24) % 3
TABLE = GENERATOR.uniform(-1, 1, (24, 4)).astype("float32")
VALUES = TABLE[:, :1] - TABLE[:, 1:2]
NAMES = ("red", "green", "blue")
SMALL_CNN = dict(filters=(3,), kernel_size=3, hidden=(4,), batch_size=8, epochs=1)
SMALL_MLP = dict(hidden=(4,), batch_size=8, epochs=1)


def quiet(line):
    """Says nothing."""


def dataset(x, y, classes=(), tested=6):
    return Dataset("toy", x[tested:], y[tested:], x[:tested], y[:tested], classes=classes, source="made")


def study(model=mlp, settings=SMALL_MLP, **fields):
    return Study(**{"data": "toy", "model": model, "settings": settings, "search": Grid(), **fields})


def run_of(folder, asked, data, **options):
    """A finished run; its figures are drawn only if asked for."""
    run = Run(folder)
    run.folder.mkdir(parents=True)
    run.begin({"declaration": asked.declaration(), "seed": 3})
    setup = make_setup(asked, data, run, seed=3, progress=Progress("toy", quiet=True))
    execute(setup, data, about={}, **options)
    return run


def record_of(model, data, folder):
    """A Record of a model that was never trained, for what depends on its layers alone."""
    run = Run(folder)
    export(run, "keras", Served.of(model, data))
    return Record(run, data, {}, 0)


def events(run):
    store = run.store()
    found = store.events("figure")
    store.close()
    return found


ANSWERS = {"confusion_matrix", "class_scores", "calibration"}
TRAINING = {"curves_search", "curves_refit", "weights", "layers"}
HIDDEN = {"activation_profiles"}
KINDS = {
    "a table with classes": (dataset(TABLE, LABELS, NAMES), study(), TRAINING | HIDDEN | ANSWERS),
    "a table with values": (dataset(TABLE, VALUES), study(), TRAINING | HIDDEN | {"residuals"}),
    "images with values, a single test item": (
        dataset(PIXELS[..., 0], VALUES, tested=1), study(cnn, SMALL_CNN),
        TRAINING | HIDDEN | {
            "residuals", "sample_items", "filters_conv_1", "feature_maps_conv_1", "receptive_fields",
            "strongest_crops_conv_1", "maximal_inputs_conv_1", "maximal_inputs_dense_1", "maximal_inputs_output",
            "attributions", "dense_weights",
        }),
    "coloured images, no hidden layer": (
        dataset(PIXELS, LABELS, NAMES), study(cnn, {**SMALL_CNN, "hidden": ()}),
        TRAINING | ANSWERS | {
            "sample_items", "predictions", "worst_errors", "filters_conv_1", "feature_maps_conv_1", "receptive_fields",
            "strongest_crops_conv_1", "maximal_inputs_conv_1", "maximal_inputs_output", "attributions",
            "dense_weights",
        }),
    "test items of one class alone": (
        dataset(np.arange(24.0)[:, None], np.r_[np.zeros(6, int), LABELS[6:]], NAMES), study(),
        TRAINING | HIDDEN | ANSWERS),
}  # fmt: skip


AT_ONCE = ("a table with values", "coloured images, no hidden layer")  # the others are slow


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind not in AT_ONCE)) for kind in KINDS]
)
def test_a_run_on_data_of_any_kind_has_the_figures_that_apply_and_none_fails(kind, tmp_path):
    data, asked, expected = KINDS[kind]
    run = run_of(tmp_path / "run", asked, data, figures=True)
    assert events(run) == []
    assert {path.stem for path in run.figures.glob("*.png")} == expected
    assert not [path.name for path in run.folder.iterdir() if path.name.startswith("trials.db-")]


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """A run over points of one number, trained with a step too small to change any weight, without figures."""
    asked = study(settings={**SMALL_MLP, "learning_rate": Choice(1e-30, 1e-31)}, refit="stop")
    data = dataset(TABLE[:, :1], VALUES)
    return run_of(tmp_path_factory.mktemp("points") / "run", asked, data), data


def test_the_untrained_model_is_the_one_with_which_the_final_training_began(points):
    run, data = points
    assert not run.figures.exists()
    record = Record.read(run, data)
    before, after = connections(record.untrained), connections(record.model)
    assert list(before) == ["dense_1", "output"]
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_final_training_that_diverged_before_began_with_other_weights(points, tmp_path):
    finished, data = points
    run = Run(shutil.copytree(finished.folder, tmp_path / "run"))
    store = run.store()
    for attempt in (0, 0, 1):  # the first was repeated by a continued run
        store.add_event("refit", f"attempt {attempt}: loss was nan")
    store.close()
    asked, task = study(), Task.of(data)
    model = build_model(asked.model, asked.filled({}), input_shape=task.x.shape[1:], outputs=task.outputs)
    expected = connections(draw_weights(model, derive(3, "refit", 2)))
    found = connections(Record.read(run, data).untrained)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def with_weights_of_its_own(*, input_shape, outputs):
    inputs, given = keras.Input(input_shape), keras.layers.Dense(2, name="given")
    inner = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(3, name="inside")], name="inner")
    x = given(inner(inputs))
    given.set_weights([np.full((3, 2), 0.5), np.zeros(2)])
    return keras.Model(inputs, keras.layers.Dense(outputs, name="output")(x))


def test_a_layer_is_shown_before_training_only_if_it_is_known_how_it_began(tmp_path):
    asked, data = study(with_weights_of_its_own, {"epochs": 1, "batch_size": 8}), dataset(TABLE[:, :1], VALUES)
    record = Record.read(run_of(tmp_path / "run", asked, data), data)
    drawn = FIGURES["weights"].numbers(record)
    shown = {name: "before" in layer for name, layer in drawn["layers"].items()}
    assert shown == {"inner/inside": False, "given": False, "output": True}
    assert "How 2 layers began is not known." in FIGURES["weights"].figure(**drawn).caption
    fit = FIGURES["fit"].numbers(record)
    assert fit["title"] == "The fit after training" and [name[:5] for name in fit["curves"]] == ["after"]


def test_what_a_record_reads_is_what_the_run_recorded(points):
    run, data = points
    record, metrics = Record.read(run, data), run.metrics()
    assert (record.objective, record.direction) == ("val_mse", "min")
    assert record.searched == {"learning_rate": "category"}
    assert record.winner.number == metrics["validation"]["trial"]
    assert record.refit_epoch == metrics["refit"]["best_epoch"]
    assert record.winner_history["val_mse"] == [[pytest.approx(metrics["validation"]["score"])]]
    assert len(record.history["val_mse"]) == metrics["refit"]["epochs"]
    assert np.mean((record.outputs - data.y_test) ** 2) == pytest.approx(metrics["test"]["mse"], rel=1e-5)
    assert record.warning is None


@pytest.mark.parametrize("together", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_fit_has_a_band_over_the_folds_of_the_winner(together, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FIGURES", {"fit": FIGURES["fit"]})
    settings = {**SMALL_MLP, "learning_rate": Choice(0.01, 0.02), "epochs": 3}
    asked, data = study(settings=settings, folds=2, together=together), dataset(TABLE[:, :1], VALUES)
    run = run_of(tmp_path / "run", asked, data, figures=True)
    record, kept = Record.read(run, data), read_json(run.curves_file)
    assert kept["trial"] == record.winner.number
    for done, curve in zip(record.winner.executions, record.winner_curves, strict=True):
        held = record.splits[done.fold][1]
        answers = np.interp(data.x_train[held, 0], kept["x"], curve)
        assert np.mean((answers - data.y_train[held, 0]) ** 2) == pytest.approx(done.score, rel=0.01)
    drawn = read_json(run.figures / "fit.json")
    before, band, after = drawn["numbers"]["curves"]
    assert (before[:6], band, after[:5]) == ("before", "the winner in the search, over 2 folds", "after")
    assert "Lines are means over 2 runs" in drawn["caption"]
    run.clear()
    assert not run.curves_file.exists()


def test_of_an_ensemble_the_band_is_over_its_networks_and_no_training_of_the_search_is_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FIGURES", {"fit": FIGURES["fit"]})
    asked = study(settings={**SMALL_MLP, "epochs": 2}, folds=2, refits=3, ensemble=True)
    run = run_of(tmp_path / "run", asked, dataset(TABLE[:, :1], VALUES), figures=True)
    assert not run.curves_file.exists()
    assert list(read_json(run.figures / "fit.json")["numbers"]["curves"])[1].startswith("each of 3 networks")


def test_curves_of_another_trial_than_the_winner_are_not_drawn(points):
    run, data = points
    record = Record.read(run, data)
    write_json(run.curves_file, {"trial": record.winner.number, "x": [0.0], "curves": [[1.0], [2.0]]})
    assert record.winner_curves == [[1.0], [2.0]]
    write_json(run.curves_file, {"trial": record.winner.number + 1, "x": [0.0], "curves": [[1.0], [2.0]]})
    assert record.winner_curves is None
    run.curves_file.unlink()


def test_the_clock_of_the_timeline_stands_still_while_the_search_was_interrupted(tmp_path, monkeypatch):
    run = Run(tmp_path)
    store, times = run.store(), [(0, 5), (0, 9), (10, 12), (10 + 3600, 14 + 3600), (50 + 3600, 60 + 3600)]
    for number, (began, ended) in enumerate(times):
        monkeypatch.setattr("kerashw.store.time.time", lambda: 1e9 + began)
        store.begin_trial(number, {})
        monkeypatch.setattr("kerashw.store.time.time", lambda: 1e9 + ended)
        store.end_trial(number, status="completed", score=1.0)
    monkeypatch.undo()
    store.close()
    numbers = timeline(Record(run, dataset(TABLE, VALUES), {}, 0))
    assert [(bar["begin"], bar["end"]) for bar in numbers["trials"]] == [(0, 5), (0, 9), (10, 12), (12, 16), (52, 62)]
    assert numbers["stops"] == [12]


@pytest.mark.parametrize(
    "hidden, shown",
    [((4, 3, 5, 2), ["dense_3", "dense_4", "output"]), ((4, 3), ["dense_2", "output"]), ((), [])],
)
def test_the_last_kernels_are_shown_weight_by_weight_but_for_those_shown_pixel_by_pixel(hidden, shown, tmp_path):
    model = mlp(input_shape=(8, 8), outputs=3, hidden=hidden)
    record = record_of(model, dataset(PIXELS[..., 0], LABELS, NAMES), tmp_path)
    assert has_dense_weights(record) is bool(shown)
    assert list(dense_weights(record)["kernels"]) == shown


def test_the_curves_of_single_trainings_are_compared_without_those_of_a_search():
    fixed, searching = study(), study(settings={**SMALL_MLP, "learning_rate": Choice(0.1, 0.2)})
    sgd, adam, grid, other = (Record(None, None, one.declaration(), 0) for one in (fixed, fixed, searching, searching))
    assert list(alike({"sgd": sgd, "adam": adam, "grid": grid})) == ["sgd", "adam"]
    assert list(alike({"sgd": sgd, "grid": grid})) == ["sgd", "grid"]
    assert list(alike({"grid": grid, "other": other})) == ["grid", "other"]


def test_a_figure_that_fails_is_told_and_recorded_and_loses_nothing_else(points, monkeypatch, capsys):
    def broken(record):
        raise ValueError("no such numbers\nat all")

    run, data = points
    record = Record.read(run, data)
    plain = {"data_points": FIGURES["data_points"], "residuals": FIGURES["residuals"]}
    monkeypatch.setattr(pictures, "FIGURES", plain)
    draw_figures(record, say=quiet)
    spoilt = {**plain, "residuals": Picture(lambda record: True, broken, data_points),
              "weights": Picture(broken, broken, data_points)}  # fmt: skip
    monkeypatch.setattr(pictures, "FIGURES", spoilt)
    paths = draw_figures(record, name="toy", say=print)
    assert [path.name for path in paths] == ["data_points.png"]
    assert sorted(path.name for path in run.figures.iterdir()) == ["data_points.json", "data_points.png"]
    told = capsys.readouterr()
    assert told.out == "toy: drawing 2 figures\n"
    assert f"{run.folder}: figure residuals failed: ValueError: no such numbers\n" in told.err
    assert [text.splitlines()[0] for text in events(run)] == ["weights", "residuals"]
    assert "Traceback" in events(run)[0]
    monkeypatch.setattr(pictures, "FIGURES", plain)
    draw_figures(record, say=quiet)
    assert events(run) == []  # nothing is missing any more


def test_the_attributions_of_coloured_images_have_one_value_for_each_pixel(tmp_path):
    model = cnn(input_shape=(8, 8, 3), outputs=3, filters=(3,), kernel_size=3, hidden=(4,))
    maps = attributions(record_of(model, dataset(PIXELS, LABELS, NAMES), tmp_path))["maps"]
    assert {method: values.shape for method, values in maps.items()} == dict.fromkeys(
        ("saliency", "integrated gradients", "Grad-CAM"), (6, 8, 8)
    )


def test_of_a_deep_model_the_first_and_the_last_convolutions_are_shown(tmp_path):
    deep = cnn(input_shape=(8, 8, 3), outputs=3, filters=(2,) * 9, kernel_size=1, pool=None, hidden=())
    found = convolutions(record_of(deep, dataset(PIXELS, LABELS, NAMES), tmp_path))
    assert len(found) == CONVOLUTIONS_AT_MOST
    assert found == [f"conv_{number}" for number in (1, 2, 3, 7, 8, 9)]


# --- the command


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A folder with points of one's own, and the run of two arms over them that the command made there."""
    folder = tmp_path_factory.mktemp("typed")
    for name, shift in (("train", 0), ("test", 0.05)):
        rows = "".join(f"{place / 10 + shift},{place % 7}\n" for place in range(30))
        (folder / f"{name}_data.csv").write_text("x,y\n" + rows)
    arguments = ["tune", "--task", "regression_linear", "--epochs", "2", "--samples", "20", "--data-dir", str(folder),
                 "--out", str(folder)]  # fmt: skip
    assert main(arguments) == 0
    return folder, arguments


def drawn(folder):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.json"))}


def test_the_command_draws_compares_the_arms_and_says_where(typed, capsys):
    folder, arguments = typed
    above = folder / "regression_linear"
    assert (above / "line" / "figures" / "fit.png").exists() and (above / "figures" / "arms_fit.png").exists()
    before = drawn(above / "figures")
    for path in (above / "figures").iterdir():
        path.unlink()
    (above / "figures").rmdir()
    assert main(arguments) == 0  # both arms are finished: they are read, and compared anew
    told = capsys.readouterr()
    assert "drawing" in told.err and f"figures     {above / 'line' / 'figures'}" in told.out
    assert f"regression_linear: the arms are compared in {above / 'report.html'}" in told.out
    assert drawn(above / "figures") == before
    assert main(arguments) == 0
    assert "drawing" not in capsys.readouterr().err  # all is there


def test_the_figures_can_be_drawn_again_later_from_the_folder_alone(typed):
    run = Run(typed[0] / "regression_linear" / "polynomial")
    before = drawn(run.figures)
    for path in run.figures.iterdir():
        path.unlink()
    draw_figures(Record.read(run), say=quiet)
    assert drawn(run.figures) == before
    assert json.loads(before["data_points.json"])["numbers"]["points"]["test"]["x"]["shape"] == [30]


def test_no_figures_are_drawn_where_none_are_wanted_and_the_run_is_the_same(typed):
    folder, arguments = typed
    assert main([*arguments, "--name", "bare", "--no-figures"]) == 0
    assert not list((folder / "bare").rglob("figures"))
    first, second = (Run(folder / name / "line") for name in ("bare", "regression_linear"))
    assert first.study()["declaration"] == second.study()["declaration"]
    assert first.metrics()["test"] == second.metrics()["test"]


def test_data_that_have_changed_since_are_refused(typed, tmp_path):
    run = Run(typed[0] / "regression_linear" / "line")
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text((typed[0] / name).read_text().replace("\n0.", "\n5."))
    with pytest.raises(UsageError, match="was made with other data than"):
        dataset_of(run, tmp_path)
