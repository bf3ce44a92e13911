"""Two commands on one run: the second is told at once who works there; on two runs they do not meet."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_full_disk import STUDY, rows_of

from kerashw.commands import run
from kerashw.run import Run
from kerashw.tune import main

ROOT = Path(__file__).resolve().parent.parent
HOLD = """
import sys, time
from kerashw.run import Run
with Run(sys.argv[1]).locked() as run:
    run.begin({"study": "own"})
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path):
    """A person's folder with a study and its data."""
    (tmp_path / "own.py").write_text(STUDY)
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    return tmp_path


@pytest.fixture
def holder(place):
    """Another process that works on the run `held`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place / "held")], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def command(place, name):
    return ["--task", str(place / "own.py"), "--data-dir", str(place), "--out", str(place), "--name", name,
            "--no-figures", "-q"]  # fmt: skip


def started(place, name):
    return subprocess.Popen(
        [sys.executable, "-m", "kerashw.tune", *command(place, name)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_a_second_command_is_told_pid_and_host_before_it_imports_tensorflow_or_looks_for_data(place, holder):
    program = f"""
import sys
from kerashw.commands import run
from kerashw.tune import main
code = run(main, {[*command(place, "held"), "--overwrite", "--data-dir", str(place / "nowhere")]!r})
print(code, *sorted({{"tensorflow", "keras", "kerashw.datasets"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "2\n"
    assert done.stderr.startswith(f"kerashw: {place / 'held'}: process {holder.pid} on {socket.gethostname()} works on")
    assert done.stderr.count("\n") == 1


def test_overwriting_a_run_at_work_is_refused_and_leaves_all_as_it_is(place, holder, capsys):
    files = {path: path.read_bytes() for path in (place / "held").iterdir()}
    assert run(main, [*command(place, "held"), "--overwrite"]) == 2
    assert f"process {holder.pid} on " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (place / "held").iterdir()} == files


def test_the_run_of_a_process_that_died_is_free(place, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert run(main, [*command(place, "held"), "--overwrite"]) == 0
    assert len(rows_of(Run(place / "held"))) == 4


@pytest.mark.faults
def test_of_two_that_begin_one_run_at_once_one_is_refused_and_two_runs_do_not_disturb_each_other(place, counted):
    rounds, refused = 4, 0
    for number in range(rounds):
        processes = [started(place, f"one{number}") for _ in range(2)]
        errors = [process.communicate(timeout=300)[1] for process in processes]
        codes = sorted(process.returncode for process in processes)
        # The slower one may come when all is done: then it prints the result.
        assert codes == [0, 2] or (codes == [0, 0] and "finished before" in "".join(errors)), errors
        refused += codes == [0, 2]
    processes = [started(place, f"two{number}") for number in range(2)]
    assert [process.communicate(timeout=300) and process.returncode for process in processes] == [0, 0]
    assert rows_of(Run(place / "two0")) == rows_of(Run(place / "two1")) == rows_of(Run(place / "one0"))
    counted("two processes begin one run", rounds, f"{refused} exit 2 with pid and host, the others wait for no one")
    counted("two runs side by side", 1, "equal to a run alone")
