"""A trial that ends its own process: it is given up after two attempts, and the search goes on without it."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
STUDY = '''"""One of the widths is deadly."""

import os

import keras

from kerashw.space import Choice, Grid
from kerashw.study import Study


def deadly(*, input_shape, outputs, width=1):
    if width == 3:
        {death}
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Dense(width)(inputs)))


STUDY = Study(data="points", model=deadly, search=Grid(), together={together}, settings=dict(
    width=Choice(1, 2, 3, 4), learning_rate=0.01, batch_size=8, epochs=2))
'''


def given(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "kerashw.tune", "--task", "own.py", "--data-dir", ".", "--no-figures", "-q", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "death, together, told",
    [
        pytest.param("os.kill(os.getpid(), 9)", False, "signal 9", marks=pytest.mark.faults),
        pytest.param("os.abort()", False, "signal 6", marks=pytest.mark.faults),
        pytest.param("os._exit(7)", False, "exit code 7", marks=pytest.mark.faults),
        pytest.param("os.kill(os.getpid(), 9)", None, "signal 9", marks=pytest.mark.faults),
    ],
)
def test_a_trial_that_ends_its_process_twice_is_recorded_and_the_search_goes_on(death, together, told, tmp_path, counted):
    (tmp_path / "own.py").write_text(STUDY.format(death=death, together=together))
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    first = given(tmp_path)
    assert first.returncode in (-signal.SIGKILL, -signal.SIGABRT, 7)
    second = given(tmp_path)
    assert second.returncode == 0, second.stderr
    assert f"trial 2 ended the process that trained it 2 times, last by {told}; it is recorded" in second.stderr
    with open(tmp_path / "saved_models/own/trials.csv", newline="") as file:
        found = {row["width"]: (row["status"], row["reason"]) for row in csv.DictReader(file)}
    done = ("completed", "")
    assert found == {"1": done, "2": done, "3": ("failed", "killed"), "4": done}
    counted("a trial ends its process", 1, f"by {told}: recorded after two attempts, the search goes on")


@pytest.mark.faults
def test_a_watched_process_that_dies_of_being_interrupted_counts_as_interrupted(tmp_path, counted):
    death = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); "
        "os.path.exists('second') and os.kill(os.getppid(), 15); time.sleep(0.5); os.kill(os.getpid(), 11)"
    )
    (tmp_path / "own.py").write_text(STUDY.format(death=death, together=False))
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    assert given(tmp_path).returncode == -signal.SIGSEGV
    (tmp_path / "second").touch()
    second = given(tmp_path)
    assert second.returncode == 143, second.stderr
    assert second.stderr.splitlines()[-1].startswith("kerashw: interrupted; all that is finished is kept. To continue: ")
    counted("a process dies of being interrupted", 1, "exit 143 and the command to continue, as of any other interruption")


IN_A_LOOP = '''"""One of the widths is deadly, though only once its training begins."""

import os

import keras

from kerashw.space import Choice, Grid
from kerashw.study import Study

built = []


def deadly(*, input_shape, outputs, width=1):
    built.append(width)
    if width == {width} and built.count(width) == 2:  # first it is built to be looked at
        os.kill(os.getpid(), 9)
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Dense(width)(inputs)))


STUDY = Study(data="points", model=deadly, search=Grid(), together=True, settings=dict(
    width=Choice(1, 2, 3, 4, 5, 6), learning_rate=0.01, batch_size=8, epochs=2))
'''


@pytest.mark.faults
@pytest.mark.parametrize("width", [5])
def test_of_trials_that_are_trained_together_the_deadly_one_is_found(width, tmp_path, counted):
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    found = {}
    for name in (7, width):  # no width is 7: a search without a death
        (tmp_path / "own.py").write_text(IN_A_LOOP.format(width=name))
        first = given(tmp_path, "--name", str(name))
        assert first.returncode == (0 if name == 7 else -signal.SIGKILL)
        done = given(tmp_path, "--name", str(name)) if first.returncode else first
        assert done.returncode == 0, done.stderr
        with open(tmp_path / f"saved_models/{name}/trials.csv", newline="") as file:
            found[name] = {row["width"]: row for row in csv.DictReader(file)}
    assert done.stderr.count("ended the process that trained it 2 times, last by signal 9") == 1
    guilty = found[width].pop(str(width))
    assert (guilty["status"], guilty["reason"]) == ("failed", "killed")
    for name, row in found[width].items():
        assert row["status"] == "completed" and float(row["mean"]) == pytest.approx(float(found[7][name]["mean"]), rel=1e-5)
    counted("a trial ends the process that trains several at once", 1,
            "found by halves, recorded after two attempts; the others are as they would be")


MEMORY = '''"""One of the widths takes more memory than the process may have."""

import resource
from pathlib import Path

import keras

from kerashw.space import Choice, Grid
from kerashw.study import Study


def hungry(*, input_shape, outputs, width=1):
    if width > 9:  # a gigabyte more than the process has; the weights take 3.6
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    inputs = keras.Input(input_shape)
    items = keras.layers.Dense(width)(keras.layers.Dense(width)(inputs))
    return keras.Model(inputs, keras.layers.Dense(outputs)(items))


STUDY = Study(data="points", model=hungry, search=Grid(), together={together}, settings=dict(
    width=Choice(1, 2, 30_000, 4), learning_rate=0.01, batch_size=8, epochs=2))
'''


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set by what /proc tells")
@pytest.mark.parametrize("together", [False, None])
def test_a_trial_that_finds_no_memory_is_recorded_and_the_search_goes_on(together, tmp_path, counted):
    """TensorFlow raises, or ends the process: then the next one finds out."""
    (tmp_path / "own.py").write_text(MEMORY.format(together=together))
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (tmp_path / name).write_text(f"x,y\n{rows}")
    done = given(tmp_path)
    while done.returncode < 0:
        done = given(tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "saved_models/own/trials.csv", newline="") as file:
        found = {row["width"]: (row["status"], row["reason"]) for row in csv.DictReader(file)}
    completed = ("completed", "")
    hungry = found.pop("30000")
    assert found == dict.fromkeys("124", completed) and hungry in [("failed", "memory"), ("failed", "killed")]
    counted("a trial finds no memory (RLIMIT_AS)", 1, f"recorded as {hungry[1]}, the search goes on")
