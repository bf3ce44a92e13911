"""Nodes of a Ray cluster that train: what all jobs have in common lies in its object store once, a worker is an actor.

So TensorFlow starts once per worker, with a GPU too, and a job costs Ray half of what a task of its own would; where
jobs are short, a worker may get several at once. Nodes that join get jobs at once, one that dies takes no more than the
jobs it was at. Ray itself runs nothing again.
"""

import contextlib
import importlib.util
import io
import math
import os
import pickle
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import replace

import cloudpickle

from kerashw import interrupts
from kerashw.bundles import TOGETHER, Bundles
from kerashw.commands import quiet_tensorflow
from kerashw.errors import KerashwError, UsageError, WorkError
from kerashw.job import work
from kerashw.machine import processors
from kerashw.silence import silent
from kerashw.workers import SHARED, code

LOOK_EVERY = 1.0  # seconds between two looks at which nodes there are
ANSWER_WITHIN = 3.0  # seconds in which an address has to answer
NODES_BACK_WITHIN = 60.0  # seconds for which a cluster may be without a node that has room for a trial
LEAST_AMOUNT = 1e-4  # Ray's own precision of an amount of CPUs or GPUs


class Cluster:
    """As many jobs at a time as the nodes of a Ray cluster have room for, at most `most`; each takes `cpus` and `gpus`.

    `address` is "local", which starts a Ray of this machine and ends it, "auto", host:port or ray://host:port. Use it
    as a context. `do(common, job)` is what is done with a job, by a process that has called `begin` once. With
    `bundled` a worker gets a few jobs at once where they are short: for who need not hear of one before the next.
    """

    def __init__(
        self, address, common, *, most=None, cpus=1, gpus=0, bundled=False, is_verbose=False, do=work,
        begin=quiet_tensorflow,
    ):  # fmt: skip
        self.address, self.most, self.cpus, self.gpus, self.is_verbose = address, most, cpus, gpus, is_verbose
        self._told = cloudpickle.dumps(begin), code(common.builder, do), replace(common, builder=None)
        self._bundles = Bundles(bundled)
        self._idle, self._busy = [], {}  # (worker, its node); {reference to what comes of it: (bundle, worker)}
        self._ended = []  # of the busy ones, references to what is there
        self._heard = deque()  # (name, Outcome) of jobs
        self._room, self._looked = 0, -math.inf
        self._open = contextlib.ExitStack()

    def __enter__(self):
        check_installed()
        with contextlib.ExitStack() as opening:
            # Ray tells of a worker that died on stdout, where the result of a command goes.
            opening.enter_context(contextlib.redirect_stdout(sys.stderr if self.is_verbose else io.StringIO()))
            opening.enter_context(_connected(self.address, self.is_verbose))
            import ray

            # The reference in a list, so that what it is to is fetched where what goes wrong can be told.
            told, kind = [ray.put(self._told)], ray.remote(Worker)
            kind = kind.options(num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0, max_task_retries=0)
            self._hire = lambda: kind.remote(told, max(1, int(self.cpus)))
            self._look()
            if not self._room:
                raise UsageError(f"--ray {self.address}: {self._no_room()}: ask for less.")
            self._open = opening.pop_all()
        return self

    def __exit__(self, *error):
        self._open.close()

    def free(self):
        """How many more jobs would begin at once; one may always wait for a node that comes back."""
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._look()
        return self._unused() * self._bundles.size - len(self._bundles.waiting)

    def submit(self, name, job):
        """The job begins as soon as a node has room; `next` tells of it by this name."""
        self._bundles.add(name, job)
        if self._bundles.size == 1:  # else others may come that go with it
            self._send()

    def next(self):
        """(name, Outcome) of a job that has ended, once there is one; None for the Outcome where its worker or node
        died. None of both where nodes have joined, so that there is room for more jobs.
        """
        while not self._heard:
            if not self._listened():
                return None
        return self._heard.popleft()

    def _unused(self):
        return max(self._room, 1) - len(self._busy)

    def _send(self):
        """What waits is on its way to workers that have nothing to do."""
        for bundle in self._bundles.taken(max(self._unused(), 0)):
            worker = self._idle.pop()[0] if self._idle else self._hire()
            self._busy[worker.do.remote([job for _, job in bundle])] = bundle, worker

    def _listened(self):
        """Whether there is more to hear than before: what some jobs came to; not where there is room for more."""
        import ray

        self._send()
        while not self._ended:
            ray.wait(list(self._busy), timeout=LOOK_EVERY)
            # To ask for all that have ended costs as much as to ask for one.
            self._ended = ray.wait(list(self._busy), num_returns=len(self._busy), timeout=0)[0]
            before = self._room
            if not self._ended:
                self._look()
            if self._room > before:
                return False
        ended = self._ended.pop(0)
        bundle, worker = self._busy.pop(ended)
        names = [name for name, _ in bundle]
        try:
            node, seconds, outcomes = ray.get(ended)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, KerashwError):
                raise error.cause from None
            if not isinstance(error.cause, ray.exceptions.ObjectLostError):  # as where its node is about to die
                raise self._unready(error.cause) from None
        except ray.exceptions.ActorDiedError as error:
            if error.actor_init_failed:
                raise self._unready(error) from None
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError):
            pass
        else:
            self._idle.append((worker, node))
            done = len(outcomes)
            self._bundles.heard(names[:done], seconds, left=bundle[done:])
            self._heard.extend(zip(names, outcomes))  # as many as there are outcomes
            return True
        ray.kill(worker)  # if it is but out of reach
        self._look()
        self._bundles.died(names)
        self._heard.extend((name, None) for name in names)
        return True

    def _look(self):
        """What there is room for now; a WorkError where there has been none for too long."""
        import ray

        nodes, now = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}, time.monotonic()
        self._idle = [(worker, node) for worker, node in self._idle if node in nodes]
        self._room = room(nodes.values(), self.cpus, self.gpus)
        if self.most is not None:
            self._room = min(self._room, self.most)
        if self._room or self._looked == -math.inf:
            self._had_room = now
        self._looked = now
        if now - self._had_room > NODES_BACK_WITHIN:
            raise WorkError(f"--ray {self.address}: {self._no_room()}, for {NODES_BACK_WITHIN:.0f} s; all that is "
                            "finished is kept: repeat the command when nodes are back.")  # fmt: skip

    def _unready(self, error):
        return WorkError(f"--ray {self.address}: a worker could not begin ({_first_line(error)}); kerashw and all that "
                         "a study imports must be installed on every node.")  # fmt: skip

    def _no_room(self):
        gpus = f" and {self.gpus:g} GPU(s)" if self.gpus else ""
        return f"no node of the cluster has {self.cpus:g} CPU(s){gpus}, as --cpus-per-trial and --gpus-per-trial ask"


