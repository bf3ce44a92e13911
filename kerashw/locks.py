"""The lock of a folder: one process works there at a time, and one that died leaves it free."""

import contextlib
import fcntl
import os
import re
import socket
import time

from kerashw.errors import UsageError

DYING = 10.0  # seconds that a watched process may take to end after the one that watched it, whose lock it has too


@contextlib.contextmanager
def lock(path):
    """While it lasts no other process has the lock; a UsageError names the one that has it already.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, lock(Path(folder) / ".lock"):
    ...     (Path(folder) / ".lock").read_text().split()[0]
    'process'
    """
    with open(path, "a+", encoding="utf-8") as file:
        until = time.monotonic() + DYING
        while not _is_ours(file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            if not _is_gone(holder) or time.monotonic() > until:
                raise UsageError(f"{path.parent}: {holder} works on this run; wait, or give another --name.")
            time.sleep(0.02)
        file.truncate(0)
        file.write(_name_of(os.getpid()))
        file.flush()
        yield


def _is_ours(file):
    """Whether the lock on an open file could be had."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _name_of(process):
    return f"process {process} on {socket.gethostname()}"


def _is_gone(holder):
    """Whether the process that has its name in a lock was one of this machine and has ended."""
    number = re.sub(r"process (\d+) on .*", r"\1", holder)
    if holder != _name_of(number):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another person's
        pass
    return False
