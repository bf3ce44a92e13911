"""A disk that is full, or turns read-only, at any write of a run: one line says so, and with room nothing is lost."""

import contextlib
import csv
import gc
import os
import resource
import shutil
import subprocess

import numpy as np
import pytest

from kerashw import tune
from kerashw.commands import quiet_tensorflow, run
from kerashw.run import Run

quiet_tensorflow()

STUDY = '''"""A line."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Random(trials=4), together=False, settings=dict(
    hidden=(2,), learning_rate=Choice(0.001, 0.01, 0.1, 0.2), batch_size=8, epochs=2))
'''


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A person's folder with a study, its data and an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "own.py").write_text(STUDY)
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (folder / name).write_text(f"x,y\n{rows}")
    assert given(folder, folder) == 0
    return folder


def given(whole, out):
    """The exit code of the command, its run going below `out`."""
    try:
        return run(tune.main, ["--task", str(whole / "own.py"), "--data-dir", str(whole), "--out", str(out),
                               "--name", "run", "--no-figures", "-q"])  # fmt: skip
    finally:
        gc.collect()  # what a command that failed has left open, as when its process ends


def rows_of(run):
    with open(run.trials_file, newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def one_line(errors):
    """What is said last, a line by itself and for a person."""
    lines = [line for line in errors.splitlines() if line]
    assert not [line for line in lines if "Traceback" in line or line.startswith("  File")], errors
    assert lines[-1].startswith("kerashw: "), errors
    return lines[-1]


def check_finished(whole, out):
    """The run has what the uninterrupted one has, and nothing besides."""
    one, other = Run(out / "run"), Run(whole / "run")
    assert rows_of(one) == rows_of(other)
    assert one.metrics()["winner"] == other.metrics()["winner"]
    assert one.metrics()["test"] == pytest.approx(other.metrics()["test"], rel=1e-5)
    assert sorted(path.name for path in one.folder.iterdir()) == sorted(path.name for path in other.folder.iterdir())


@contextlib.contextmanager
def files_up_to(size):
    """While it lasts no file can grow beyond so many bytes, as on a disk with a quota."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [  # bytes: of study.json, of an empty state, of a model
    pytest.param(100, marks=pytest.mark.slow), 6000, pytest.param(34_000, marks=pytest.mark.slow)
])  # fmt: skip
def test_what_finds_no_room_is_said_in_one_line_and_continues_when_there_is_room(size, whole, tmp_path, capsys):
    with files_up_to(size):
        code = given(whole, tmp_path)
    assert code == 1 and "make room" in one_line(capsys.readouterr().err)
    assert given(whole, tmp_path) == 0
    check_finished(whole, tmp_path)


# On a disk of its own


def needs_mounts():
    return pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root may mount a disk")


@contextlib.contextmanager
def disk(place, kilobytes):
    """A disk of that size at that place, in memory."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def again(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def used(folder):
    """Kilobytes of a folder's files, as whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


@pytest.mark.faults
@needs_mounts()
def test_a_disk_that_is_full_at_any_write_costs_nothing_but_time(whole, tmp_path, capfd, counted):
    failed, sizes = 0, range(4, int(1.6 * used(whole / "run")), 12)
    for size in sizes:
        with disk(tmp_path / str(size), size) as place:
            code = given(whole, place)
            errors = capfd.readouterr().err
            if code:
                failed += 1
                assert code in (1, 2), (size, errors)
                one_line(errors)
                again(place, "size=64m")
                assert given(whole, place) == 0, (size, capfd.readouterr().err)
            check_finished(whole, place)
    assert failed > 10
    counted("disk full", failed, f"one line and exit 1 or 2, then finished: disks of {sizes[0]} to {sizes[-1]} kB")


@pytest.mark.faults
@needs_mounts()
def test_a_folder_that_turns_read_only_is_said_in_one_line(whole, tmp_path, capfd, counted):
    with disk(tmp_path / "disk", 65536) as place:
        shutil.copytree(whole / "run", place / "run")
        for name in ("metrics.json", "model.keras", "exports.json"):
            (place / "run" / name).unlink()
        again(place, "ro")
        assert given(whole, place) in (1, 2)
        one_line(capfd.readouterr().err)
        again(place, "rw")
        assert given(whole, place) == 0
        check_finished(whole, place)
    counted("folder read-only", 1, "one line, then finished")
