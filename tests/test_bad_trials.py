"""One bad trial at a time, for each tuner and both ways of training: recorded with its reason, the rest unharmed."""

import functools
import itertools
import json
import math
from collections import Counter
from contextlib import closing

import keras
import numpy as np
import pytest
from test_search import LINES, begun, study_of

from kerashw import tune
from kerashw.commands import run
from kerashw.errors import UsageError
from kerashw.run import Run
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Random
from tuning.search import prepare, search

TUNERS = {
    "grid": Grid(), "random": Random(trials=5), "bayesian": Bayesian(trials=5, initial=2), "hyperband": Hyperband(factor=3),
}  # fmt: skip
KINDS = {"grid": 5, "random": 8, "bayesian": 8, "hyperband": 8}  # points of the space
RATES = (0.01, 0.011, 0.012, 0.013, 0.014, 0.015, 0.016, 0.017)
PATHS = ("population", "fit")
FAULTS = {
    "nan": ("diverged", "Diverged: loss was nan"),
    "infinity": ("diverged", "Diverged: loss was"),
    "3e38 as weights": ("diverged", "Diverged: loss was"),
    "1e300 as learning rate": ("diverged", "Diverged: loss was"),
    "an exception in the builder": ("error", "ValueError: kind {kind} is none of mine"),
    "an exception as training begins": ("error", "ValueError: no weights are drawn here"),
    "an exception in a step": ("error", "no step is taken here"),
    "too many parameters": ("parameters", "TooManyParameters: 161 parameters, allowed are 1 to 100"),
}
WEIGHTS = {"nan": math.nan, "infinity": math.inf, "3e38 as weights": 3e38}


@keras.saving.register_keras_serializable("test_bad_trials")
class Undrawable(keras.initializers.Initializer):
    """Makes weights when a model is built, but none when they are drawn anew for a training."""

    def __init__(self, is_again=False):
        self.is_again = is_again

    def __call__(self, shape, dtype=None):
        if self.is_again:
            raise ValueError("no weights are drawn here")
        return keras.ops.zeros(shape, dtype)

    def get_config(self):
        return {"is_again": True}


@keras.saving.register_keras_serializable("test_bad_trials")
class Unsteppable(keras.layers.Layer):
    """Passes items on, except in training."""

    def call(self, items, training=False):
        if training:
            raise ValueError("no step is taken here")
        return items


def breaking(*, input_shape, outputs, kind=0, bad=None, fault=None):
    """A chain of dense layers, which is as the fault says where the kind is the bad one."""
    fault = fault if kind == bad else None
    if fault == "an exception in the builder":
        raise ValueError(f"kind {kind} is none of mine")
    drawn = "glorot_uniform"
    if fault in WEIGHTS:
        drawn = keras.initializers.Constant(WEIGHTS[fault])
    if fault == "an exception as training begins":
        drawn = Undrawable()
    inputs = keras.Input(input_shape)
    width = 40 if fault == "too many parameters" else 3
    items = keras.layers.Dense(width, kernel_initializer=drawn)(inputs)
    if fault == "an exception in a step":
        items = Unsteppable()(items)
    return keras.Model(inputs, keras.layers.Dense(outputs)(items))


def searched(folder, tuner, path, fault=None, bad=None):
    """(best trial, all trials) of a search in which one point may be bad."""
    points = range(KINDS[tuner])
    settings = dict(kind=Choice(*points), learning_rate=RATES[0])
    if fault == "1e300 as learning rate":  # the places in the space stay the same
        settings = dict(kind=0, learning_rate=Choice(*(1e300 if point == bad else RATES[point] for point in points)))
    elif bad is not None:
        settings.update(bad=bad, fault=fault)
    study = study_of(TUNERS[tuner], model=breaking, together=path == "population", parameters=(1, 100),
                     settings=dict(settings, optimizer="sgd", batch_size=8, epochs=3))  # fmt: skip
    setup = begun(folder, study, LINES)
    with closing(setup.run.store()) as store:
        return search(setup, store, prepare(setup)), store.trials(), [*texts_of(store)]


