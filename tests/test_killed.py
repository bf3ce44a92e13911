"""Searches killed again and again, at writes and at random instants: they end as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import share_of

DRIVER = Path(__file__).with_name("kill_driver.py")


def driven(folder, name, count):
    """What the driver of these tests has counted."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), name, str(count), "1"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check_killed(folder, name, kills, what, counted):
    """So many kills, none of which lost, repeated or changed a trial."""
    told = driven(folder, name, share_of(kills))
    assert told["kills"] >= share_of(kills)
    counted(f"SIGKILL, {what}, {name}", told["kills"],
            f"{told['write']} at a write, {told['instant']} at any instant; {told['runs']} runs equal to one never killed")


@pytest.mark.faults
@pytest.mark.parametrize("tuner", ["grid", "random", "bayesian", "hyperband"])
def test_no_kill_loses_repeats_or_changes_a_trial(tuner, tmp_path, counted):
    check_killed(tmp_path, tuner, 100, "trainings of 2 ms", counted)


@pytest.mark.faults
def test_a_flipped_byte_of_what_was_written_ahead_is_found_and_the_search_ends_as_it_would(tmp_path, counted):
    told = driven(tmp_path, "wal", share_of(100))
    assert told["found"] > 0.7 * told["flips"]
    counted("trials.db-wal, one byte flipped", told["flips"],
            f"{told['found']} found, the others changed nothing; all searches ended as one that was left alone")
