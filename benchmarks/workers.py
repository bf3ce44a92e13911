"""Trials in flight: several workers against one with all processors, and what handing out trials costs by itself."""

import contextlib
import math
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.processes import as_kerashw, process
from benchmarks.rows import Row, Target

SLEEP = 0.05  # seconds that a trial takes which trains nothing
NODES, CPUS = 4, 8  # of the simulated cluster
NOISE = 1.2  # how much dearer late trials may seem
IDLE_SHARE = 5  # percent of a core that waiting for the last trial may take


def measure(asked):
    """A real search, then the coordinator alone: by Ray, in this process, and while it waits."""
    yield _of_mnist(asked)
    timed = []
    for _ in range(asked.of(smoke=1, quick=3, full=7)):  # a process each, as Ray keeps the token of the first cluster
        with process(as_kerashw) as answer:
            timed.append(answer("workers:handed_out", asked.of(smoke=64, quick=1000, full=1000)))
    seconds, ideal = statistics.median(seconds for seconds, _ in timed), timed[0][1]
    yield Row(
        what=f"{ideal * NODES * CPUS / SLEEP:,.0f} trials of {1000 * SLEEP:.0f} ms, {NODES * CPUS} workers by Ray",
        ours=seconds, peer=ideal, peer_name="without any cost", target=Target("ratio", ">=", 0.8),
        note=f"{NODES} simulated nodes on this machine; the workers had been started; median of {len(timed)}",
    )  # fmt: skip
    few, many = asked.of(smoke=(20, 40), quick=(100, 5000), full=(100, 5000))
    with process(as_kerashw) as answer:
        costs = [(answer("workers:cost", few), answer("workers:cost", many, many // 10)) for _ in range(5)]
    early, late = map(min, zip(*costs))  # what else the machine does can but add to them
    yield Row(
        what=f"what a trial in flight costs by itself, the last tenth of {many:,}", ours=1000 * late, unit="ms",
        peer=1000 * early, peer_name=f"of a search of {few}", target=Target("ratio", ">=", round(1 / NOISE, 2)),
        note="seconds of this process's CPU; the least of 5 searches each, in turn",
    )  # fmt: skip
    for name in ("processes", "Ray"):
        with process(as_kerashw) as answer:
            share = answer("workers:waiting", name, asked.of(smoke=2, quick=10, full=30))
        yield Row(
            what=f"waiting for the last trial, 2 workers by {name}", ours=100 * share, unit="% of a core",
            target=Target("ours", "<=", IDLE_SHARE),
        )  # fmt: skip


def _of_mnist(asked):
    trials = asked.of(smoke=2, quick=24, full=24)
    words = ["--tuner", "random", "--prune", "none", "--trials", trials, "--epochs", asked.of(smoke=1, quick=3, full=5),
             "--samples", asked.of(smoke=200, quick=12_000, full=60_000)]  # fmt: skip
    minutes = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            done = runs.tune(asked, "mnist", *words, "--workers", workers, out=folder)
            minutes[workers] = done.run.metrics()["seconds"]["search"] / 60
    return Row(
        what="mnist: trials per minute of 2 workers, one thread each", ours=trials / minutes[2], unit="",
        peer=trials / minutes[1], peer_name="1 worker, 2 threads", more_is_better=True,
        target=Target("ratio", ">=", 1.3),
        note=f"{trials} random trials, {60 * minutes[1]:.0f} s by one; the start of the workers is within",
    )  # fmt: skip


def handed_out(trials):
    """(seconds of a search by Ray, seconds that its trials would take without any cost)."""
    with _nodes(NODES, CPUS) as address, _searching(trials) as (setup, flight):
        from kerashw.cluster import Cluster

        with Cluster(address, setup.common, bundled=True, do=slept, begin=nothing) as workers:
            _warm(workers, NODES * CPUS)
            began = time.perf_counter()
            flight(workers)
            return time.perf_counter() - began, SLEEP * trials / NODES / CPUS


def cost(trials, last=None):
    """CPU seconds of a trial, of which nothing but its settings is known; averaged over all trials, or the last."""
    ended = [time.process_time()]

    class Here:
        """A worker that is at once done."""

        def __init__(self):
            self.waiting = []

        def free(self):
            return 1 - len(self.waiting)

        def submit(self, name, job):
            self.waiting.append((name, job))

        def next(self):
            name, job = self.waiting.pop()
            ended.append(time.process_time())
            return name, outcome(job)

    with _searching(trials) as (_, flight):
        flight(Here())
    last = last or trials
    return (ended[-1] - ended[-last]) / (last - 1)


def waiting(kind, seconds):
    """The share of a core that a search takes while one of its two workers is at the last trial, for so long."""
    from kerashw.workers import Workers

    shares = []

    def watched(workers):
        def next():
            began, before = time.perf_counter(), time.process_time()
            ended = type(workers).next(workers)
            shares.append((time.process_time() - before) / (time.perf_counter() - began))
            return ended

        workers.next = next
        return workers

    with contextlib.ExitStack() as opened:
        setup, flight = opened.enter_context(_searching(2, seconds))
        if kind == "Ray":
            from kerashw.cluster import Cluster

            hired = Cluster(opened.enter_context(_nodes(1, 2)), setup.common, do=slept, begin=nothing)
        else:
            hired = Workers(2, setup.common, setup.run.folder / ".common", do=slept, begin=nothing)
        workers = opened.enter_context(hired)
        _warm(workers, 2)
        flight(watched(workers))
    return shares[-1]


def nothing():
    """What a worker that trains nothing needs of TensorFlow."""


def slept(common, job):
    """What came of a training that trains nothing; for no job the process that would have done it, after a while."""
    if job is None:
        time.sleep(20 * SLEEP)
        return os.getpid()
    time.sleep(job.settings["epochs"] * SLEEP)
    return outcome(job)


def outcome(job):
    """A score that depends on the learning rate alone."""
    from kerashw.job import Outcome
    from kerashw.training import Trained

    error = abs(math.log(job.settings["learning_rate"]) + 4)
    return Outcome(Trained(None, {"epoch": [1], "val_mse": [error]}, best_epoch=1, seconds=SLEEP), None, SLEEP)


@contextlib.contextmanager
def _searching(trials, seconds=SLEEP):
    """(setup, function that does the search with workers): so many trials, of which the last takes so many seconds."""
    from kerashw.datasets import Dataset
    from kerashw.models import linear
    from kerashw.progress import Progress
    from kerashw.run import Run
    from kerashw.space import Choice, Grid, Random, Real
    from kerashw.study import Study
    from tuning.flight import Flight
    from tuning.pipeline import make_setup
    from tuning.search import prepare

    x = np.arange(4, dtype="float32")[:, None]
    long = round(seconds / SLEEP)
    if long == 1:
        space, search = dict(epochs=1, learning_rate=Real(1e-4, 1e-1, log=True)), Random(trials=trials)
    else:
        space, search = dict(epochs=Choice(1, long), learning_rate=0.01), Grid()
    study = Study(data="points", model=linear, search=search, together=False, settings=dict(space, batch_size=4))
    with tempfile.TemporaryDirectory() as folder:
        points = Dataset("points", x, x, x, x, classes=(), source="made")
        setup = make_setup(study, points, Run(Path(folder)), seed=0, progress=Progress("", quiet=True))
        with contextlib.closing(setup.run.store()) as store:
            oracle = prepare(setup)
            yield setup, lambda workers: Flight(setup, store, oracle, workers).search()


@contextlib.contextmanager
def _nodes(count, cpus):
    """The address of a simulated Ray cluster."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # its workers do not find the benchmarks
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(16), PYTHONPATH=str(runs.CHECKOUT))
    from ray.cluster_utils import Cluster

    simulated = Cluster(initialize_head=True, head_node_args=dict(num_cpus=0))
    try:
        for _ in range(count):
            simulated.add_node(num_cpus=cpus)
        yield simulated.address
    finally:
        simulated.shutdown()


def _warm(workers, count):
    """So many workers have started: each has done a job."""
    told = set()
    while len(told) < count:
        for name in range(count):
            workers.submit(name, None)
        told.update(workers.next()[1] for _ in range(count))
