"""Several trials in flight: what is tried, what becomes of it, and how it goes on after an interruption."""

import contextlib
import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerashw.job import Failure, Outcome, work
from kerashw.models import mlp
from kerashw.pages.search import side_by_side
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Int, Random, Real
from kerashw.store import Store
from kerashw.study import Study
from kerashw.training import Task, Trained
from tuning import trials as trials_module
from tuning.flight import AGAIN, Flight
from tuning.pipeline import leaderboard, searched_values
from tuning.search import prepare, search
from tuning.setup import Setup
from tuning.standing import Budget

SPACE = dict(learning_rate=Choice(*np.geomspace(1e-3, 0.3, 12).tolist()), hidden=(Choice(2, 3),), batch_size=8, epochs=2)
TUNERS = {
    "random": Random(trials=6),
    "grid": Grid(trials=6),
    "bayesian": Bayesian(trials=12, initial=4),
    "coarse": Bayesian(trials=12, coarse=2),
    "hyperband": Hyperband(),
}
REAL = dict(SPACE, learning_rate=Real(1e-3, 0.3, log=True), batch_size=Int(4, 12))


def reckoned(common, job):
    """A training that is over at once: how good it is follows from the learning rate and the seed."""
    epochs = list(range(job.initial_epoch + 1, (job.epochs or job.settings["epochs"]) + 1))
    error = abs(np.log(job.settings["learning_rate"] / 0.03)) + job.seed % 100 / 1000
    history = {"epoch": epochs, "val_mse": [error + 1 / epoch for epoch in epochs]}
    last = [np.zeros(1)] if common.keep_last else None
    return Outcome(Trained(None, history, epochs[-1], 0.0, last), None, seconds=0.0)


class Hands:
    """So many workers that are this very process: which of them is ready first is drawn."""

    def __init__(self, common, count=3, seed=0, do=reckoned):
        self.common, self.count, self.do, self.waiting = common, count, do, {}
        self.chance = random.Random(seed)
        self.most = 0

    def free(self):
        return self.count - len(self.waiting)

    def submit(self, name, job):
        self.waiting[name] = job
        self.most = max(self.most, len(self.waiting))

    def next(self):
        name = self.chance.choice(sorted(self.waiting))
        return name, self.do(self.common, self.waiting.pop(name))


def setup(folder, tuner, **fields):
    x = np.linspace(-1, 1, 24, dtype="float32")[:, None]
    task = Task(x, x**2, outputs=1, is_classification=False)
    settings = {**(REAL if tuner in ("bayesian", "coarse") else SPACE), "epochs": 9 if tuner == "hyperband" else 2}
    study = Study(data="points", model=mlp, settings=settings, search=TUNERS[tuner], together=False, **fields)
    indices = np.arange(24, dtype="int32")
    folds = max(study.folds, 1)
    splits = [(np.delete(indices, indices[fold::4]), indices[fold::4]) for fold in range(folds)]
    folder.mkdir(exist_ok=True)
    return Setup(study, task, splits, seed=3, run=Run(folder), progress=Progress("", quiet=True))


def flown(one, hands, budget=Budget()):
    """All trials after a search in flight, and the best of them."""
    with contextlib.closing(Store(one.run.store_file)) as store:
        best = Flight(one, store, prepare(one), hands, budget).search()
        return store.trials(), best, store.turns()


def walked(one):
    """The same of a search by one process."""
    with contextlib.closing(Store(one.run.store_file)) as store:
        best = search(one, store, prepare(one))
        return store.trials(), best


def rows(one, trials):
    """trials.csv without the seconds."""
    header, table = leaderboard(
        trials, lambda trial: searched_values(one, trial), settings=one.study.searched, objectives=["val_mse"],
        folds=len(one.splits), executions=1,
    )  # fmt: skip
    assert header[-1] == "seconds"
    return [row[:-1] for row in table]


@pytest.mark.parametrize("tuner", ["random", pytest.param("grid", marks=pytest.mark.slow)])
def test_trials_in_flight_are_those_of_one_process(tmp_path, tuner):
    alone, one = setup(tmp_path / "alone", tuner, folds=2), setup(tmp_path / "flown", tuner, folds=2)
    expected, winner = walked(alone)
    trials, best, turns = flown(one, Hands(one.common, do=work))
    assert rows(one, trials) == rows(alone, expected)
    assert best.number == winner.number
    told = [number for kind, number in turns if kind == "told"]
    assert told != sorted(told)  # or nothing was out of turn
    assert side_by_side(turns).text.endswith(f"{', '.join(map(str, told))}.")


@pytest.mark.parametrize("tuner", TUNERS)
def test_one_worker_in_flight_gives_the_sequence_of_one_process(tmp_path, tuner, monkeypatch):
    alone, one = setup(tmp_path / "alone", tuner), setup(tmp_path / "flown", tuner)
    monkeypatch.setattr(trials_module, "work", lambda common, job, callbacks: reckoned(common, job))
    expected, _ = walked(alone)
    trials, _, _ = flown(one, Hands(one.common, count=1))
    *same, parameters = zip(*rows(one, trials))
    assert same == list(zip(*rows(alone, expected)))[:-1]
    assert set(parameters) == {None}  # nobody has built the models


