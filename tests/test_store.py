"""The state of a search: what is written comes back, what is half done survives, what is damaged is said."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from kerashw.errors import WorkError
from kerashw.store import Execution, Store

HISTORY = {"epoch": [1, 2], "loss": [0.5, 0.25], "val_accuracy": [0.75, 0.875]}


def execution(fold=0, number=0, score=0.875, metrics=None):
    return Execution(fold, number, 17, score, 2, 1.5, metrics or {"loss": 0.25, "val_accuracy": score})


def filled(path):
    store = Store(path)
    store.begin_trial(0, {"learning_rate": 0.1, "hidden": "(8,)", "units": 3, "flag": True, "none": None})
    store.add_executions([(0, execution(0, 0), HISTORY)])
    store.add_executions([(0, execution(1, 0, 0.5), HISTORY)])
    store.end_trial(0, status="completed", score=0.6875, deviation=0.1875, parameters=42, seconds=3.25)
    store.begin_trial(1, {"learning_rate": 1e30})
    store.end_trial(1, status="failed", reason="diverged", message="Diverged: loss was nan", seconds=0.5)
    return store


def test_what_is_written_comes_back_equal_in_another_process_s_store(tmp_path):
    filled(tmp_path / "trials.db").close()
    won, failed = Store(tmp_path / "trials.db").trials()
    assert won.proposed == {"learning_rate": 0.1, "hidden": "(8,)", "units": 3, "flag": True, "none": None}
    assert (won.status, won.score, won.deviation, won.parameters, won.seconds) == ("completed", 0.6875, 0.1875, 42, 3.25)
    assert won.executions == (execution(0, 0), execution(1, 0, 0.5))
    assert (failed.status, failed.reason, failed.message) == ("failed", "diverged", "Diverged: loss was nan")
    assert failed.score is failed.deviation is failed.parameters is None and failed.executions == ()


def test_a_trial_knows_when_it_last_began_and_when_it_ended(tmp_path):
    before = time.time()
    store = filled(tmp_path / "trials.db")
    store.begin_trial(2, {})
    first = store.trial(2).began
    store.begin_trial(2, {})
    done, _, again = store.trials()
    assert before <= done.began <= done.ended <= first <= again.began <= time.time()
    assert again.ended is None


def test_a_file_made_before_trials_had_times_and_checksums_is_read_and_written_on(tmp_path):
    path = tmp_path / "trials.db"
    filled(path).close()
    database = sqlite3.connect(path)
    for name in ("began", "ended", "attempts"):
        database.execute(f"ALTER TABLE trials DROP COLUMN {name}")
    for table in ("trials", "executions", "epochs", "events"):
        database.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    database.close()
    reader = Store(path, "ro")
    assert [(trial.score, trial.executions[:1], trial.began) for trial in reader.trials()] == [
        (0.6875, (execution(0, 0),), None), (None, (), None),
    ]  # fmt: skip
    store = Store(path)
    store.begin_trial(2, {"units": 1})
    store.end_trial(2, status="completed", score=0.5)
    old, _, new = store.trials()
    assert (old.score, old.began, old.ended) == (0.6875, None, None)
    assert new.began <= new.ended
    store.close()
    assert Store(path).trial(2) == new


def test_a_value_keeps_its_last_bit(tmp_path):
    store = Store(tmp_path / "trials.db")
    store.begin_trial(0, {"learning_rate": 0.1 + 0.2})
    store.add_executions([(0, execution(score=1 / 3), {"epoch": [1], "loss": [2 / 3]})])
    store.end_trial(0, status="completed", score=1 / 3)
    trial = store.trial(0)
    assert (trial.proposed["learning_rate"], trial.score, trial.executions[0].score) == (0.1 + 0.2, 1 / 3, 1 / 3)
    assert store.history(0)["loss"] == [2 / 3]


def test_the_history_of_each_training_is_kept_per_epoch(tmp_path):
    store = filled(tmp_path / "trials.db")
    assert store.history(0, fold=1) == HISTORY
    assert store.history(0, fold=2) == {"epoch": []}


def test_a_training_that_goes_on_keeps_its_own_epoch_numbers():
    store = Store(":memory:")
    store.begin_trial(0, {})
    store.add_executions([(0, execution(), {"epoch": [4, 5], "loss": [0.2, 0.1]})])
    assert store.history(0) == {"epoch": [4, 5], "loss": [0.2, 0.1]}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_cannot_hold_is_refused_and_nothing_of_it_stays(bad):
    store = Store(":memory:")
    with pytest.raises(ValueError):
        store.begin_trial(0, {"learning_rate": bad})
    assert store.trials() == []
    store.begin_trial(0, {})
    with pytest.raises(ValueError):
        store.add_executions([(0, execution(), {"epoch": [1, 2], "loss": [0.5, bad]})])
    with pytest.raises(ValueError):
        store.add_executions([(0, execution(metrics={"loss": bad}), HISTORY)])
    assert store.executions(0) == [] and store.history(0) == {"epoch": []}


def test_every_json_text_in_the_file_is_strict(tmp_path):
    filled(tmp_path / "trials.db").close()
    database = sqlite3.connect(tmp_path / "trials.db")
    texts = database.execute(
        "SELECT proposed FROM trials UNION ALL SELECT metrics FROM executions UNION ALL SELECT metrics FROM epochs"
    ).fetchall()
    assert len(texts) == 2 + 2 + 4

    def refuse(constant):
        raise AssertionError(constant)

    for (text,) in texts:
        json.loads(text, parse_constant=refuse)


def test_an_interrupted_trial_begins_again_and_keeps_its_executions(tmp_path):
    store = Store(tmp_path / "trials.db")
    store.begin_trial(0, {"units": 3})
    store.add_executions([(0, execution(fold=0), HISTORY)])
    store.close()
    again = Store(tmp_path / "trials.db")
    assert again.trial(0).status == "running"
    again.begin_trial(0, {"units": 3})
    assert again.trial(0).executions == (execution(fold=0),)


def test_a_process_killed_at_once_loses_nothing_that_it_had_written(tmp_path):
    script = """
