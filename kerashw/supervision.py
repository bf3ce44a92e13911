"""A process that watches another: a trial that ends the process that trains it is found out, recorded and passed over."""

import contextlib
import ctypes
import os
import signal
import sys
from collections import Counter

from kerashw import interrupts
from kerashw.errors import Damaged, WorkError
from kerashw.risk import ATTEMPTS, toll

# What the command ends with by itself: done, failed, usage, no trial, Ctrl-C, SIGTERM. Anything else is a death.
OWN_CODES = (0, 1, 2, 3, 130, 143)
PR_SET_PDEATHSIG = 1  # of Linux's prctl


def supervise(runs, say):
    """Nothing, in a process that is watched from now on where an earlier one may have died of a trial.

    The watching process never returns, but ends with the code of the watched one. Should that one die of a trial as
    well, another one goes on after it; a trial of which two have died is recorded as failed, reason "killed".
    """
    if _has_threads() or not any(map(_toll, runs)):
        return
    while True:
        before = list(map(_toll, runs))
        sys.stdout.flush()
        sys.stderr.flush()
        watching = os.getpid()
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)  # so that Ctrl-C comes once, from the watching process
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != watching:  # it died before it could be told of
                os._exit(1)
            return
        code = _ended(pid)
        if code in OWN_CODES:
            raise SystemExit(code)
        interrupts.check()  # one that dies of being interrupted, somewhere in a C library, has no trial to blame for it
        told = f"signal {-code}" if code < 0 else f"exit code {code}"
        died_of = [_toll(run) - earlier for run, earlier in zip(runs, before)]
        for run, suspects in zip(runs, died_of):
            _give_up(run, suspects, told, say)
        if not any(died_of):
            raise WorkError(f"the process that trained ended by {told}; all that is finished is kept: repeat the command.")


def _has_threads():
    """Whether TensorFlow, which a study of one's own may have imported, has begun to work: then no fork is safe."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = module and module.context_safe()
    return context is not None and context._initialized  # there is no public way to ask


def _ended(pid):
    """The exit code of the watched process; what it is to hear of, Ctrl-C or SIGTERM, is passed on to it."""
    def pass_on(number, frame):
        interrupts.note(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _toll(run):
    """What `kerashw.risk.toll` tells of a run, which may not have begun."""
    if run.store_file.exists():
        with contextlib.suppress(Damaged), contextlib.closing(run.store()) as store:
            return toll(store)
    return Counter()


def _give_up(run, suspects, told, say):
    """A trial that ended its process again is recorded as the one that did."""
    tolls = _toll(run)
    for number in (one for one in suspects if isinstance(one, int) and tolls[one] >= ATTEMPTS):
        message = f"ended the process that trained it {ATTEMPTS} times, last by {told}"
        with contextlib.closing(run.store()) as store:
            store.end_trial(number, status="failed", reason="killed", message=message)
        say(f"{run.folder}: trial {number} {message}; it is recorded as failed, and the search goes on.")
