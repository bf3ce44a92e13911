"""Processes of this machine that train: each starts TensorFlow once, is told once what all jobs have in common, and
gets one job after the other. One that dies takes no more than its own job with it.
"""

import os
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from importlib.machinery import PathFinder

import cloudpickle
import joblib
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from kerashw.commands import quiet_tensorflow
from kerashw.job import work
from kerashw.machine import processors

PARENT_LOOKS = 0.5  # seconds between two looks at whether the process that hands out the jobs is there yet
SHARED = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")  # what has a number of threads

_own = {}  # in a worker: what it was told at its start


class Workers:
    """So many processes, each with its share of the processors; what all jobs have in common they read from `file`.

    The file is there while they are. Use it as a context: at its end nothing of them is left, whatever they are at.
    `do(common, job)` is what they do with a job, once each has called `begin`.
    """

    def __init__(self, count, common, file, do=work, begin=quiet_tensorflow):
        self.count, self.file = count, file
        joblib.dump((code(common.builder, do), replace(common, builder=None)), file)
        threads = str(max(1, processors() // count))
        self._told = dict(env=dict.fromkeys(SHARED, threads), initializer=_begin,
                          initargs=(str(file), os.getpid(), begin))  # fmt: skip
        self._idle, self._busy = [], {}  # pools of one process each; {future: (name of the job, its pool)}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for pool in (*self._idle, *(pool for _, pool in self._busy.values())):
            pool.shutdown(wait=False, kill_workers=True)
        self.file.unlink(missing_ok=True)

    def free(self):
        """How many more jobs would begin at once."""
        return self.count - len(self._busy)

    def submit(self, name, job):
        """The job begins; `next` tells of it by this name."""
        pool = self._idle.pop() if self._idle else ProcessPoolExecutor(1, **self._told)
        try:
            future = pool.submit(_do, job)
        except BrokenProcessPool:  # it died while it had nothing to do
            return self.submit(name, job)
        self._busy[future] = name, pool

    def next(self):
        """(name, Outcome) of a job that has ended, once there is one; None for the Outcome where its worker died."""
        future = next(iter(wait(self._busy, return_when=FIRST_COMPLETED).done))
        name, pool = self._busy.pop(future)
        try:
            outcome = future.result()
        except BrokenProcessPool:
            pool.shutdown(wait=False, kill_workers=True)
            return name, None
        self._idle.append(pool)
        return name, outcome


def code(builder, do):
    """What a worker is to do as bytes; of a builder from a person's own file the code itself goes with them.

    >>> from kerashw.models import mlp
    >>> pickle.loads(code(mlp, work))[0] is mlp
    True
    """
    module = sys.modules[builder.__module__]
    is_found = PathFinder.find_spec(module.__name__.partition(".")[0]) is not None
    if is_found or module.__name__ == "__main__":  # of which cloudpickle knows by itself
        return cloudpickle.dumps((builder, do))
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps((builder, do))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _begin(file, parent, begin):
    """A worker is told what all jobs have in common; it ends soon after the process that hands them out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that hands out the jobs hears of it, and ends them
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    begin()
    packed, common = joblib.load(file, mmap_mode="r")
    builder, do = pickle.loads(packed)
    _own.update(common=replace(common, builder=builder), do=do)


def _end_after(parent):
    while os.getppid() == parent:
        time.sleep(PARENT_LOOKS)
    os._exit(1)


def _do(job):
    return _own["do"](_own["common"], job)