@pytest.mark.parametrize("tuner", TUNERS)
def test_every_trial_ends_once_and_none_comes_twice(tmp_path, tuner):
    one = setup(tmp_path, tuner)
    trials, _, turns = flown(one, Hands(one.common))
    assert all(trial.status == "completed" for trial in trials)
    assert sorted(turns) == sorted((kind, trial.number) for trial in trials for kind in ("asked", "told"))
    points = [tuple(sorted((name, value) for name, value in trial.proposed.items() if name != "tuner/trial_id"))
              for trial in trials]  # fmt: skip
    assert len(set(points)) == len(points)


@pytest.mark.parametrize("tuner", TUNERS)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_flight_that_was_broken_off_goes_on(tmp_path, tuner, seed):
    class Broken(Exception):
        pass

    def broken_at(count):
        left = itertools.count(count, -1)

        def do(common, job):
            if next(left) == 0:
                raise Broken
            return reckoned(common, job)

        return do

    one = setup(tmp_path, tuner)
    for count in (2, 3):
        with pytest.raises(Broken):
            flown(one, Hands(one.common, seed=seed, do=broken_at(count)))
    with contextlib.closing(Store(one.run.store_file)) as store:
        before = {trial.number: trial for trial in store.trials()}
    assert {trial.status for trial in before.values()} == {"completed", "running"}
    trials, _, turns = flown(one, Hands(one.common, seed=seed))
    assert all(trial.status == "completed" for trial in trials)
    assert all(trial.proposed == before[trial.number].proposed for trial in trials if trial.number in before)
    ended = {number: trial for number, trial in before.items() if trial.status != "running"}
    assert {trial.number: trial for trial in trials if trial.number in ended} == ended
    assert sorted(turns) == sorted((kind, trial.number) for trial in trials for kind in ("asked", "told"))


@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_what_one_process_began_several_workers_end(tmp_path, tuner, monkeypatch):
    class Broken(Exception):
        pass

    class Breaks(Progress):
        def trial_ended(self, trial, best):
            if trial.number == 3:
                raise Broken

    monkeypatch.setattr(trials_module, "work", lambda common, job, callbacks: reckoned(common, job))
    expected, _ = walked(alone := setup(tmp_path / "alone", tuner))
    one = setup(tmp_path / "both", tuner)
    with pytest.raises(Broken):
        walked(Setup(one.study, one.task, one.splits, one.seed, one.run, Breaks("", quiet=True)))
    trials, _, _ = flown(one, Hands(one.common))
    same = [[row[column] for column in (0, 1, 2, 4)] for row in rows(one, trials)[:4]]
    assert same == [[row[column] for column in (0, 1, 2, 4)] for row in rows(alone, expected)[:4]]
    assert len(trials) == len(expected)
    assert all(trial.status == "completed" for trial in trials)


def test_a_promotion_that_failed_in_one_process_is_no_obstacle_to_several_workers(tmp_path, monkeypatch):
    class Broken(Exception):
        pass

    class Breaks(Progress):
        failed = after = 0

        def trial_ended(self, trial, best):
            self.failed += trial.status == "failed"
            self.after += self.failed > 0
            if self.after == 4:
                raise Broken

    def failing(common, job, callbacks=()):
        fails = job.initial_epoch and job.seed % 2
        return Outcome(None, Failure("diverged", "loss was nan"), seconds=0.0) if fails else reckoned(common, job)

    monkeypatch.setattr(trials_module, "work", failing)
    one = setup(tmp_path, "hyperband")
    with pytest.raises(Broken):
        walked(Setup(one.study, one.task, one.splits, one.seed, one.run, Breaks("", quiet=True)))

    def broken(common, job, left=itertools.count(3, -1)):
        if next(left) == 0:
            raise Broken
        return failing(common, job)

    with pytest.raises(Broken):
        flown(one, Hands(one.common, do=broken))
    trials, _, _ = flown(one, Hands(one.common, do=failing))
    assert {trial.status for trial in trials} == {"completed", "failed"}


def test_what_shared_loops_began_is_trained_by_fit_again_where_workers_go_on(tmp_path):
    class Broken(Exception):
        pass

    class Breaks(Progress):
        ended = 0

        def trial_ended(self, trial, best):
            self.ended += 1
            if self.ended == 9:  # the last of the first round
                raise Broken

    one = setup(tmp_path, "hyperband")
    small = replace(one.study, together=True)
    with pytest.raises(Broken):
        walked(Setup(small, one.task, one.splits, one.seed, one.run, Breaks("", quiet=True)))
    trials, _, _ = flown(one, Hands(one.common, do=work))
    promoted = [trial for trial in trials if "tuner/trial_id" in trial.proposed]
    assert promoted and {trial.status for trial in promoted} == {"completed"}


