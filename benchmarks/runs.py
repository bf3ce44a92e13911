"""Whole `tune` commands, each in a process of its own: seconds, memory, and what they left in their folder."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kerashw.errors import WorkError
from kerashw.run import Run
from kerashw.store import Store

CHECKOUT = Path(__file__).resolve().parent.parent
LOOK_EVERY = 0.02  # seconds between two looks at trials.db


@dataclass(frozen=True)
class Done:
    """A finished command: its wall time from start to exit, the most memory it held, and its run's folder."""

    seconds: float
    peak_mb: float
    run: Run

    def proposals(self, count):
        """The tuner's values of so many completed trials, spread evenly over the search."""
        trials = completed(self.run.store_file)
        places = {round(place * (len(trials) - 1) / max(count - 1, 1)) for place in range(count)}
        return [trials[place].proposed for place in sorted(places)]


def completed(database):
    """The completed trials of a run, finished or not."""
    with contextlib.closing(Store(database, "ro")) as store:
        return [trial for trial in store.trials() if trial.status == "completed"]


def has_option(option):
    """Whether `tune` knows an option."""
    from kerashw.tune import parser

    return any(option in action.option_strings for action in parser()._actions)


def tune(asked, task, *words, out):
    """A `tune` command run to its end. Figures, where it would draw some, are left out."""
    process, said, began = _begin(asked, task, words, out)
    # wait4 tells the memory of this child alone; Popen's own wait would tell nothing.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    _check(process, said)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Done(seconds, usage.ru_maxrss / unit, Run(Path(out) / _name(task)))


def seconds_to_first_trial(asked, task, *words, out):
    """From the start of a `tune` command to the moment its first trial is recorded; then it is ended."""
    process, said, began = _begin(asked, task, words, out)
    database = Run(Path(out) / _name(task)).store_file
    try:
        while process.poll() is None:
            if _has_finished_trial(database):
                return time.perf_counter() - began
            time.sleep(LOOK_EVERY)
        if not _has_finished_trial(database):
            _check(process, said)
            raise RuntimeError("the command ended without a completed trial")
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()


def _begin(asked, task, words, out):
    command = [sys.executable, "-m", "kerashw.tune", "--task", str(task), "--out", str(out), "-q", *map(str, words)]
    if asked.data_dir:
        command += ["--data-dir", str(Path(asked.data_dir).resolve())]
    if has_option("--no-figures"):
        command.append("--no-figures")
    # The values of KERASHW_* would change what is measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERASHW_")}
    said = tempfile.TemporaryFile("w+")
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, stderr=said)
    return process, said, began


def _check(process, said):
    if process.returncode:
        said.seek(0)
        lines = said.read().strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{' '.join(process.args[1:])} ended with code {process.returncode}: {lines[-1]}")


def _name(task):
    return Path(task).stem if str(task).endswith(".py") else str(task)


def _has_finished_trial(database):
    try:
        return bool(completed(database))
    except WorkError:  # not there yet, or just being made
        return False
