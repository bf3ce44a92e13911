"""What the real TensorBoard shows of several runs below one logdir, asked over HTTP as its page asks."""

import io
import json
import time
import urllib.parse
import urllib.request

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from kerashw import probes, tensorboard
from kerashw.formats import load_keras
from kerashw.callbacks.tiles import matrix, tiled
from kerashw.datasets import Dataset
from kerashw.models import cnn, mlp
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.seeds import derive
from kerashw.space import Choice, Grid, Random, Real
from kerashw.study import Study
from kerashw.training import Task, draw_weights, train
from tuning.pipeline import execute, make_setup, searched_values

STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
RUNS = ("lines", "labels/arm", "pictures")
REFIT_EPOCHS = 12


def dataset(classes, pixels=False):
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, (24, 2)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int64") if classes else x[:, :1] - x[:, 1:]
    if pixels:
        x = generator.integers(0, 256, (24, 8, 8), dtype="uint8")
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
    # Trained by `fit`, for so many epochs that TensorBoard could not keep a picture of each.
    "pictures": (
        Study(data="toy", model=cnn, search=Random(trials=1), refit_epochs=REFIT_EPOCHS, settings=dict(
            filters=(3,), kernel_size=3, hidden=(4,), learning_rate=0.01, momentum=Real(0.0, 0.5), optimizer="sgd",
            epochs=1, batch_size=8)),
        dataset(("below", "above"), pixels=True),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    """Finished runs of different studies: with failed trials, with other settings and metrics, with convolutions."""
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

    def ask(route, body=None, read=json.load):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + "data/" + route, data, headers), timeout=30) as answer:
            return read(answer)

    for _ in range(300):  # it loads in the background
        if runs_of(logdir) <= set(ask("runs")) and set(ask("plugin/images/tags")) >= set(PICTURES):
            return ask
        time.sleep(0.1)
    raise AssertionError(f"only {ask('runs')} of {runs_of(logdir)}")


def runs_of(logdir):
    """What every run of TensorBoard is called."""
    refits = {f"{name}/tensorboard/refit/{part}" for name in RUNS for part in ("train", "weights", "activations")}
    others = {"labels/arm/tensorboard/refit/validation", "pictures/tensorboard/refit/feature_maps"}
    return refits | others | {name for name, _ in trials_of(logdir)}


# {run: {tag: steps}} of the pictures of layers, of refits by the loop for many models and by `fit`.
ENDS, EVERY_SECOND = [0, 1], [0, 2, 4, 6, 8, 10, 12]
PICTURES = {
    "lines/tensorboard/refit/weights": {"weights/dense_1": ENDS, "weights/output": ENDS},
    "lines/tensorboard/refit/activations": {"activations/dense_1": ENDS},
    "labels/arm/tensorboard/refit/weights": {
        "weights/dense_1": ENDS, "weights/output": ENDS},
    "labels/arm/tensorboard/refit/activations": {"activations/dense_1": ENDS},
    "pictures/tensorboard/refit/weights": {
        "weights/conv_1": EVERY_SECOND, "weights/dense_1": EVERY_SECOND, "weights/output": EVERY_SECOND},
    "pictures/tensorboard/refit/activations": {"activations/dense_1": EVERY_SECOND},
    "pictures/tensorboard/refit/feature_maps": {
        "feature_maps/conv_1": EVERY_SECOND, "feature_maps/pool_1": EVERY_SECOND},
}  # fmt: skip


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


def test_the_refits_their_layers_and_the_trials_of_all_runs_are_runs(ask, logdir):
    assert set(ask("runs")) == runs_of(logdir)


def test_the_refit_s_scalars_are_those_of_its_history(ask, logdir):
    tags = ask("plugin/scalars/tags")
    assert {"epoch_loss", "epoch_mse", "epoch_r2"} <= set(tags["lines/tensorboard/refit/train"])
    assert {"epoch_loss", "epoch_accuracy"} <= set(tags["labels/arm/tensorboard/refit/validation"])
    header, *rows = (logdir / "lines" / "history.csv").read_text().splitlines()
    losses = [float(row.split(",")[header.split(",").index("loss")]) for row in rows]
    shown = ask("plugin/scalars/scalars?run=lines/tensorboard/refit/train&tag=epoch_loss")
    assert [value for _, _, value in shown] == pytest.approx(losses)


def pictures_of(ask, run, tag):
    """{step: the picture} that TensorBoard would show under that tag."""
    query = urllib.parse.urlencode(dict(run=run, tag=tag, sample=0))
    found = {}
    for one in ask(f"plugin/images/images?{query}"):
        blob = one["query"] if "query" in one else urllib.parse.urlencode(dict(blob_key=one["blob_key"]))
        content = ask(f"plugin/images/individualImage?{blob}", read=lambda answer: answer.read())
        found[one["step"]] = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return found


@pytest.mark.parametrize("run", PICTURES)
def test_every_layer_has_one_tiled_picture_before_training_and_after_it(ask, run):
    assert set(ask("plugin/images/tags")[run]) == set(PICTURES[run])
    for tag, steps in PICTURES[run].items():
        shown = pictures_of(ask, run, tag)
        assert list(shown) == steps
        assert all(np.ptp(picture) > 0 for picture in shown.values())
        if steps == EVERY_SECOND:  # after one epoch the change may be too small to be seen
            assert (shown[steps[0]] != shown[steps[-1]]).any()


