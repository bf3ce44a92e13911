"""A run's folder: files appear whole or not at all, one process works on it, and only what is its own is cleared."""

import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from kerashw.errors import Damaged, UsageError, WorkError
from kerashw.run import Run, check_writable, read_json, write_csv, write_json, write_whole

LOCK = """
import sys, time
from pathlib import Path
from kerashw.run import Run
with Run(sys.argv[1]).locked():
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that works on the run in tmp_path / "run"."""
    process = subprocess.Popen([sys.executable, "-c", LOCK, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def everything(run):
    """A run with every file and folder that a search makes."""
    run.begin({"study": "toy"})
    run.store().close()
    for path in (run.trials_file, run.history_file, run.metrics_file, run.keras_file, run.folder / "report.html"):
        path.write_text("{}")
    for folder in (run.saved_model, run.tensorboard, run.checkpoints, run.folder / "figures"):
        folder.mkdir(parents=True)
        (folder / "content").write_text("something")


# Whole or not at all


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "metrics.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["metrics.json"]


def test_a_process_killed_while_it_writes_leaves_the_old_content(tmp_path):
    path = tmp_path / "metrics.json"
    write_whole(path, b"old")
    script = """
import os, signal, sys
from pathlib import Path
from kerashw import run
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
run.write_whole(Path(sys.argv[1]), b"new" * 100000)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(path)])
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_content_and_no_part_of_the_new(tmp_path):
    path = tmp_path / "metrics.json"
    write_whole(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WorkError, match=r"metrics\.json: could not be written .*make room"):
            write_whole(path, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["metrics.json"]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "study.json", {"loss": 0.5, "name": "Pavía"})
    assert read_json(tmp_path / "study.json") == {"loss": 0.5, "name": "Pavía"}
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            write_json(tmp_path / "study.json", {"loss": bad})
    assert read_json(tmp_path / "study.json") == {"loss": 0.5, "name": "Pavía"}


@pytest.mark.parametrize("content", [b"", b'{"study": ', b"\xff\xfe"])
def test_a_damaged_json_file_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(WorkError, match=r"study\.json: cannot be read .*--overwrite"):
        Run(tmp_path).study()


def test_nothing_known_is_an_empty_cell_of_a_table(tmp_path):
    write_csv(tmp_path / "trials.csv", [["trial", "mean", "message"], [0, None, 'said "no", twice\nor more']])
    assert (tmp_path / "trials.csv").read_text() == 'trial,mean,message\n0,,"said ""no"", twice\nor more"\n'


def test_a_checkpoint_comes_back_equal(tmp_path):
    run = Run(tmp_path)
    arrays = [np.arange(6, dtype="float32").reshape(2, 3), np.array(7, "int64"), np.array([1, 2], "uint32")] * 5
    run.save_checkpoint(3, arrays)
    loaded = run.load_checkpoint(3)
    assert [(array.dtype, array.tolist()) for array in loaded] == [(array.dtype, array.tolist()) for array in arrays]


def test_no_flipped_bit_and_no_missing_end_of_a_checkpoint_goes_unseen(tmp_path):
    run = Run(tmp_path)
    run.save_checkpoint(3, [np.zeros(10), np.ones(3, "float32")])
    path = run.checkpoint_of(3)
    content = path.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 9)]
    damaged += [content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in range(0, len(content), 9)]
    for one in damaged:
        path.write_bytes(one)
        with pytest.raises(Damaged, match=r"3\.checkpoint: has changed since it was written; repeat the tune command"):
            run.load_checkpoint(3)
    path.unlink()
    with pytest.raises(Damaged, match=r"3\.checkpoint: is missing"):
        run.load_checkpoint(3)


# One process at a time


def test_a_second_process_is_refused_and_told_who_works_there(tmp_path, holder):
    with pytest.raises(UsageError, match=rf"process {holder.pid} on .* works on this run.*--name"):
        with Run(tmp_path / "run").locked():
            raise AssertionError("two processes in one run")


def test_the_lock_of_a_process_that_died_is_free(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Run(tmp_path / "run").locked() as run:
        assert f"process {os.getpid()} " in (run.folder / ".lock").read_text()


ORPHAN = """
import os, sys, time
from kerashw.run import Run
with Run(sys.argv[1]).locked():
    if os.fork():
        os._exit(0)
    print("locked", flush=True)
    time.sleep(0.5)
"""


def test_whoever_comes_while_the_child_of_a_dead_process_still_ends_waits_for_it(tmp_path):
    """A killed process that watched another: the kernel ends the other one a moment later."""
    process = subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n" and process.wait() == 0
    with Run(tmp_path / "run").locked() as run:
        assert process.stdout.read() == "", "the child has ended"
        assert f"process {os.getpid()} " in (run.folder / ".lock").read_text()


def test_a_lock_is_free_after_its_with_block_even_if_that_fails(tmp_path):
    run = Run(tmp_path / "run")
    with pytest.raises(RuntimeError), run.locked():
        raise RuntimeError
    with run.locked():
        pass


def test_runs_in_other_folders_are_not_held_up(tmp_path, holder):
    with Run(tmp_path / "other").locked():
        pass


# What is a run


def test_clearing_a_run_leaves_the_files_of_others(tmp_path):
    run = Run(tmp_path / "run")
    foreign = [run.folder / name for name in ("notes.txt", "my_model.keras", "data/train_data.csv")]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    with run.locked():
        everything(run)
        run.clear()
    left = {path for path in run.folder.rglob("*") if path.is_file()}
    assert left == {*foreign, run.folder / ".lock"}
    assert all(path.read_text() == "mine" for path in foreign)
    assert not run.exists and not run.is_finished


def test_a_run_exists_from_its_study_json_and_is_finished_from_its_metrics_json(tmp_path):
    run = Run(tmp_path)
    assert not run.exists
    run.begin({"study": "toy"})
    assert run.exists and not run.is_finished and run.study() == {"study": "toy"}
    write_json(run.metrics_file, {"test": {}})
    assert run.is_finished and Run.finished(tmp_path).metrics() == {"test": {}}


def test_a_folder_that_is_no_finished_run_is_refused_with_what_is_missing(tmp_path):
    with pytest.raises(UsageError, match="no such run folder"):
        Run.finished(tmp_path / "absent")
    with pytest.raises(UsageError, match="holds no study.json"):
        Run.finished(tmp_path)
    Run(tmp_path).begin({})
    with pytest.raises(UsageError, match="not finished; repeat its tune command"):
        Run.finished(tmp_path)


def test_the_folder_of_a_comparison_names_the_runs_in_it(tmp_path):
    for arm in ("adam", "sgd"):
        (tmp_path / arm).mkdir()
        everything(Run(tmp_path / arm))
    with pytest.raises(UsageError, match=rf"{tmp_path / 'adam'}, {tmp_path / 'sgd'}"):
        Run.finished(tmp_path)


def test_a_place_that_cannot_hold_a_run_is_refused_and_nothing_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        check_writable(tmp_path / "file" / "run")
    check_writable(tmp_path / "new" / "run")
    assert os.listdir(tmp_path) == ["file"]


def test_a_run_s_json_files_can_be_read_by_others(tmp_path):
    run = Run(tmp_path)
    run.begin({"classes": ["shirt", "naïve"]})
    text = run.study_file.read_text(encoding="utf-8")
    assert json.loads(text)["classes"] == ["shirt", "naïve"] and text.endswith("\n")
