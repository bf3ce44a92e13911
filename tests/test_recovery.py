"""Damaged files of a run: each is found, named and kept aside, and put right where a copy or the seed can do it."""

import contextlib
import csv
import random
import shutil
import sqlite3

import numpy as np
import pytest

from kerashw import tune
from kerashw.commands import quiet_tensorflow, run
from kerashw.errors import Damaged
from kerashw.recovery import recover
from kerashw.run import Run, read_json
from kerashw.store import Store

quiet_tensorflow()

STUDY = '''"""A line."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Random(trials=3), together=False, settings=dict(
    hidden=(2,), learning_rate=Choice(0.001, 0.01, 0.1), batch_size=8, epochs=2))
'''


def flip(content):
    """One byte changed, in the middle of what is not zero; of a database, in a row: not all of its bytes are in use."""
    places = [place for place, byte in enumerate(content) if byte]
    place = content.rfind(b"learning_rate") if content.startswith(b"SQLite") else places[len(places) * 2 // 3]
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "zeroed": lambda content: bytes(len(content)),
    "flipped": flip,
    "deleted": None,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A person's folder with a study, its data and a finished run."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "own.py").write_text(STUDY)
    rows = "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist())
    for name in ("train_data.csv", "test_data.csv"):
        (folder / name).write_text(f"x,y\n{rows}")
    assert not tune.main(command(folder, folder / "run"))
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """The same run in a folder of the test's own."""
    shutil.copytree(whole / "run", tmp_path / "run")
    return Run(tmp_path / "run")


def command(whole, folder):
    return ["--task", str(whole / "own.py"), "--data-dir", str(whole), "--out", str(folder.parent),
            "--name", folder.name, "--no-figures", "-q"]  # fmt: skip


def harm(path, how):
    """The damaged content that lies there now, or None."""
    if DAMAGE[how] is None:
        path.unlink()
        return None
    content = DAMAGE[how](path.read_bytes())
    path.write_bytes(content)
    return content


def trials_of(run):
    with contextlib.closing(run.store()) as store:
        return [(trial, store.history(trial.number)) for trial in store.trials()]


def rows_of(run):
    with open(run.trials_file, newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def kept_aside(path, content):
    """Whether the damaged content lies beside the path, under a name of its own."""
    if content is None:
        return not list(path.parent.glob(f"{path.name}.damaged-*"))
    return path.with_name(f"{path.name}.damaged-1").read_bytes() == content


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_state_is_kept_aside_and_the_search_goes_on_from_its_copy(how, copy):
    expected, said = trials_of(copy), []
    content = harm(copy.store_file, how)
    recover(copy, said.append)
    assert len(said) == 1 and "trials.db" in said[0] and "goes on from its copy" in said[0]
    assert trials_of(copy) == expected and kept_aside(copy.store_file, content)
    recover(copy, said.append)
    assert len(said) == 1, "what is whole is left alone"


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_study_is_restored_from_the_state_of_the_search(how, copy):
    expected, said = copy.study(), []
    content = harm(copy.study_file, how)
    recover(copy, said.append)
    assert len(said) == 1 and "study.json" in said[0] and "restored from trials.db" in said[0]
    assert copy.study() == expected and kept_aside(copy.study_file, content)


def test_study_and_state_come_back_from_the_copy_when_both_are_damaged(copy):
    expected = copy.study(), trials_of(copy)
    harm(copy.study_file, "zeroed")
    harm(copy.store_file, "truncated")
    recover(copy, lambda text: None)
    assert (copy.study(), trials_of(copy)) == expected


@pytest.mark.parametrize("how", ["truncated", "zeroed", "flipped"])
def test_what_no_copy_can_restore_is_refused_by_name_and_left_where_it_lies(how, copy):
    contents = [harm(path, how) for path in (copy.store_file, copy.store_copy)]
    with pytest.raises(Damaged, match=r"trials\.db: .* so is its copy, .*trials\.db\.copy; start anew with --overwrite"):
        recover(copy, print)
    assert [path.read_bytes() for path in (copy.store_file, copy.store_copy)] == contents
    copy.store_copy.unlink()
    with pytest.raises(Damaged, match=r"trials\.db: .*--overwrite"):
        recover(copy, print)


def test_without_state_and_copy_the_search_begins_anew_and_says_so(copy):
    said = []
    copy.store_file.unlink()
    copy.store_copy.unlink()
    recover(copy, said.append)
    assert "begins anew" in said[0] and trials_of(copy) == [] and copy.store_copy.exists()


@pytest.mark.parametrize(
    "name, how",
    [("trials.db", "flipped"), ("study.json", "deleted"), ("metrics.json", "flipped"), ("model.keras", "flipped"),
     ("exports.json", "truncated"), ("model/1/saved_model.pb", "zeroed"), ("model.keras", "deleted")],
)  # fmt: skip
def test_the_same_command_puts_a_finished_run_right_with_equal_trials_and_test_metrics(name, how, whole, copy, capsys):
    from kerashw.formats import load_format, load_model

    metrics, rows = copy.metrics(), rows_of(copy)
    harm(copy.folder / name, how)
    assert run(tune.main, command(whole, copy.folder)) == 0
    errors = capsys.readouterr().err
    assert name.split("/")[-1] in errors and "Traceback" not in errors
    assert rows_of(copy) == rows and copy.metrics()["winner"] == metrics["winner"]
    assert copy.metrics()["test"] == pytest.approx(metrics["test"], rel=1e-5)
    assert load_model(copy) and load_format(copy, "savedmodel")
    assert list(copy.folder.rglob("*.damaged-1")) or how == "deleted"


@pytest.mark.parametrize(
    "name", ["report.html", *(pytest.param(name, marks=pytest.mark.faults) for name in
    ("exports.json", "metrics.json", "trials.csv", "history.csv", "trials.db.copy", "model", "model.keras",
     "study.json"))],
)  # fmt: skip
def test_the_same_command_makes_again_what_was_deleted_singly(name, whole, copy, capsys, counted):
    from kerashw.formats import load_format, load_model

    metrics, rows, history = copy.metrics(), rows_of(copy), copy.history()
    files = sorted(path.relative_to(copy.folder) for path in copy.folder.rglob("*") if "tensorboard" not in path.parts)
    place = copy.folder / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert run(tune.main, command(whole, copy.folder)) == 0
    errors = capsys.readouterr().err
    assert name in errors and "Traceback" not in errors, errors
    found = sorted(path.relative_to(copy.folder) for path in copy.folder.rglob("*") if "tensorboard" not in path.parts)
    assert {*files} - {*found} == set() and not list(copy.folder.rglob("*.damaged-*"))
    assert rows_of(copy) == rows and copy.metrics()["winner"] == metrics["winner"]
    assert copy.history()["loss"] == pytest.approx(history["loss"], rel=1e-5)
    assert copy.metrics()["test"] == pytest.approx(metrics["test"], rel=1e-5)
    assert load_model(copy) and load_format(copy, "savedmodel")
    counted("a file of a finished run deleted", 1, "said, made again by the same command, equal in content")


@pytest.mark.parametrize("name", ["study.json", "metrics.json", "exports.json"])
def test_no_single_flipped_byte_of_a_json_file_is_read_as_another_value(name, copy):
    path = copy.folder / name
    content, chance, expected = path.read_bytes(), random.Random(0), read_json(path)
    for _ in range(200):
        place, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            found = read_json(path)
        except Damaged as error:
            assert name in str(error)
            continue
        assert {key: found.get(key) for key in expected} == expected, f"byte {place}, bit {bit}"


def test_a_flipped_byte_of_the_state_is_found_or_changes_nothing(tmp_path):
    tried, found = flips(tmp_path, 150)
    assert tried == 150 and found > 75


@pytest.mark.faults
def test_thousands_of_flipped_bytes_of_the_state_are_found_or_change_nothing(tmp_path, counted):
    tried, found = flips(tmp_path, 5000)
    counted("trials.db, one byte flipped", tried, f"{found} found, {tried - found} changed nothing that is kept")


def flips(folder, count):
    """(bytes flipped, of those found); the others leave every trial, training, epoch and event as it was."""
    from test_store import filled

    path = folder / "trials.db"
    filled(path).close()
    content, chance, expected, found = path.read_bytes(), random.Random(1), everything(path), 0
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(count):
        place, bit = chance.choice(used), 1 << chance.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        try:
            with contextlib.closing(Store(path, "ro")) as store:
                store.check()
            assert everything(path) == expected, f"byte {place}, bit {bit}"
        except Damaged:
            found += 1
    return count, found


def everything(path):
    with contextlib.closing(Store(path, "ro")) as store:
        return store.trials(), [store.history(0, fold) for fold in (0, 1)], store.events("failure")


def test_a_copy_that_would_be_damaged_does_not_take_the_place_of_a_good_one(copy):
    good = copy.store_copy.read_bytes()
    with contextlib.closing(copy.store()) as store:
        with contextlib.closing(sqlite3.connect(copy.store_file)) as other:
            other.execute("UPDATE trials SET score=0.0 WHERE number=1")
            other.commit()
        with pytest.raises(Damaged, match="trials have changed since they were written"):
            store.copy_to(copy.store_copy)
    assert copy.store_copy.read_bytes() == good
    assert not list(copy.folder.glob(".trials.db.copy.*"))