def test_a_slow_trial_holds_nobody_up(tmp_path):
    class Slow(Hands):
        def next(self):
            name = min(self.waiting, key=lambda name: (name == 0, name))
            return name, self.do(self.common, self.waiting.pop(name))

    for tuner in TUNERS:
        one = setup(tmp_path / tuner, tuner)
        hands = Slow(one.common)
        trials, _, turns = flown(one, hands)
        told = [number for kind, number in turns if kind == "told"]
        if tuner != "hyperband":  # whose last rounds need the first
            assert told[-1] == 0
        assert told.index(0) > len(trials) // 2
        assert hands.most == 3


def test_hyperband_begins_the_next_bracket_while_a_round_is_running(tmp_path):
    one = setup(tmp_path, "hyperband")
    asked = {}
    for count in (1, 15):
        hands = Hands(one.common, count=count)
        trials, _, turns = flown(one if count == 1 else setup(tmp_path / "many", "hyperband"), hands)
        promoted = {trial.number for trial in trials if trial.proposed.get("tuner/trial_id")}
        asked[count] = [number in promoted for kind, number in turns if kind == "asked"]
    assert hands.most == 15
    assert not any(asked[15][:15])
    assert any(asked[1][:15])  # one worker has promoted some by then


def test_points_in_flight_are_taken_into_account(tmp_path):
    """Else all that are asked for between two results would be one point and its neighbours."""
    one = setup(tmp_path, "bayesian")
    oracle = prepare(one)
    oracle.in_flight = True
    from tuning.dialogue import ask, tell

    for proposal in ask(oracle, count=4):
        tell(oracle, proposal, float(np.log(proposal.proposed["learning_rate"])) ** 2)
    rates = [proposal.proposed["learning_rate"] for proposal in ask(oracle, count=4)]
    assert np.ptp(np.log(rates)) > 1


def test_a_trial_whose_worker_died_is_run_again_but_not_for_ever(tmp_path):
    deaths = {"of": {}}

    def do(common, job):
        rate = job.settings["learning_rate"]
        deaths["of"][rate] = deaths["of"].get(rate, 0) + 1
        dies = deaths["of"][rate] <= limits.get(rate, 0)
        return None if dies else reckoned(common, job)

    one = setup(tmp_path, "grid")
    rates = list(SPACE["learning_rate"].values)
    limits = {rates[0]: 1, rates[1]: AGAIN + 1}
    trials, _, _ = flown(one, Hands(one.common, do=do))
    failed = [trial for trial in trials if trial.status == "failed"]
    assert {trial.proposed["learning_rate"] for trial in failed} == {rates[1]}
    assert {(trial.reason, trial.message) for trial in failed} == {("killed", "ended the worker that trained it 3 times")}


def test_a_search_of_failures_is_given_up(tmp_path):
    from kerashw.errors import NoTrialSucceeded

    one = setup(tmp_path, "random")
    fails = Outcome(None, Failure("error", "ValueError: no", "trace"), seconds=0.0)
    with pytest.raises(NoTrialSucceeded, match="none of 5 trials.*ValueError: no"):
        flown(one, Hands(one.common, do=lambda common, job: fails))
    with contextlib.closing(Store(one.run.store_file)) as store:
        assert all(trial.status == "failed" for trial in store.trials())


def test_first_trials_that_share_the_value_that_is_to_blame_do_not_end_a_grid(tmp_path):
    one = setup(tmp_path, "grid")
    one = Setup(replace(one.study, settings=dict(SPACE, batch_size=Choice(*range(2, 9))), search=Grid()), one.task, one.splits,
                one.seed, one.run, one.progress)  # fmt: skip
    first = one.study.settings["learning_rate"].values[0]
    fails = Outcome(None, Failure("diverged", "loss was nan"), seconds=0.0)
    trials, best, _ = flown(one, Hands(one.common, do=lambda common, job: (
        fails if job.settings["learning_rate"] == first else reckoned(common, job))))  # fmt: skip
    assert [trial.status for trial in trials] == ["failed"] * 14 + ["completed"] * (11 * 14)
    assert best.proposed["learning_rate"] != first


def test_too_many_parameters_fail_a_trial_elsewhere_as_well(tmp_path):
    one = setup(tmp_path, "random", parameters=(1, 8))
    trials, _, _ = flown(one, Hands(one.common, do=work))
    fates = {(trial.proposed["hidden_1"], trial.status, trial.reason, trial.parameters) for trial in trials}
    assert fates == {(2, "completed", None, 7), (3, "failed", "parameters", 10)}


def test_when_the_time_is_over_what_is_in_flight_ends_early(tmp_path):
    import time

    one = setup(tmp_path, "random")
    asked = []

    def do(common, job):
        asked.append(job.seconds)
        time.sleep(max(0.0, min(job.seconds, 0.2)))
        return reckoned(common, job)

    budget = Budget(end=time.monotonic() + 10.5, total=1.0)
    trials, best, _ = flown(one, Hands(one.common, do=do), budget)
    assert best is not None
    assert len(trials) <= 6
    assert all(trial.status == "completed" for trial in trials)
    assert all(seconds <= 10.5 for seconds in asked)