def room(nodes, cpus, gpus):
    """How many trials of so many CPUs and GPUs fit into nodes at once, by what each of these has.

    >>> room([{"CPU": 4.0}, {"CPU": 3.0, "GPU": 1.0}, {}], cpus=2, gpus=0)
    3
    >>> room([{"CPU": 4.0}, {"CPU": 3.0, "GPU": 1.0}, {}], cpus=1, gpus=0.5)
    2
    """
    wanted = {kind: amount for kind, amount in (("CPU", cpus), ("GPU", gpus)) if amount}
    fits = (min(node.get(kind, 0) / amount for kind, amount in wanted.items()) for node in nodes)
    return sum(math.floor(count + LEAST_AMOUNT) for count in fits)


def check_installed():
    """Nothing, where Ray is there."""
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--ray needs Ray, not installed here: pip install 'ray>=2.60,<3'.")


@contextlib.contextmanager
def _connected(address, is_verbose):
    """While it lasts this process is connected to the cluster; one that was started for it ends with it."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or a Ray that is started here tells its makers of its use
    level = "info" if is_verbose else "error"
    options = dict(log_to_driver=is_verbose, logging_level=level)
    if address == "local":
        options.update(num_cpus=processors(), include_dashboard=False)
    import ray

    error, handler = None, signal.getsignal(signal.SIGTERM)
    with contextlib.nullcontext() if is_verbose else silent():
        try:
            ray.init(address, **options)
        except (Exception, SystemExit) as any_kind:  # Ray knows many
            error = any_kind
    signal.signal(signal.SIGTERM, handler)  # Ray has set one of its own
    try:
        interrupts.check()  # one of these may have been the error
        if error is not None:
            raise WorkError(
                f"--ray {address}: Ray is not to be reached ({_first_line(error)}); see that it runs, in the version "
                f"that is here, {ray.__version__}, and with the same token (RAY_AUTH_MODE=token, RAY_AUTH_TOKEN_PATH)."
            )
        yield
    finally:
        ray.shutdown()


def check_answers(address):
    """Nothing, where something listens at an address; Ray itself would wait for minutes."""
    if address in ("local", "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise WorkError(f"--ray {address}: nothing answers there ({error}); `ray start --head` prints the address to "
                        "give, and --ray local needs none.") from None  # fmt: skip


def _first_line(error):
    return " ".join(next(iter(str(error).strip().splitlines()), type(error).__name__).split())


class Worker:
    """A process of the cluster: it gets ready with its first jobs, and does one after the other."""

    def __init__(self, told, threads):
        self.told, self.threads, self.ready = told, threads, None

    def do(self, jobs):
        """(the node it is on, how long the jobs took, the Outcome of each); of the first ones alone where they are long."""
        import ray

        if self.ready is None:
            os.environ.update(dict.fromkeys(SHARED, str(self.threads)))
            os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # or the first of two that share a GPU takes all of it
            begin, packed, common = ray.get(self.told[0])
            pickle.loads(begin)()
            builder, do = pickle.loads(packed)
            self.ready = replace(common, builder=builder), do, ray.get_runtime_context().get_node_id()
        common, do, node = self.ready
        began, seconds, outcomes = time.monotonic(), 0.0, []
        while len(outcomes) < len(jobs) and seconds < TOGETHER:
            outcomes.append(do(common, jobs[len(outcomes)]))
            seconds = time.monotonic() - began
        return node, seconds, outcomes