def test_the_last_picture_of_a_refit_is_that_of_the_model_that_was_kept(ask, logdir):
    model = load_keras(logdir / "pictures" / "model.keras")
    filters = probes.filters(model)["conv_1"][..., 0]
    shown = pictures_of(ask, "pictures/tensorboard/refit/weights", "weights/conv_1")
    np.testing.assert_array_equal(shown[REFIT_EPOCHS], tiled(filters, symmetric=True))


def test_the_weights_of_a_refit_in_the_loop_begin_where_it_began(ask, logdir):
    """The picture before training is one of the weights that the seed of the refit draws."""
    study, data = STUDIES["lines"]
    setup = make_setup(study, data, Run(logdir / "lines"), seed=0, progress=None)
    best = min((one for one in setup.run.store().trials() if one.status == "completed"), key=lambda one: one.score)
    model = draw_weights(setup.model_of(setup.settings_of(best.proposed)), derive(0, "refit", 0))
    shown = pictures_of(ask, "lines/tensorboard/refit/weights", "weights/dense_1")
    np.testing.assert_array_equal(shown[0], matrix(model.get_layer("dense_1").kernel.numpy().T))


@pytest.mark.parametrize("plugin", ["histograms", "distributions"])
@pytest.mark.parametrize("run", PICTURES)
def test_every_layer_has_its_histogram_and_its_distribution_at_the_same_steps(ask, run, plugin):
    tags = set(ask(f"plugin/{plugin}/tags")[run])
    assert all(any(tag.startswith(picture) for tag in tags) for picture in PICTURES[run])
    steps = next(iter(PICTURES[run].values()))
    for tag in tags:
        shown = ask(f"plugin/{plugin}/{plugin}?" + urllib.parse.urlencode(dict(run=run, tag=tag)))
        assert [step for _, step, _ in shown] == steps


def test_the_histogram_of_a_kernel_counts_all_of_its_weights(ask):
    run, tag = "pictures/tensorboard/refit/weights", "weights/conv_1/kernel"
    shown = ask("plugin/histograms/histograms?" + urllib.parse.urlencode(dict(run=run, tag=tag)))
    assert [sum(count for _, _, count in bins) for _, _, bins in shown] == [27] * len(EVERY_SECOND)


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
        assert metrics["val_mse" if name.startswith("lines") else "val_accuracy"] == pytest.approx(trial.score)
        for metric in trial.executions[0].metrics:
            mean = np.mean([done.metrics[metric] for done in trial.executions])
            assert metrics[metric] == pytest.approx(mean)
    assert sorted(statuses) == ["STATUS_FAILURE"] + ["STATUS_SUCCESS"] * 5


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
            tmp_path, "lines", study, written, lambda trial: searched_values(setup, trial), ("val_mse",)
        )
    files = sorted(path.parent.name for path in tmp_path.glob("trials/*/events*"))
    assert files == ["0000", "0001"]


def test_a_refit_that_keeps_its_best_epoch_shows_its_layers_then(tmp_path):
    """Dark and bright pictures have the opposite labels in the validation part, so its loss only grows."""
    some = np.arange(12, dtype="int32")
    bright = np.arange(24) % 2
    x = np.broadcast_to(255 * bright[:, None, None], (24, 8, 8)).astype("uint8")
    task = Task(x, np.where(np.arange(24) < 12, bright, 1 - bright), 2, True)
    settings = dict(filters=(3,), kernel_size=3, hidden=(4,), learning_rate=0.1, optimizer="sgd", epochs=4)
    model = cnn(input_shape=(8, 8), outputs=2, filters=(3,), kernel_size=3, hidden=(4,))
    shown = tensorboard.refit_callbacks(tmp_path, model, task.x, 4, kept_by="val_loss")
    trained = train(
        cnn, settings, task, train_indices=some, validation_indices=some + 12, seed=0, objective="val_loss",
        callbacks=shown,
    )  # fmt: skip
    assert trained.best_epoch < len(trained.history["epoch"]) == 4
    found = {}
    for path in (tmp_path / "refit" / "weights").glob("events*"):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found[value.tag, event.step] = value.tensor
    expected = tiled(probes.filters(trained.model)["conv_1"][..., 0], symmetric=True)
    kept = found["best/weights/conv_1", trained.best_epoch].string_val[2]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(kept)).convert("RGB")), expected)
    assert ("weights/conv_1", 4) in found


def test_a_refit_that_begins_anew_leaves_nothing_of_the_one_broken_off(tmp_path):
    (tmp_path / "refit" / "train").mkdir(parents=True)
    (tmp_path / "refit" / "train" / "events.out.tfevents.1").write_bytes(b"half an event")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    callbacks = tensorboard.refit_callbacks(tmp_path, model, np.zeros((4, 1)), epochs=1)
    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 1)), np.zeros((4, 1)), callbacks=callbacks, verbose=0)
    (file,) = (tmp_path / "refit" / "train").glob("events*")
    assert file.name != "events.out.tfevents.1"
