"""A run read back in Python: whole, while it goes on, with arms; and builders, callbacks and probes without any run."""

import contextlib
import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kerashw
from kerashw.__main__ import main
from kerashw.commands import quiet_tensorflow
from kerashw.drawing import draw
from kerashw.errors import UsageError
from kerashw.figures import learning_curves

quiet_tensorflow()

STUDY = '''"""How wide a net for two moons of points."""

from kerashw.models import mlp
from kerashw.space import Choice, Random, Real
from kerashw.study import Study

STUDY = Study(data="moons", model=mlp, search=Random(trials=3), folds=2, settings=dict(
    hidden=Choice((4,), (4, 2)), learning_rate=Real(1e-3, 1e-1, log=True), dropout=Choice(0.0, 0.25), epochs=2))
'''
ARMS = '''"""Two steps."""

from kerashw.models import linear
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(data="regression", model=linear, settings=dict(epochs=1), search=Grid(),
              arms=dict(slow=dict(learning_rate=0.01), fast=dict(learning_rate=0.1)))
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished run, moons, and a finished study with arms."""
    place = tmp_path_factory.mktemp("place")
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2)).astype("float32")
    y = np.array(["low", "high"])[(x[:, 1] > x[:, 0]).astype(int)]
    (place / "moons").mkdir()
    np.savez(place / "moons" / "moons.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    (place / "regression").mkdir()
    for name in ("train_data.csv", "test_data.csv"):
        (place / "regression" / name).write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in x[:20]))
    (place / "moons.py").write_text(STUDY)
    (place / "steps.py").write_text(ARMS)
    with contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()):
        for task, data in (("moons.py", "moons"), ("steps.py", "regression")):
            assert main(["tune", "--task", task, "--data-dir", data, "--no-figures", "-q"]) == 0
    run = kerashw.load_run(place / "saved_models" / "moons")
    draw(run.run.figures, "curves_refit", learning_curves, history={"loss": run.history["loss"]})
    return place


@pytest.fixture
def moons(place):
    return kerashw.load_run(place / "saved_models" / "moons")


def plain_dicts(trials):
    """The trials as dicts, whether pandas is installed or not."""
    if isinstance(trials, list):
        return trials
    rows = trials.to_dict("records")
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]


def test_a_run_gives_its_metrics_its_study_and_its_history(moons):
    assert set(moons.metrics["test"]) == {"accuracy", "cross_entropy"}
    assert moons.study["data"]["name"] == "moons" and moons.classes == ("high", "low")
    epochs = moons.metrics["refit"]["epochs"]
    assert moons.history["epoch"] == list(range(1, epochs + 1)) and len(moons.history["loss"]) == epochs
    assert moons.arms == {}


def test_the_trials_are_those_of_trials_csv_with_types(moons):
    with open(moons.run.trials_file, newline="") as file:
        rows = list(csv.DictReader(file))
    trials = plain_dicts(moons.trials)
    assert [list(row) for row in trials] == [list(row) for row in rows] and len(rows) == 3
    for trial, row in zip(trials, rows):
        assert trial["hidden"] in ([4], [4, 2]) and str(tuple(trial["hidden"])) == row["hidden"]
        numbers = "trial learning_rate dropout score_fold0 score_fold1 mean std rank parameters seconds".split()
        for name in numbers:
            assert trial[name] == float(row[name]), name
        assert trial["status"] == row["status"] == "completed" and trial["message"] is None and row["message"] == ""
    assert sorted(trial["rank"] for trial in trials)[0] == 1


def test_the_trials_are_a_data_frame_where_pandas_is_installed(moons):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed, so trials are plain dicts")
    frame = moons.trials
    assert isinstance(frame, pandas.DataFrame)
    assert pandas.api.types.is_float_dtype(frame["mean"]) and pandas.api.types.is_integer_dtype(frame["trial"])
    assert frame.sort_values("rank").iloc[0]["mean"] == moons.metrics["validation"]["score"]


def test_without_pandas_the_trials_are_dicts(moons, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # as where it is not installed
    assert isinstance(moons.trials, list) and moons.trials[0]["trial"] == 0


def test_the_model_answers_with_probabilities_and_labels(moons):
    dataset = moons.record.dataset
    chances = moons.predict(dataset.x_test)
    assert chances.shape == (10, 2) and np.allclose(chances.sum(axis=1), 1)
    labels = moons.labels(dataset.x_test)
    right = np.mean([label == dataset.classes[y] for label, y in zip(labels, dataset.y_test)])
    assert right == pytest.approx(moons.metrics["test"]["accuracy"])
    np.testing.assert_allclose(moons.predict([0.5, -0.5]), moons.predict([[0.5, -0.5]]))
    with pytest.raises(UsageError, match=r"x: has shape \(3,\), expected \(n, 2\)"):
        moons.predict([1, 2, 3])


def test_a_process_that_asks_for_the_model_hears_nothing_else(moons):
    program = f"import kerashw; print(kerashw.load_run({str(moons.folder)!r}).labels([[0.5, -0.5]]))"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(Path(kerashw.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == (f"{moons.labels([[0.5, -0.5]])}\n", "")


def test_a_figure_is_drawn_again_from_its_numbers(moons):
    assert {name: path.suffix for name, path in moons.figures.items()} == {"curves_refit": ".png"}
    (ax,) = moons.figure("curves_refit").axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), moons.history["loss"], rtol=1e-5)
    with pytest.raises(UsageError, match="has no figure 'confusion'; there are: curves_refit"):
        moons.figure("confusion")


def test_a_study_with_arms_gives_a_run_for_each(place):
    steps = kerashw.load_run(place / "saved_models" / "steps")
    assert list(steps.arms) == ["fast", "slow"] and steps.figures == {}
    assert steps.arms["fast"].metrics["arm"] == "fast" and steps.arms["slow"].arms == {}
    assert steps.arms["slow"].predict([[0.5], [1.0]]).shape == (2, 1)
    for ask in (lambda: steps.metrics, lambda: steps.trials, lambda: steps.model):
        with pytest.raises(UsageError, match="Its arms are runs: .*fast, .*slow"):
            ask()
    with pytest.raises(UsageError, match="is a regression, which has no labels; use predict"):
        steps.arms["fast"].labels([[0.5]])


def test_while_a_run_goes_on_its_trials_can_be_read_and_its_metrics_are_refused(place, moons, tmp_path):
    going = kerashw.load_run(copied(moons.folder, tmp_path / "going", without="metrics.json"))
    store = going.run.store()  # as the search holds it open
    store.begin_trial(3, {"hidden": "(4,)", "learning_rate": 0.01, "dropout": 0.0})
    assert [row["trial"] for row in plain_dicts(going.trials)] == [0, 1, 2]
    store.end_trial(3, status="failed", reason="diverged", message="at epoch 1", seconds=0.5)
    last = plain_dicts(going.trials)[-1]
    assert (last["trial"], last["status"], last["reason"]) == (3, "failed", "diverged")
    assert last["mean"] is None and last["rank"] is None
    store.close()
    for ask in (lambda: going.metrics, lambda: going.history, lambda: going.model, lambda: going.record):
        with pytest.raises(UsageError, match="this run is not finished; repeat its tune command"):
            ask()


def test_a_run_that_has_just_begun_has_no_trials(moons, tmp_path):
    begun = kerashw.load_run(copied(moons.folder, tmp_path / "begun", without="trials.db"))
    assert plain_dicts(begun.trials) == []


def copied(folder, to, without):
    """The records of a run in another folder, but for one."""
    to.mkdir()
    for name in ("study.json", "trials.db", "metrics.json"):
        if name != without:
            (to / name).write_bytes((folder / name).read_bytes())
    return to


@pytest.mark.parametrize("name, told", [("nowhere", "no such run folder"), ("moons", "not a run folder"),
                                        ("saved_models", "not a run folder")])  # fmt: skip
def test_a_folder_that_is_no_run_is_refused_by_name(name, told, place):
    with pytest.raises(UsageError, match=f"{name}: {told}"):
        kerashw.load_run(place / name)


def test_a_name_that_kerashw_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'load_runs'"):
        kerashw.load_runs  # noqa: B018
    assert "load_run" in dir(kerashw)


def test_builders_callbacks_and_probes_need_no_study(tmp_path):
    import keras

    from kerashw.callbacks import ExportFilters
    from kerashw.models import cnn
    from kerashw.probes import feature_maps, filters

    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).integers(0, 256, (16, 8, 8)).astype("uint8")
    model = cnn(input_shape=(8, 8), outputs=2, filters=(3,), kernel_size=3, hidden=())
    model.compile("sgd", "mse")
    model.fit(x, np.eye(2)[np.arange(16) % 2], epochs=1, verbose=0, callbacks=[ExportFilters(tmp_path)])
    assert [Path(path).name for path in sorted(tmp_path.glob("*.png"))] == [
        "filters.conv_1.end.png", "filters.conv_1.start.png",
    ]  # fmt: skip
    assert filters(model)["conv_1"].shape == (3, 3, 3, 1)
    assert feature_maps(model, x[:2])["conv_1"].shape[0] == 2
