"""What the real TensorBoard shows of several runs below one logdir, asked over HTTP as its page asks."""

import json
import time
import urllib.request

import keras
import numpy as np
import pytest

from kerashw import tensorboard
from kerashw.datasets import Dataset
from kerashw.models import mlp
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Choice, Grid, Random, Real
from kerashw.study import Study
from tuning.pipeline import execute, make_setup, searched_values

STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
RUNS = ("lines", "labels/arm")


def dataset(classes):
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, (24, 2)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int64") if classes else x[:, :1] - x[:, 1:]
    return Dataset("toy", x, y, x[:6], y[:6], classes=classes, source="made in the test")


STUDIES = {
    "lines": (
        Study(data="toy", model=mlp, search=Grid(trials=3), settings=dict(
            hidden=Choice((3,), (3, 2)), learning_rate=Choice(0.01, 1e30), epochs=1, batch_size=6)),
        dataset(()),
    ),
    "labels/arm": (
        Study(data="toy", model=mlp, search=Random(trials=2), refit="stop", settings=dict(
            hidden=(3,), dropout=Choice(0.25, (0.5,)), batch_normalization=Choice(True, False),
            momentum=Real(0.0, 0.9), optimizer="sgd", epochs=1)),
        dataset(("below", "above")),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    """Two finished runs of different studies, one with failed trials, the other with other settings and metrics."""
    folder = tmp_path_factory.mktemp("saved_models")
    for name, (study, data) in STUDIES.items():
        run = Run(folder / name)
        run.folder.mkdir(parents=True)
        run.begin({})
        execute(make_setup(study, data, run, seed=0, progress=Progress(name, quiet=True)), data, about={})
    return folder


@pytest.fixture(scope="module", params=["auto", "false"])
def ask(request, logdir):
    """A function that asks a running TensorBoard; it loads with its data server (its own way) and without."""
    from tensorboard import program

    server = program.TensorBoard()
    server.configure(argv=[None, "--logdir", str(logdir), "--port", "0", "--load_fast", request.param])
    url = server.launch()

    def ask(route, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + "data/" + route, data, headers), timeout=30) as answer:
            return json.load(answer)

    expected = {f"{name}/tensorboard/refit/train" for name in RUNS} | {name for name, _ in trials_of(logdir)}
    for _ in range(300):  # it loads in the background
        if expected <= set(ask("runs")):
            return ask
        time.sleep(0.1)
    raise AssertionError(f"only {ask('runs')} of {expected}")


def trials_of(logdir):
    """(session name, trial) of every trial of every run, as the stores have them."""
    return [
        (f"{name}/tensorboard/trials/{trial.number:04d}", trial)
        for name in RUNS
        for trial in Run(logdir / name).store().trials()
    ]


def experiment(ask):
    return ask("plugin/hparams/experiment", {"experimentName": ""})


def sessions(ask):
    """The session groups, asked for with every column the experiment has, as the page does."""
    known = experiment(ask)
    columns = [{"hparam": one["name"], "includeInResult": True} for one in known["hparamInfos"]]
    columns += [{"metric": one["name"], "includeInResult": True} for one in known["metricInfos"]]
    body = {"experimentName": "", "allowedStatuses": STATUSES, "colParams": columns, "startIndex": 0, "sliceSize": 999}
    answer = ask("plugin/hparams/session_groups", body)
    assert int(answer["totalSize"]) == len(answer["sessionGroups"])
    return {group["name"]: group for group in answer["sessionGroups"]}


def test_the_refits_and_the_trials_of_both_runs_are_runs(ask, logdir):
    expected = {f"{name}/tensorboard/refit/train" for name in RUNS} | {name for name, _ in trials_of(logdir)}
    assert set(ask("runs")) == {*expected, "labels/arm/tensorboard/refit/validation"}


def test_the_refit_s_scalars_are_those_of_its_history(ask, logdir):
    tags = ask("plugin/scalars/tags")
    assert {"epoch_loss", "epoch_mse", "epoch_r2"} <= set(tags["lines/tensorboard/refit/train"])
    assert {"epoch_loss", "epoch_accuracy"} <= set(tags["labels/arm/tensorboard/refit/validation"])
    header, *rows = (logdir / "lines" / "history.csv").read_text().splitlines()
    losses = [float(row.split(",")[header.split(",").index("loss")]) for row in rows]
    shown = ask("plugin/scalars/scalars?run=lines/tensorboard/refit/train&tag=epoch_loss")
    assert [value for _, _, value in shown] == pytest.approx(losses)


def test_the_experiment_knows_the_settings_and_metrics_of_every_run(ask):
    known = experiment(ask)
    assert {one["name"]: one["type"] for one in known["hparamInfos"]} == {
        "run": "DATA_TYPE_STRING", "hidden": "DATA_TYPE_STRING", "learning_rate": "DATA_TYPE_FLOAT64",
        "dropout": "DATA_TYPE_STRING", "batch_normalization": "DATA_TYPE_BOOL", "momentum": "DATA_TYPE_FLOAT64",
    }  # fmt: skip
    metrics = {one["name"]["tag"] for one in known["metricInfos"]}
    assert {"val_mse", "val_r2", "mse", "loss", "val_loss", "val_accuracy", "accuracy"} == metrics - {"r2"}


def test_every_trial_of_every_run_shows_with_its_settings(ask, logdir):
    shown = sessions(ask)
    assert set(shown) == {name for name, _ in trials_of(logdir)}
    settings = [shown[f"lines/tensorboard/trials/{number:04d}"]["hparams"] for number in range(3)]
    assert settings == [
        {"run": "lines", "hidden": "(3,)", "learning_rate": 0.01},
        {"run": "lines", "hidden": "(3,)", "learning_rate": 1e30},
        {"run": "lines", "hidden": "(3, 2)", "learning_rate": 0.01},
    ]
    for name, trial in trials_of(logdir):
        if name.startswith("labels"):
            setup = make_setup(*STUDIES["labels/arm"], None, seed=0, progress=None)
            values = searched_values(setup, trial)
            assert shown[name]["hparams"] == {"run": "arm", **values, "dropout": str(values["dropout"])}


def test_every_trial_of_every_run_shows_with_its_metrics_and_status(ask, logdir):
    shown = sessions(ask)
    statuses = []
    for name, trial in trials_of(logdir):
        (session,) = shown[name]["sessions"]
        statuses.append(session["status"])
        metrics = {one["name"]["tag"]: one["value"] for one in session.get("metricValues", [])}
        if trial.status == "failed":
            assert (session["status"], metrics) == ("STATUS_FAILURE", {})
            continue
        assert session["status"] == "STATUS_SUCCESS"
        assert metrics["val_accuracy" if name.startswith("labels") else "val_mse"] == pytest.approx(trial.score)
        for metric in trial.executions[0].metrics:
            mean = np.mean([done.metrics[metric] for done in trial.executions])
            assert metrics[metric] == pytest.approx(mean)
    assert sorted(statuses) == ["STATUS_FAILURE"] + ["STATUS_SUCCESS"] * 4


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ({"hparam": "run", "filterDiscrete": ["arm"]}, 2),
        ({"hparam": "hidden", "filterDiscrete": ["(3,)"], "excludeMissingValues": True}, 2),
        ({"hparam": "learning_rate", "filterInterval": {"minValue": 0, "maxValue": 1}, "excludeMissingValues": True}, 2),
    ],
)
def test_the_page_s_filters_find_their_trials(ask, column, found):
    body = {"experimentName": "", "allowedStatuses": STATUSES, "colParams": [column], "startIndex": 0, "sliceSize": 9}
    assert len(ask("plugin/hparams/session_groups", body)["sessionGroups"]) == found


def test_a_run_written_again_shows_its_trials_once(tmp_path, logdir):
    study, data = STUDIES["lines"]
    trials = Run(logdir / "lines").store().trials()
    setup = make_setup(study, data, None, seed=0, progress=None)
    for written in (trials, trials[:2]):
        tensorboard.write_trials(
            tmp_path, "lines", study, written, lambda trial: searched_values(setup, trial), "val_mse"
        )
    files = sorted(path.parent.name for path in tmp_path.glob("trials/*/events*"))
    assert files == ["0000", "0001"]


def test_a_refit_that_begins_anew_leaves_nothing_of_the_one_broken_off(tmp_path):
    (tmp_path / "refit" / "train").mkdir(parents=True)
    (tmp_path / "refit" / "train" / "events.out.tfevents.1").write_bytes(b"half an event")
    callback = tensorboard.refit_callback(tmp_path)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 1)), np.zeros((4, 1)), callbacks=[callback], verbose=0)
    (file,) = (tmp_path / "refit" / "train").glob("events*")
    assert file.name != "events.out.tfevents.1"
