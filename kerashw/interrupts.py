"""Ctrl-C and SIGTERM, heard even where the exception they raise is swallowed by a destructor or a C library."""

import contextlib
import os
import signal
import sys
import threading

_heard = []  # signals since `listening` began


@contextlib.contextmanager
def listening():
    """While it lasts a signal raises KeyboardInterrupt, at once and at every `check`; a second one ends the process."""
    is_main = threading.current_thread() is threading.main_thread()  # only there may handlers be set
    if not is_main or signal.getsignal(signal.SIGINT) is _hear:
        yield
        return
    before = {number: signal.signal(number, _hear) for number in (signal.SIGINT, signal.SIGTERM)}
    told = sys.unraisablehook

    def tell(lost):
        if not isinstance(lost.exc_value, KeyboardInterrupt):  # that one a destructor swallowed; `check` has it
            told(lost)

    sys.unraisablehook = tell
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = told
        _heard.clear()


def check():
    """Nothing, unless a signal was heard: then KeyboardInterrupt, should the first one have been lost."""
    if _heard:
        raise KeyboardInterrupt


def note(number):
    """A signal counts as heard, though another process has to act on it; nothing is raised before `check`."""
    _heard.append(number)


def is_behind(error):
    """Whether a signal led to that exception, which a library may have made of the first one."""
    return isinstance(error, KeyboardInterrupt) or (bool(_heard) and isinstance(error, Exception))


def exit_code():
    """What a process ends with that was interrupted: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def _hear(number, frame):
    _heard.append(number)
    if len(_heard) > 1:
        os._exit(exit_code())
    raise KeyboardInterrupt
