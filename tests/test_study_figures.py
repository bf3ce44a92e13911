"""Every study's run, with a tiny budget and on stand-in data, leaves exactly the figures it should, and none fails."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from kerashw.commands import quiet_tensorflow
from kerashw.datasets import KNOWN, with_samples
from kerashw.datasets.standins import stand_in
from kerashw.drawing import LARGEST_PICTURE
from kerashw.pictures import Record, arms, draw_comparison
from kerashw.progress import Progress
from kerashw.run import Run
from tuning.pipeline import execute, make_setup
from tuning.studies import find, names

quiet_tensorflow()

TRAINING = {"curves_search", "curves_refit", "weights", "layers"}
CURVE = TRAINING | {"data_points", "fit", "residuals"}
IMAGES = TRAINING | {
    "sample_items", "attributions", "predictions", "confusion_matrix", "class_scores", "calibration", "worst_errors",
    "maximal_inputs_output", "dense_weights",
}  # fmt: skip
SEARCH = {"search_history", "search_timeline", "search_slices", "search_parallel"}
GRID = SEARCH | {"search_table"}


def hidden(last):
    return {"activation_profiles", f"maximal_inputs_dense_{last}"}


def convolutions(*shown):
    each = {f"{kind}_conv_{number}" for kind in ("filters", "feature_maps") for number in shown}
    return each | {"receptive_fields", f"strongest_crops_conv_{shown[-1]}", f"maximal_inputs_conv_{shown[-1]}"}


FLAT = {"pixel_weights_dense_1"}
COMPARED = {"arms_results", "arms_accuracy", "arms_loss", "arms_val_accuracy", "arms_val_loss"}
COMPARED_CURVES = {"arms_results", "arms_fit", "arms_mse", "arms_r2", "arms_val_mse", "arms_val_r2"}
# study: the arms to compare (the first one draws figures of its own), how many trials, the figures, those of the arms
STUDIES = {
    "fashion": ((), 1, IMAGES | convolutions(1, 2) | hidden(1), set()),
    "fashion_best": ((), 1, IMAGES | {"augmented_samples"} | convolutions(1, 2, 3, 4, 5) | hidden(1), set()),
    "fashion_grid": ((), 2, IMAGES | GRID | convolutions(1, 2) | hidden(2), set()),
    "fashion_lenet": ((), 1, IMAGES | convolutions(1, 2) | hidden(2), set()),
    "fashion_spatial": (("sgd", "adadelta"), 1, IMAGES | convolutions(1, 2) | hidden(1), COMPARED),
    "mnist": ((), 2, IMAGES | SEARCH | {"augmented_samples"} | convolutions(1, 2) | hidden(1), set()),
    "mnist_best": ((), 1, IMAGES | {"augmented_samples"} | convolutions(1, 2, 3, 5, 6, 7) | hidden(1), set()),
    "mnist_budget": ((), 2, IMAGES | GRID | FLAT | hidden(2), set()),
    "mnist_deep": (("cnn_dropout", "mlp"), 1, IMAGES | convolutions(1, 2, 3) | hidden(1), COMPARED),
    "mnist_gradcheck": ((), 1, IMAGES | {"gradient_check"} | FLAT | hidden(2), set()),
    "mnist_init": (("zero", "glorot"), 1, IMAGES | FLAT | hidden(2), COMPARED),
    "mnist_mlp": ((), 1, IMAGES | FLAT | hidden(2), set()),
    "regression": ((), 4, CURVE | SEARCH | {"search_importance", "activation_profiles"}, set()),
    "regression_best": ((), 2, CURVE | GRID | {"activation_profiles"}, set()),
    "regression_cv": ((), 2, CURVE | GRID | {"activation_profiles"}, set()),
    "regression_leaky": (("adam", "sgd"), 2, CURVE | GRID | {"activation_profiles"}, COMPARED_CURVES),
    "regression_linear": (("polynomial", "line"), 1, CURVE, COMPARED_CURVES),
    "regression_wide": ((), 2, CURVE | GRID | {"activation_profiles"}, set()),
}


@pytest.fixture(scope="module")
def data():
    """The stand-in data sets, 60 training and 40 test items of each."""
    found = {}
    for name in ("fashion", "mnist", "regression"):
        whole = with_samples(stand_in(name, KNOWN[name].classes), 60, seed=0)
        found[name] = replace(whole, x_test=whole.x_test[:40], y_test=whole.y_test[:40])
    return found


def finished(folder, study, dataset, trials, figures):
    """The run of a study whose trainings last for an epoch each."""
    little = dict(
        epochs=1, refit_epochs=None, together=False, folds=min(study.folds, 2),
        search=replace(study.search, trials=trials),
    )  # fmt: skip
    study = study.but(quick={}, **little)
    run = Run(folder)
    run.folder.mkdir(parents=True)
    run.begin({"declaration": study.declaration(), "seed": 0})
    setup = make_setup(study, dataset, run, seed=0, progress=Progress("it", quiet=True))
    execute(setup, dataset, about={"stand_in": True}, figures=figures)
    return run


def check(folder, expected):
    """The figures of a folder are these, small, each with its numbers and a warning that the data are no real ones."""
    assert {path.stem for path in folder.glob("*.png")} == expected
    assert {path.stem for path in folder.glob("*.json")} == expected
    for path in folder.glob("*.png"):
        assert path.stat().st_size < LARGEST_PICTURE
        kept = json.loads(path.with_suffix(".json").read_text())
        assert kept["footer"].startswith("STAND-IN DATA, ")
        assert kept["title"] and kept["caption"].endswith(".")


def test_every_study_is_in_the_table():
    assert list(STUDIES) == names()


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """A function from the name of a study to {arm: its run}; only the first arm has figures of its own."""

    @functools.cache
    def of(name):
        study, (chosen, trials, _, _) = find(name)[1], STUDIES[name]
        folder = tmp_path_factory.mktemp(name)
        return {
            arm: finished(folder / arm, study.arm(arm) if chosen else study, data[study.data], trials, place == 0)
            for place, arm in enumerate(chosen or ("alone",))
        }

    return of


QUICK = ("regression_linear",)


def each(studies):
    """The studies as parameters; most of them are left to `python -m pytest -m slow`, as each takes seconds."""
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in studies]


@pytest.mark.parametrize("name", each(STUDIES))
def test_a_run_of_a_study_leaves_exactly_its_figures(name, runs, capsys):
    for arm, run in runs(name).items():
        store = run.store()
        assert store.events("figure") == [], arm
        store.close()
    check(next(iter(runs(name).values())).figures, STUDIES[name][2])
    assert "failed" not in capsys.readouterr().err


@pytest.mark.parametrize("name", each(name for name, (chosen, *_) in STUDIES.items() if chosen))
def test_the_arms_of_a_study_are_compared(name, runs, data, capsys):
    records = {arm: Record.read(run, data[find(name)[1].data]) for arm, run in runs(name).items()}
    above = Run(next(iter(runs(name).values())).folder.parent)
    draw_comparison(above, records, say=lambda line: None)
    check(above.figures, STUDIES[name][3])
    assert "failed" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_initialisations_are_drawn_with_their_published_losses_beside_them(runs, data):
    records = {arm: Record.read(run, data["mnist"]) for arm, run in runs("mnist_init").items()}
    published = arms.curves(records, "loss")["published"]
    assert published["zero"] == [2.30256]
    assert (len(published["glorot"]), published["glorot"][0], published["glorot"][-1]) == (10, 1.935, 0.519)
    assert arms.curves(records, "val_loss")["published"] is None


@pytest.mark.slow
def test_what_is_published_of_all_arms_alike_is_one_line(runs, data):
    records = {arm: Record.read(run, data["mnist"]) for arm, run in runs("mnist_deep").items()}
    assert arms.curves(records, "val_accuracy")["published"] == {"montreal-2020": [0.98]}


@pytest.mark.slow
def test_the_gradient_check_of_its_study_is_told_in_the_metrics_as_it_is_drawn(runs):
    (run,) = runs("mnist_gradcheck").values()
    told = run.metrics()["gradient_check"]
    drawn = json.loads((run.figures / "gradient_check.json").read_text())["numbers"]
    assert (told["layer"], told["weight"]) == ("dense_2", "kernel")
    for precision in ("float32", "float64"):
        differences = np.array(drawn["differences"][precision]["values"])
        assert told[precision]["smallest_difference"] == pytest.approx(differences.min(), rel=1e-5)
        assert drawn["n"]["values"][differences.argmin()] == told[precision]["n"]
    assert told["float64"]["smallest_difference"] < 1e-3 * told["float32"]["smallest_difference"]
