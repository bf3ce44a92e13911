"""The command itself, killed or interrupted in the middle of a search and given again, for each tuner."""

import csv
import functools
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kerashw import interrupts, tune
from kerashw.commands import quiet_tensorflow
from kerashw.errors import UsageError
from kerashw.run import Run

ROOT = Path(__file__).resolve().parent.parent
STUDY = '''
"""A study of one's own."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(
    data="points", model=mlp, search=Random(trials=12), together=False,
    settings=dict(hidden=(3,), dropout=0.2, batch_size=4, epochs=3,
        learning_rate=Choice(0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)),
)
'''
TUNERS = {
    "grid": ["--tuner", "grid"],
    "random": [],
    "bayesian": ["--tuner", "bayesian", "--trials", "12"],
    "hyperband": ["--tuner", "hyperband"],
}


def command(folder, tuner, out):
    """What is typed after `python -m kerashw.tune`."""
    return ["--task", str(folder / "my_study.py"), "--data-dir", str(folder), "--out", str(folder / out),
            "--name", tuner, "--no-figures", *TUNERS[tuner]]  # fmt: skip


def start(arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "kerashw.tune", *arguments], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(run):
    """How many trials have ended so far, as another process sees it."""
    try:
        with sqlite3.connect(f"file:{run / 'trials.db'}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM trials WHERE status != 'running'").fetchone()[0]
    except sqlite3.Error:
        return 0


def stopped(arguments, folder, run, sign, count):
    """The exit code and stderr of the command, sent a signal when so many trials have ended."""
    process = start(arguments, folder)
    while process.poll() is None and ended(run) < count:
        time.sleep(0.02)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def broken_off(folder, tuner):
    """The run of a tuner, killed in the middle; what was seen on the way."""
    arguments, run = command(folder, tuner, "broken_off"), folder / "broken_off" / tuner
    seen = dict(killed=stopped(arguments, folder, run, signal.SIGKILL, 2)[0], kept=ended(run))
    if tuner == "random":  # continued, and interrupted again once there is something new
        code, errors = stopped(arguments, folder, run, signal.SIGINT, seen["kept"] + 1)
        seen["interrupted"] = code, errors, ended(run), rows_of(run)
    return seen


def rows_of(run):
    with open(run / "trials.csv", newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A person's own folder: a study and its data."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_study.py").write_text(STUDY)
    generator = np.random.default_rng(0)
    for name, count in (("train_data.csv", 30), ("test_data.csv", 10)):
        x = generator.uniform(-1, 1, (count, 2))
        rows = "".join(f"{a},{b},{a - b}\n" for a, b in x.tolist())
        (folder / name).write_text(f"a,b,y\n{rows}")
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    """What was seen of a tuner's broken-off run; when it is first asked for, the uninterrupted one is made meanwhile."""
    quiet_tensorflow()

    @functools.cache
    def of(tuner):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(broken_off, folder, tuner)
            assert not tune.main([*command(folder, tuner, "whole"), "-q"])
            return waiting.result()

    return of


@pytest.mark.parametrize(
    "tuner", [tuner if tuner == "random" else pytest.param(tuner, marks=pytest.mark.slow) for tuner in TUNERS]
)
def test_a_search_killed_in_the_middle_ends_with_the_trials_of_an_uninterrupted_one(tuner, folder, seen, capsys):
    killed = seen(tuner)
    expected = rows_of(folder / "whole" / tuner)
    assert killed["killed"] == -signal.SIGKILL and 2 <= killed["kept"] < len(expected)
    capsys.readouterr()
    assert not tune.main([*command(folder, tuner, "broken_off"), "-q"])
    assert "my_study: trial " in capsys.readouterr().out
    assert rows_of(folder / "broken_off" / tuner) == expected
    assert len(expected) == (6 if tuner == "hyperband" else 12)
    assert {row["status"] for row in expected} == {"completed"}


def test_the_winner_and_its_test_metrics_are_those_of_the_uninterrupted_run(folder, seen):
    seen("random")
    assert not tune.main([*command(folder, "random", "broken_off"), "-q"])
    one, other = (Run(folder / out / "random").metrics() for out in ("whole", "broken_off"))
    assert (one["winner"], one["test"], one["validation"]) == (other["winner"], other["test"], other["validation"])


def test_ctrl_c_exits_with_130_keeps_all_and_prints_the_command_that_continues(folder, seen):
    code, errors, kept, rows = seen("random")["interrupted"]
    last = errors.strip().splitlines()[-1]
    assert code == 130 and "Traceback" not in errors
    assert last.startswith("kerashw: interrupted; all that is finished is kept. To continue: ")
    told = shlex.split(last.split("To continue: ")[1])
    assert told == ["python", "-m", "kerashw.tune", *command(folder, "random", "broken_off")]
    assert seen("random")["kept"] < kept == len(rows)


def test_a_signal_is_heard_although_its_exception_is_swallowed():
    before = signal.getsignal(signal.SIGINT)
    with interrupts.listening():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            pass  # as a destructor or a callback from C does
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        assert interrupts.exit_code() == 128 + signal.SIGTERM
    interrupts.check()  # what was heard before counts no longer
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_a_destructor_swallows_leaves_no_traceback_on_the_screen(capsys):
    class Closing:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)

    shown = []
    before, sys.unraisablehook = sys.unraisablehook, shown.append
    try:
        with interrupts.listening():
            Closing()
            with pytest.raises(KeyboardInterrupt):
                interrupts.check()
    finally:
        sys.unraisablehook = before
    assert shown == []


def test_a_finished_run_is_left_as_it_is_and_its_result_is_printed_again(folder, seen, capsys):
    seen("random")
    files = sorted((folder / "whole" / "random").rglob("*"))
    before = [(path, path.stat().st_mtime_ns) for path in files]
    capsys.readouterr()
    assert not tune.main(command(folder, "random", "whole"))
    output, errors = capsys.readouterr()
    assert "finished before; --overwrite begins anew" in errors and "trial" in output and "test" in output
    assert [(path, path.stat().st_mtime_ns) for path in sorted((folder / "whole" / "random").rglob("*"))] == before


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (["--seed", "1"], "seed was 0, now 1"),
        (["--epochs", "4"], "epochs was 3, now 4"),
        (["--trials", "3"], r"search\.random\.trials was 12, now 3"),
        (["--set", "dropout=0.5"], r"dropout was 0\.2, now 0\.5"),
    ],
)
def test_a_changed_command_is_refused_with_what_differs_and_the_two_ways_out(folder, seen, changes, difference):
    seen("random")
    before = (folder / "whole" / "random" / "study.json").read_bytes()
    with pytest.raises(UsageError, match=rf"holds another run \(.*{difference}.*\): .*--name .*--overwrite"):
        tune.main([*command(folder, "random", "whole"), *changes])
    assert (folder / "whole" / "random" / "study.json").read_bytes() == before


def test_other_data_are_refused_as_another_run(folder, seen, tmp_path):
    seen("random")
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text((folder / name).read_text() + "0.5,0.5,0.0\n")
    with pytest.raises(UsageError, match="holds another run .*data_sha256 was"):
        tune.main([*command(folder, "random", "whole"), "--data-dir", str(tmp_path)])


def test_overwrite_begins_anew(folder, seen):
    seen("random")
    arguments = [*command(folder, "random", "whole"), "--overwrite", "-q", "--trials", "1", "--epochs", "1"]
    assert not tune.main(arguments)
    assert len(rows_of(folder / "whole" / "random")) == 1
