"""Groups of members trained by the threads of this process."""

import math
import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True)
class How:
    """What is the same for all groups of a call: when to stop, what to keep, and who hears of epochs that are done."""

    deadline: float = math.inf  # in seconds of time.monotonic
    keep_models: bool = True
    keep_last: bool = False
    report: object = None  # called with the epochs done since the last call, all members added up


class Threads:
    """The processors of this process, each at one group at a time."""

    def __init__(self, how, share):
        self.how, self.share = how, share
        self._pool, self._running = ThreadPoolExecutor(share), {}
        self._stop, self._lock = threading.Event(), threading.Lock()

    def free(self):
        """How many groups it takes now: one more than there are threads, whose weights are drawn meanwhile."""
        return self.share + 1 - len(self._running)

    def submit(self, group):
        """The group is trained next; `next` tells of it."""
        try:
            state = group.first_state()  # here, as the models are shared
        except Exception as error:  # whatever an initializer raises
            future = Future()
            future.set_exception(error)
        else:
            how, share = self.how, self.share
            future = self._pool.submit(
                group.train, state, how.deadline, how.keep_models, how.keep_last, self.told, share
            )
        self._running[future] = group

    def next(self):
        """(group, its results) of one that has ended; the exception for one that failed."""
        future = next(iter(wait(self._running, return_when=FIRST_COMPLETED).done))
        group, error = self._running.pop(future), future.exception()
        if error is not None and not isinstance(error, Exception):  # Ctrl-C, heard by a thread
            raise error
        return group, error or future.result()

    def close(self):
        """Nothing is being trained any more."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def told(self, epochs):
        """So many more epochs are done; where nothing is to be trained any more, it ends the thread that tells so."""
        if self._stop.is_set():
            raise CancelledError
        if self.how.report is not None:
            with self._lock:
                self.how.report(epochs)
