"""Worker processes: what they train, what becomes of one that is killed, and what is left of them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from kerashw.crew import Crew
from kerashw.job import Common, Job, work
from kerashw.training import Task
from kerashw.workers import Workers
from tuning.studies import find

STUDY = '''
"""A study of one's own."""

from kerashw.models import mlp
from kerashw.space import Random, Real
from kerashw.study import Study

WIDTH = 3


def own(*, input_shape, outputs, slope=1.0):
    return mlp(input_shape=input_shape, outputs=outputs, hidden=(WIDTH,))


STUDY = Study(data="points", model=own, search=Random(trials=2), settings=dict(learning_rate=Real(0.01, 0.1)))
'''
JOB = Job(dict(learning_rate=0.05, batch_size=8), fold=0, seed=3, epochs=3)


def at(common, job):
    """What these workers do: tell who they are, tell so in a file and be long about it, or train."""
    if isinstance(job.settings, Path):
        job.settings.write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(600)
    return os.getpid() if job.settings == "who" else work(common, job)


def wait_for(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def common(tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "own_study.py"
    file.write_text(STUDY, encoding="utf-8")
    _, study, _ = find(str(file))
    x = np.linspace(-1, 1, 24, dtype="float32")[:, None]
    task = Task(x, x**2, outputs=1, is_classification=False)
    indices = np.arange(24)
    return Common(study.model, task, [(indices[6:], indices[:6])], "val_mse", "best", parameters=(1, 20), keep_last=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def workers(common, folder):
    with Workers(2, common, folder / ".common.1", do=at) as workers:
        yield workers


def test_a_worker_trains_as_this_process_does(workers, common):
    workers.submit("one", JOB)
    name, outcome = workers.next()
    expected = work(common, JOB)
    assert name == "one"
    assert outcome.parameters == expected.parameters == 10
    assert outcome.trained.model is None
    np.testing.assert_allclose(outcome.trained.history["val_mse"], expected.trained.history["val_mse"], rtol=1e-5)
    for mine, theirs in zip(outcome.trained.last, expected.trained.last, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_what_fails_in_a_worker_is_told_in_full(workers):
    workers.submit("bad", Job(dict(slope="none", learning_rate="fast"), fold=0, seed=1, epochs=1))
    _, outcome = workers.next()
    assert outcome.failure.reason == "error"
    assert "fast" in outcome.failure.message
    assert "Traceback" in outcome.failure.trace


def test_a_worker_is_kept_from_job_to_job(workers):
    seen = set()
    for number in range(4):
        workers.submit(number, Job("who", fold=0, seed=0))
        seen.add(workers.next()[1])
    assert len(seen) == 1
    assert workers.free() == 2


def test_one_that_is_killed_takes_no_more_than_its_own_job_with_it(workers, tmp_path):
    workers.submit("killed", Job(tmp_path / "pid", fold=0, seed=0))
    workers.submit("spared", JOB)
    assert workers.free() == 0
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    told = dict([workers.next(), workers.next()])
    assert told["killed"] is None
    assert told["spared"].trained is not None
    workers.submit("again", JOB)
    assert workers.next()[1].trained is not None


@pytest.mark.slow
def test_one_that_is_killed_while_idle_is_replaced(workers):
    workers.submit("who", Job("who", fold=0, seed=0))
    _, pid = workers.next()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_there(pid))
    outcomes = []
    for _ in range(2):  # whether its death is noticed before it is given the job, or after
        workers.submit("next", JOB)
        outcomes.append(workers.next()[1])
    assert outcomes[-1].trained is not None


def test_nothing_of_workers_is_left(common, tmp_path):
    with Crew(workers=2).hired(common, tmp_path) as workers:
        workers.submit("one", JOB)
        assert [path.name for path in tmp_path.iterdir()] == [f".common.{os.getpid()}"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_workers_end_whatever_they_are_at(common, tmp_path):
    with Workers(1, common, tmp_path / ".common.1", do=at) as workers:
        workers.submit("long", Job(tmp_path / "pid", fold=0, seed=0))
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    wait_for(lambda: not is_there(int((tmp_path / "pid").read_text())))


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
