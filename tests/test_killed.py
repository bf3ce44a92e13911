"""Searches killed again and again, at writes and at random instants: they end as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("kill_driver.py")
KILLS = {"grid": 100, "random": 100, "bayesian": 100, "hyperband": 100, "fit": 12, "population": 12}


@pytest.mark.faults
@pytest.mark.parametrize("name", KILLS)
def test_no_kill_loses_repeats_or_changes_a_trial(name, tmp_path, counted):
    environment = {**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)}
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), name, str(KILLS[name]), "1"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= KILLS[name]
    what = f"real trainings, {name}" if name in ("fit", "population") else f"trainings of 2 ms, {name}"
    counted(f"SIGKILL, {what}", told["kills"],
            f"{told['write']} at a write, {told['instant']} at any instant; {told['runs']} runs equal to one never killed")
