"""Searches by workers, killed again and again: a worker, a node, the process that hands out the trials."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import share_of

DRIVER = Path(__file__).with_name("workers_driver.py")
KILLS = 20
CASES = [
    *(pytest.param("processes", what, marks=pytest.mark.faults) for what in ("worker", "coordinator")),
    *(pytest.param("ray", what, marks=pytest.mark.cluster) for what in ("worker", "node", "coordinator")),
]


@pytest.mark.parametrize("kind, what", CASES)
def test_no_kill_loses_a_trial_or_tells_of_one_twice(kind, what, tmp_path, counted):
    secret = dict(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0123456789abcdef" * 2)
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), kind, what, str(share_of(KILLS)), "1"], capture_output=True, text=True,
        env={**os.environ, **secret, "PYTHONPATH": str(DRIVER.parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= share_of(KILLS)
    counted(f"SIGKILL, a {what}, {'Ray on simulated nodes' if kind == 'ray' else 'worker processes'}", told["kills"],
            f"each of {told['runs']} searches ended with every trial once, as one that was left alone")  # fmt: skip
