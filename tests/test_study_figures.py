"""Every study's run, with a tiny budget and on stand-in data, leaves exactly the figures it should, and none fails."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kerashw.commands import quiet_tensorflow
from kerashw.datasets import KNOWN, with_samples
from kerashw.datasets.standins import stand_in
from kerashw.drawing import LARGEST_PICTURE
from kerashw.pictures import Record, draw_comparison
from kerashw.progress import Progress
from kerashw.run import Run
from tuning.pipeline import execute, make_setup
from tuning.studies import find, names

quiet_tensorflow()

TRAINING = {"curves_search", "curves_refit", "weights", "layers"}
CURVE = TRAINING | {"data_points", "fit", "residuals"}
IMAGES = TRAINING | {
    "sample_items", "attributions", "predictions", "confusion_matrix", "class_scores", "calibration", "worst_errors",
    "maximal_inputs_output",
}  # fmt: skip
SEARCH = {"search_history", "search_slices", "search_parallel"}
GRID = SEARCH | {"search_table"}


def hidden(last):
    return {"activation_profiles", f"maximal_inputs_dense_{last}"}


def convolutions(last):
    each = {f"{kind}_conv_{number}" for kind in ("filters", "feature_maps") for number in range(1, last + 1)}
    return each | {"receptive_fields", f"strongest_crops_conv_{last}", f"maximal_inputs_conv_{last}"}


FLAT = {"pixel_weights_dense_1"}
COMPARED = {"arms_results", "arms_accuracy", "arms_loss", "arms_val_accuracy", "arms_val_loss"}
COMPARED_CURVES = {"arms_results", "arms_fit", "arms_mse", "arms_r2", "arms_val_mse", "arms_val_r2"}
# study: the arms to compare (the first one draws figures of its own), how many trials, the figures, those of the arms
STUDIES = {
    "fashion": ((), 2, IMAGES | SEARCH | convolutions(2) | hidden(1), set()),
    "fashion_grid": ((), 4, IMAGES | GRID | {"search_importance"} | convolutions(2) | hidden(2), set()),
    "fashion_lenet": ((), 1, IMAGES | convolutions(2) | hidden(2), set()),
    "fashion_spatial": (("grid", "adadelta"), 2, IMAGES | GRID | convolutions(2) | hidden(1), COMPARED),
    "mnist": ((), 2, IMAGES | SEARCH | {"augmented_samples"} | convolutions(2) | hidden(1), set()),
    "mnist_budget": ((), 2, IMAGES | GRID | FLAT | hidden(2), set()),
    "mnist_deep": (("cnn_dropout", "mlp"), 1, IMAGES | convolutions(3) | hidden(1), COMPARED),
    "mnist_gradcheck": ((), 1, IMAGES | {"gradient_check"} | FLAT | hidden(2), set()),
    "mnist_init": (("zero", "glorot"), 1, IMAGES | FLAT | hidden(2), COMPARED),
    "mnist_mlp": ((), 2, IMAGES | SEARCH | FLAT | hidden(2), set()),
    "regression": ((), 4, CURVE | SEARCH | {"search_importance", "activation_profiles"}, set()),
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
    study = study.but(epochs=1, refit_epochs=None, quick={}, search=replace(study.search, trials=trials))
    run = Run(folder)
    run.folder.mkdir(parents=True)
    run.begin({"declaration": study.declaration(), "seed": 0})
    setup = make_setup(study, dataset, run, seed=0, progress=Progress("it", quiet=True))
    execute(setup, dataset, about={"stand_in": True}, figures=figures)
    return run


def check(folder, expected):
    """The figures of a folder are these, small, and each with its numbers and a warning that the data are no real ones."""
    assert {path.stem for path in folder.glob("*.png")} == expected
    assert {path.stem for path in folder.glob("*.json")} == expected
    for path in folder.glob("*.png"):
        assert path.stat().st_size < LARGEST_PICTURE
        kept = json.loads(path.with_suffix(".json").read_text())
        assert kept["footer"].startswith("STAND-IN DATA, ")
        assert kept["title"] and kept["caption"].endswith(".")


def test_every_study_is_in_the_table():
    assert list(STUDIES) == names()


@pytest.mark.parametrize("name", STUDIES)
def test_a_run_of_a_study_leaves_exactly_its_figures(name, data, tmp_path, capsys):
    arms, trials, expected, compared = STUDIES[name]
    study = find(name)[1]
    dataset = data[study.data]
    runs = {
        arm: finished(tmp_path / "runs" / arm, study.arm(arm) if arms else study, dataset, trials, arm is first)
        for first in (arms or ("alone",))[:1]
        for arm in arms or ("alone",)
    }
    for arm, run in runs.items():
        store = run.store()
        assert store.events("figure") == [], arm
        store.close()
    check(next(iter(runs.values())).figures, expected)
    if compared:
        above = Run(tmp_path / "runs")
        draw_comparison(above, {arm: Record.read(run, dataset) for arm, run in runs.items()}, say=lambda line: None)
        check(above.figures, compared)
    assert "failed" not in capsys.readouterr().err


def test_the_gradient_check_of_its_study_is_told_in_the_metrics_as_it_is_drawn(data, tmp_path):
    run = finished(tmp_path / "run", find("mnist_gradcheck")[1].but(hidden=(6, 5)), data["mnist"], 1, figures=True)
    told = run.metrics()["gradient_check"]
    drawn = json.loads((run.figures / "gradient_check.json").read_text())["numbers"]
    assert (told["layer"], told["weight"]) == ("dense_2", "kernel")
    for precision in ("float32", "float64"):
        differences = np.array(drawn["differences"][precision]["values"])
        assert told[precision]["smallest_difference"] == pytest.approx(differences.min(), rel=1e-5)
        assert drawn["n"]["values"][differences.argmin()] == told[precision]["n"]
    assert told["float64"]["smallest_difference"] < 1e-3 * told["float32"]["smallest_difference"]