def texts_of(store):
    """Every text in the state that holds JSON."""
    for table, column in (("trials", "proposed"), ("executions", "metrics"), ("epochs", "metrics")):
        yield from [text for (text,) in store.database.ask(f"SELECT {column} FROM {table}")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The trials of a search without a bad one; with rates in place of kinds they have other scores."""
    return functools.cache(lambda tuner, path: searched(tmp_path_factory.mktemp("whole"), tuner, path)[1])


def point_of(trial, fault=None, bad=None):
    """Which point of the space a trial is, however it is written."""
    if fault != "1e300 as learning rate":
        return trial.proposed["kind"]
    rate = trial.proposed["learning_rate"]
    return bad if rate == 1e300 else RATES.index(rate)


def rung_of(trial):
    return trial.proposed.get("tuner/bracket"), trial.proposed.get("tuner/round"), trial.proposed.get("tuner/epochs")


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def check(tuner, path, fault, at, whole, folder):
    """A search with that fault at the trial of that number, beside one without."""
    good = whole(tuner, path)
    number = {"first": 0, "middle": len(good) // 2, "last": len(good) - 1}[at]
    bad = point_of(good[number])
    if fault == "an exception in the builder" and bad == 0:
        with pytest.raises(UsageError, match="cannot be built .* with the first settings .*kind 0 is none of mine"):
            searched(folder, tuner, path, fault, bad)
        return
    best, trials, texts = searched(folder, tuner, path, fault, bad)
    for text in texts:
        json.loads(text, parse_constant=refuse)
    failed = [trial for trial in trials if trial.status != "completed"]
    if fault == "too many parameters" and tuner == "grid":  # left out before it is tried
        assert not failed and {point_of(trial) for trial in trials} == {point_of(trial) for trial in good} - {bad}
        return
    reason, message = FAULTS[fault]
    (one,) = failed
    assert (one.status, one.reason, point_of(one, fault, bad)) == ("failed", reason, bad), one
    assert message.format(kind=bad) in one.message and one.score is None
    assert best.status == "completed" and best.score == min(trial.score for trial in trials if trial is not one)
    assert all(math.isfinite(trial.score) for trial in trials if trial is not one)
    assert Counter(rung_of(trial) for trial in trials if trial is not one) == Counter(map(rung_of, good)) - (
        Counter() if tuner == "hyperband" else Counter([rung_of(one)]))  # whose brackets are filled again  # fmt: skip
    if fault == "1e300 as learning rate":
        return  # the others have rates of their own
    same = [(trial, other) for trial, other in zip(trials, good)
            if trial is not one and point_of(trial) == point_of(other) and rung_of(trial) == rung_of(other)]  # fmt: skip
    for trial, other in same:
        exact = path == "fit" and trial.number < one.number
        assert trial.score == (other.score if exact else pytest.approx(other.score, rel=1e-5)), trial.number
    numbers = {trial.number for trial, _ in same}
    must = {"grid": {*range(len(good))} - {one.number}, "random": {*range(len(good))} - {one.number}}
    assert must.get(tuner, {*range(one.number)}) <= numbers


QUICK = [
    *((tuner, "population", "nan", "middle") for tuner in TUNERS),
    *((tuner, "population", "an exception in the builder", "last") for tuner in TUNERS),
    *((tuner, "population", "an exception as training begins", "first") for tuner in TUNERS),
]
ALL = [case for case in itertools.product(TUNERS, PATHS, FAULTS, ("first", "middle", "last"))
       if case[1:3] != ("population", "an exception in a step")]  # fmt: skip


@pytest.mark.parametrize("tuner, path, fault, at", QUICK)
def test_a_bad_trial_is_recorded_with_its_reason_and_the_rest_is_unharmed(tuner, path, fault, at, whole, tmp_path):
    check(tuner, path, fault, at, whole, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("tuner, path", [*itertools.product(TUNERS, PATHS)])
def test_bad_trials_of_every_kind_at_every_place_leave_the_rest_unharmed(tuner, path, whole, tmp_path, counted):
    cases = [case for case in ALL if case[:2] == (tuner, path)]
    for number, (_, _, fault, at) in enumerate(cases):
        try:
            check(tuner, path, fault, at, whole, tmp_path / str(number))
        except Exception as error:
            raise AssertionError(f"{fault}, {at} trial") from error
    counted(f"a bad trial, {tuner}, {path}", len(cases), "recorded with its reason, never best, the others unharmed")


OWN = '''"""Good and bad settings."""

import keras

from kerashw.space import Choice, Grid
from kerashw.study import Study

WEIGHTS = {"nan": float("nan"), "infinity": float("inf"), "huge": 3e38}


def mixed(*, input_shape, outputs, kind="good"):
    if kind == "error":
        raise ValueError("NaN, Infinity and -Infinity are none of mine")
    drawn = keras.initializers.Constant(WEIGHTS[kind]) if kind in WEIGHTS else "glorot_uniform"
    inputs = keras.Input(input_shape)
    items = keras.layers.Dense(40 if kind == "wide" else 3, kernel_initializer=drawn)(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs)(items))


STUDY = Study(data="points", model=mixed, search=Grid(), together=TOGETHER, parameters=(1, 100), settings=dict(
    kind=Choice("good", "nan", "infinity", "huge", "error", "wide"), learning_rate=Choice(0.01, 1e300),
    optimizer="sgd", batch_size=8, epochs=2))
'''


def command(folder):
    return ["--task", str(folder / "own.py"), "--data-dir", str(folder), "--out", str(folder), "-q"]


@pytest.mark.faults
@pytest.mark.parametrize("path", PATHS)
def test_every_json_of_a_run_with_bad_trials_is_strict(path, tmp_path, capsys, counted):
    (tmp_path / "own.py").write_text(OWN.replace("TOGETHER", str(path == "population")))
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    assert run(tune.main, [*command(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert told["winner"] == {"kind": "good", "learning_rate": 0.01} and told["trials"]["failed"] == 9
    files = sorted((tmp_path / "own").rglob("*.json"))
    assert {"metrics.json", "study.json", "exports.json"} < {file.name for file in files}
    for file in files:
        json.loads(file.read_text(), parse_constant=refuse)
    with closing(Run(tmp_path / "own").store()) as store:
        for text in texts_of(store):
            json.loads(text, parse_constant=refuse)
        reasons = Counter(trial.reason for trial in store.trials())
    assert reasons == {None: 1, "diverged": 7, "error": 2}  # what is too wide is not tried
    counted(f"a run of a command with 9 bad trials, {path}", 1, f"exit 0, strict JSON in {len(files)} files")


@pytest.mark.faults
def test_targets_of_1e300_end_in_one_line_that_names_the_fault(tmp_path, capsys, counted):
    (tmp_path / "own.py").write_text(OWN.replace("TOGETHER", "None"))
    rows = "".join(f"{x},1e300\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    code = run(tune.main, command(tmp_path))
    errors = capsys.readouterr().err.strip().splitlines()
    assert code in (2, 3) and errors[-1].startswith("kerashw: "), errors
    counted("targets of 1e300", 1, f"one line, exit {code}")
