"""Groups of small models and workers: the same results, and workers only where they were measured to be faster."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

import kerashw.spread
from kerashw import models
from kerashw.job import Common, Failure
from kerashw.population import Member, train_in_groups
from kerashw.spread import AGAIN, Spread, train_group
from kerashw.training import Diverged, Task, Trained
from kerashw.workers import Workers

TRAIN, HELD = np.arange(0, 20, dtype="int32"), np.arange(20, 30, dtype="int32")
WIDTHS = range(1, 7)  # so many groups: one for each structure


@pytest.fixture(scope="module")
def task():
    x = np.linspace(-1, 1, 30, dtype="float32")[:, None]
    return Task(x, x**2, outputs=1, is_classification=False)


@pytest.fixture(scope="module")
def common(task):
    return Common(models.mlp, task, [(TRAIN, HELD)], "val_mse", "best", parameters=None, keep_last=False)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """One group here is enough of a first chunk, and no work is too little to try workers."""
    monkeypatch.setattr("kerashw.spread.processors", lambda: 1)
    monkeypatch.setattr("kerashw.population.processors", lambda: 1)
    monkeypatch.setattr("kerashw.spread.WORTH", 0.0)


class Fakes:
    """Workers that are this very process, by a clock that runs so much faster; some jobs end them."""

    def __init__(self, common, count=2, pace=1.0, deadly=()):
        self.common, self.count, self.pace, self.deadly = common, count, pace, deadly
        self.waiting, self.done = [], []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.waiting.clear()
        self.count = 0

    def free(self):
        return self.count - len(self.waiting)

    def submit(self, name, job):
        self.waiting.append((name, job))

    def next(self):
        name, job = self.waiting.pop(0)
        width = job.members[0].settings["hidden"][0]
        self.done.append(width)
        if width in self.deadly:
            return name, None
        results = train_group(self.common, job)
        if isinstance(results, Failure):
            return name, results
        return name, [replace(one, seconds=one.seconds * self.pace) if isinstance(one, Trained) else one
                      for one in results]  # fmt: skip


def members(**settings):
    return [Member(dict(hidden=(width,), learning_rate=0.05, batch_size=8, epochs=4, **settings), TRAIN, HELD, seed=width)
            for width in WIDTHS]  # fmt: skip


def trained(task, spread=None, some=None, **how):
    """{place: result} of all members."""
    told = {}
    for places, results in train_in_groups(models.mlp, some or members(), task, spread=spread, **how):
        failed = isinstance(results, (Exception, Failure))
        told.update(zip(places, [results] * len(places) if failed else results))
    return told


def assert_same(some, others):
    assert some.keys() == others.keys()
    for place, one in some.items():
        assert one.best_epoch == others[place].best_epoch
        for name, values in one.history.items():
            np.testing.assert_allclose(values, others[place].history[name], rtol=1e-5)


@pytest.mark.parametrize("pace, pays, end", [(1e-6, True, "they go on"), (1e6, False, "they are let go")])
def test_workers_go_on_only_where_they_were_faster(task, common, pace, pays, end):
    workers, said = Fakes(common, pace=pace), []
    with Spread(lambda: workers, said.append) as spread:
        results = trained(task, spread)
        assert spread.pays is pays
        assert_same(results, trained(task))
    (line,) = said
    assert "2 workers" in line and line.endswith(f"{end}.")
    # The first chunk is done here: a group for the thread, and the one that waits for it.
    assert len(workers.done) == len(WIDTHS) - 2 if pays else len(workers.done) in (2, 3)
    assert workers.count == 0


def test_what_was_measured_holds_for_the_whole_search(task, common):
    workers, said = Fakes(common, pace=1e-6), []
    with Spread(lambda: workers, said.append) as spread:
        trained(task, spread)
        before = len(workers.done)
        trained(task, spread)
        assert len(workers.done) == before + len(WIDTHS)
        trained(task, spread, members()[:1])  # one group is sooner done than sent
        assert len(workers.done) == before + len(WIDTHS)
    assert len(said) == 1


def test_little_work_hires_nobody(task, monkeypatch):
    monkeypatch.setattr(kerashw.spread, "WORTH", 3600.0)
    with Spread(lambda: pytest.fail("hired")) as spread:
        assert len(trained(task, spread)) == len(WIDTHS)
    assert spread.pays is None


def test_a_group_whose_worker_dies_is_trained_again_and_given_up_in_the_end(task, common):
    workers = Fakes(common, pace=1e-6, deadly={5})
    with Spread(lambda: workers, print) as spread:
        results = trained(task, spread)
    assert workers.done.count(5) == AGAIN + 1
    failed = results.pop(4)
    assert (failed.reason, failed.message) == ("killed", f"ended the worker that trained it {AGAIN + 1} times")
    assert all(isinstance(one, Trained) for one in results.values())


def test_what_fails_in_a_worker_fails_its_group_alone(task, common):
    some = members()
    some[4] = replace(some[4], start=[np.zeros(1)])  # a state of nothing
    some[5] = replace(some[5], settings={**some[5].settings, "optimizer": "sgd", "learning_rate": 1e20})
    with Spread(lambda: Fakes(common, pace=1e-6), print) as spread:
        results = trained(task, spread, some)
    assert results[4].reason == "error" and "Traceback" in results[4].trace
    assert isinstance(results[5], Diverged)
    assert all(isinstance(results[place], Trained) for place in range(4))


def test_a_search_that_is_given_up_lets_busy_workers_go(task, common):
    hired = []

    def hire():
        hired.append(Fakes(common, pace=1e-6))
        return hired[-1]

    with Spread(hire, print) as spread:
        with contextlib.closing(train_in_groups(models.mlp, members(), task, spread=spread)) as groups:
            while not (hired and hired[0].waiting):
                next(groups)
        assert hired[0].count == 0
        assert_same(trained(task, spread), trained(task))
    assert len(hired) == 2


def test_epochs_of_workers_are_told_and_their_seconds_shared_out(task, common):
    told = []
    with Spread(lambda: Fakes(common, count=1, pace=0.0), print) as spread:
        results = trained(task, spread, report=told.append)
    assert sum(told) == sum(len(one.history["epoch"]) for one in results.values())
    assert [one.seconds for one in results.values()].count(0.0) == len(WIDTHS) - 2


@pytest.mark.slow
def test_processes_train_groups_as_this_process_does(task, common, tmp_path):
    lines = []
    with Spread(lambda: Workers(1, common, tmp_path / ".common", do=train_group), lines.append) as spread:
        assert_same(trained(task, spread), trained(task))
        assert spread.pays is not None
    assert len(lines) == 1 and list(tmp_path.iterdir()) == []