import os, signal, sys
from kerashw.store import Store, Execution
store = Store(sys.argv[1])
for number in range(50):
    store.begin_trial(number, {"units": number})
    store.add_executions([(number, Execution(0, 0, 1, 0.5, 1, 0.1, {"loss": 0.5}), {"epoch": [1], "loss": [0.5]})])
    store.end_trial(number, status="completed", score=number / 64)
store.begin_trial(50, {"units": 50})
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "trials.db")])
    assert killed.returncode == -signal.SIGKILL
    trials = Store(tmp_path / "trials.db").trials()
    assert [trial.score for trial in trials[:50]] == [number / 64 for number in range(50)]
    assert all(len(trial.executions) == 1 for trial in trials[:50])
    assert [trial.status for trial in trials[49:]] == ["completed", "running"]


def test_a_dropped_trial_leaves_nothing_and_its_number_is_free(tmp_path):
    store = filled(tmp_path / "trials.db")
    store.drop_trial(0)
    assert [trial.number for trial in store.trials()] == [1]
    assert store.executions(0) == [] and store.history(0) == {"epoch": []}
    store.begin_trial(0, {"units": 9})
    assert store.trial(0).proposed == {"units": 9} and store.trial(0).executions == ()


def test_trials_come_in_the_order_of_their_numbers():
    store = Store(":memory:")
    for number in (2, 0, 1, 10):
        store.begin_trial(number, {})
    assert [trial.number for trial in store.trials()] == [0, 1, 2, 10]


def test_a_training_cannot_be_recorded_twice():
    store = Store(":memory:")
    store.begin_trial(0, {})
    store.add_executions([(0, execution(), HISTORY)])
    with pytest.raises(sqlite3.IntegrityError):
        store.add_executions([(0, execution(), HISTORY)])
    assert len(store.executions(0)) == 1 and store.history(0) == HISTORY


def test_all_is_in_one_file_after_closing(tmp_path):
    filled(tmp_path / "trials.db").close()
    assert [path.name for path in tmp_path.iterdir()] == ["trials.db"]


def test_events_keep_their_kind_and_text(tmp_path):
    store = Store(tmp_path / "trials.db")
    store.add_event("failure", "trial 3\nTraceback ...")
    store.close()
    database = sqlite3.connect(tmp_path / "trials.db")
    assert database.execute("SELECT kind, text FROM events").fetchall() == [("failure", "trial 3\nTraceback ...")]


def test_a_reader_sees_a_search_that_goes_on_and_cannot_write(tmp_path):
    store = filled(tmp_path / "trials.db")
    reader = Store(tmp_path / "trials.db", "ro")
    assert [trial.status for trial in reader.trials()] == ["completed", "failed"]
    with pytest.raises(WorkError, match="trials.db"):
        reader.begin_trial(2, {})
    store.begin_trial(2, {})
    assert [trial.status for trial in reader.trials()] == ["completed", "failed", "running"]


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "trials.db"
    path.write_bytes(b"these are not the trials you are looking for" * 100)
    with pytest.raises(WorkError, match=r"trials\.db: .* damaged \(file is not a database\).*--overwrite"):
        Store(path)
    with pytest.raises(WorkError, match=r"absent\.db: the state of the search cannot be opened"):
        Store(tmp_path / "absent.db", "ro")


def test_a_file_that_is_damaged_within_is_named(tmp_path):
    path = tmp_path / "trials.db"
    store = Store(path)
    for number in range(200):
        store.begin_trial(number, {"text": "x" * 100})
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(WorkError, match=r"trials\.db: the state of the search cannot be"):
        Store(path).trials()


def test_a_full_disk_is_a_fault_of_the_run_and_what_was_written_stays(tmp_path):
    path = tmp_path / "trials.db"
    store = filled(path)
    before = store.trials()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 65536, limits[1]))
    try:
        with pytest.raises(WorkError, match=r"trials\.db: .* make room"):
            for number in range(2, 100):
                store.begin_trial(number, {})
                store.add_executions([(number, execution(), {"epoch": list(range(99)), "loss": [0.5] * 99})])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Store(path).trials()[:2] == before
