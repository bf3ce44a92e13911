"""Searches whose workers, nodes or coordinator are killed at random instants, until so many kills have hit.

    python tests/workers_driver.py FOLDER {processes,ray} {worker,node,coordinator} KILLS SEED

It prints, as JSON, how many were killed, in how many searches of how many trials. Each search is compared with one
that was left alone. The coordinators are forked before TensorFlow has started anything, so a kill costs no import.
"""

import contextlib
import json
import math
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import cloudpickle
import numpy as np

from kerashw.commands import quiet_tensorflow

quiet_tensorflow()

from kerashw.cluster import Cluster  # noqa: E402
from kerashw.datasets import Dataset  # noqa: E402
from kerashw.job import Outcome  # noqa: E402
from kerashw.models import linear  # noqa: E402
from kerashw.progress import Progress  # noqa: E402
from kerashw.run import Run  # noqa: E402
from kerashw.space import Choice, Grid, Random  # noqa: E402
from kerashw.study import Study  # noqa: E402
from kerashw.training import Trained  # noqa: E402
from kerashw.workers import Workers  # noqa: E402
from tuning.flight import AGAIN, Flight  # noqa: E402
from tuning.pipeline import make_setup  # noqa: E402
from tuning.search import prepare  # noqa: E402

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests

X = np.arange(4, dtype="float32")[:, None]
POINTS = Dataset("points", X, X, X, X, classes=(), source="made")
TUNERS = {"grid": Grid, "random": Random}
SLEEP = 0.1  # seconds that a training takes
NODES, CPUS = 2, 2  # of the simulated cluster


def nothing():
    """What a worker that trains nothing needs of TensorFlow."""


def reckoned(common, job):
    """A training that trains nothing: its scores depend on settings, seed and epoch alone."""
    time.sleep(SLEEP)
    scores = [abs(math.log(job.settings["learning_rate"]) + 4) + (job.seed % 1000) / 1000 / epoch for epoch in (1, 2)]
    history = {"epoch": [1, 2], "loss": scores, "val_loss": scores, "val_mse": scores}
    return Outcome(Trained(None, history, best_epoch=2, seconds=SLEEP), None, seconds=SLEEP)


def setup_in(folder, tuner, trials):
    """What a search for the best of so many learning rates needs."""
    rates = Choice(*np.geomspace(1e-4, 1e-1, 2 * trials).tolist())
    study = Study(data="points", model=linear, search=TUNERS[tuner](trials=trials), together=False,
                  settings=dict(learning_rate=rates, batch_size=4, epochs=2))  # fmt: skip
    return make_setup(study, POINTS, Run(folder), seed=0, progress=Progress("", quiet=True))


def flown(folder, tuner, trials, hired):
    """The search is done by whom `hired(common)` gives, from wherever an earlier process was killed."""
    folder.mkdir(exist_ok=True)
    setup = setup_in(folder, tuner, trials)
    with contextlib.closing(setup.run.store()) as store, hired(setup.common) as workers:
        Flight(setup, store, prepare(setup), workers).search()
    return 0


def found(folder):
    """({trial: what came of it}, how often each turn is recorded)."""
    with contextlib.closing(Run(folder).store()) as store:
        return {trial.number: trial for trial in store.trials()}, Counter(store.turns())


def same(folder, expected):
    """Nothing, where every trial ended once, and as in a search that was left alone; else an AssertionError.

    A trial whose workers died again and again is given up, as should be; so few may be.
    """
    trials, turns = found(folder)
    assert list(trials) == list(expected) and set(turns.values()) == {1}, (len(trials), turns.most_common(2))
    assert set(turns) == {(kind, number) for kind in ("asked", "told") for number in expected}
    unlucky = [trial for trial in trials.values() if trial.reason == "killed" and trial.attempts > AGAIN]
    for number, trial in trials.items():
        if trial not in unlucky:
            assert (trial.status, trial.proposed, trial.score) == (
                "completed", expected[number].proposed, expected[number].score), trial  # fmt: skip
    assert len(unlucky) <= 2, unlucky


class Simulated:
    """A Ray cluster of simulated nodes, in a process of its own: it gives an `address`, and kills on demand."""

    def __enter__(self):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=simulate, args=(theirs, self.ours))
        self.process.start()
        self.address = self.ours.recv()
        return self

    def kill(self, what, seed):
        """Whether there was one to kill."""
        self.ours.send((what, seed))
        return self.ours.recv()

    def __exit__(self, *error):
        self.ours.send(None)
        self.process.join()


def simulate(pipe, other_end):
    """The process of the cluster: a head that trains nothing, and the nodes; it ends with the one that asked for it."""
    other_end.close()
    from ray.cluster_utils import Cluster as Nodes

    # A node that is gone is found out within a second.
    quick = dict(health_check_initial_delay_ms=0, health_check_period_ms=200, health_check_failure_threshold=5)
    nodes = Nodes(initialize_head=True, head_node_args=dict(num_cpus=0, _system_config=quick))
    for _ in range(NODES):
        nodes.add_node(num_cpus=CPUS)
    pipe.send(nodes.address)
    for what, seed in iter(lambda: asked(pipe), None):
        chosen = random.Random(seed).choice(sorted(nodes.worker_nodes, key=lambda node: node.unique_id))
        if what == "node":
            nodes.worker_nodes.remove(chosen)
            chosen.kill_all_processes(check_alive=False, allow_graceful=False)  # as a power cut: the head is not asked
            nodes.add_node(num_cpus=CPUS)
        pipe.send(what == "node" or killed_child(chosen.all_processes["raylet"][0].process.pid, "ray::Worker", seed))
    nodes.shutdown()


def asked(pipe):
    """What the other end wants; None where it is gone."""
    try:
        return pipe.recv()
    except EOFError:
        return None


def killed_child(parent, name, seed):
    """Whether a child of that process, with that in its command line, was there to be killed."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            after_name = (place / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent and name in (place / "cmdline").read_text():
                found.append(int(place.name))
    if not found:
        return False
    os.kill(random.Random(seed).choice(sorted(found)), signal.SIGKILL)
    return True


def is_hurt(folder):
    """Whether a trial is under way again of which a worker has died: to die of it again and again ends it."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{folder / 'trials.db'}?mode=ro", uri=True)) as database:
            ((hurt,),) = database.execute("SELECT count(*) FROM trials WHERE status='running' AND attempts > 0")
    except sqlite3.OperationalError:  # it has not begun
        return False
    return hurt > 0


def killed_meanwhile(kill, chance, most, folder, search):
    """How often something was killed while the search in a folder went on; at most so often."""
    is_over, hit = threading.Event(), []

    def killing():
        while len(hit) < most and not is_over.wait(chance.uniform(0.05, 1.0)):
            if not is_hurt(folder):
                hit.extend([True] if kill(chance.random()) else [])

    killer = threading.Thread(target=killing)
    killer.start()
    try:
        search()
    finally:
        is_over.set()
        killer.join()
    return len(hit)


def coordinators_killed(chance, long, most, search, said):
    """How many processes that did the search were killed before one came to its end."""
    hit = 0
    while True:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                with open(said, "a") as file:
                    os.dup2(file.fileno(), 1), os.dup2(file.fileno(), 2)
                code = search()
            except BaseException:  # the parent is told by the code, a person by the file
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        if hit < most:
            time.sleep(chance.uniform(0, long))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == 0:
            return hit
        assert code == -signal.SIGKILL, (code, said.read_text())
        hit += 1


def main(base, kind, what, kills, seed):
    """Searches, each with kills, until so many have hit."""
    base, kills, chance = Path(base), int(kills), random.Random(int(seed))
    trials = {"worker": 120, "node": 400, "coordinator": 60}[what]
    began, hit, runs = time.monotonic(), 0, 0
    with Simulated() if kind == "ray" else contextlib.nullcontext() as nodes:

        def hired(common):
            if nodes:
                return Cluster(nodes.address, common, bundled=True, do=reckoned, begin=nothing)
            return Workers(NODES * CPUS, common, base / f".common.{os.getpid()}", do=reckoned, begin=nothing)

        def search(folder, tuner):
            return flown(folder, tuner, trials, hired)

        expected = {}
        for tuner in TUNERS:
            alone = base / f"alone_{tuner}"
            started = time.monotonic()
            # In a process of its own, since TensorFlow is not to have started in this one.
            coordinators_killed(chance, 0, 0, lambda alone=alone, tuner=tuner: search(alone, tuner), base / "alone.txt")
            long = time.monotonic() - started
            expected[tuner], _ = found(alone)
            assert len(expected[tuner]) == trials, expected
        while hit < kills:
            folder, tuner, runs = base / f"run{runs}", [*TUNERS][runs % len(TUNERS)], runs + 1
            work = lambda folder=folder, tuner=tuner: search(folder, tuner)  # noqa: E731
            if what == "coordinator":
                hit += coordinators_killed(chance, long, kills - hit, work, base / f"{folder.name}.txt")
            else:
                kill = (lambda seed: nodes.kill(what, seed)) if nodes else (
                    lambda seed: killed_child(os.getpid(), "LokyProcess", seed))  # fmt: skip
                hit += killed_meanwhile(kill, chance, kills - hit, folder, work)
            same(folder, expected[tuner])
    print(json.dumps({"kills": hit, "runs": runs, "trials": trials, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
