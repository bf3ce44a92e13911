"""A search of thousands of trials takes no more memory, and no more of its state, for the last of them than before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import share_of

DRIVER = Path(__file__).with_name("many_driver.py")


@pytest.mark.faults
@pytest.mark.parametrize("path", ["fit", "population"])
def test_two_thousand_trials_take_no_more_each_than_the_first_hundreds(path, tmp_path, counted):
    trials = share_of(20) * 100
    environment = {**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)}
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path / "run"), path, "random", str(trials)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    numbers, statements, memory = zip(*json.loads(done.stdout.splitlines()[-1]))
    assert numbers == (trials // 4, trials // 2, trials // 4 * 3, trials)
    first, last = statements[1] - statements[0], statements[3] - statements[2]
    assert last <= 1.25 * first, "statements to the state per trial"
    assert memory[3] - memory[0] < 60, "MB"
    counted(f"{trials:,} trials in one run, {path}", numbers[-1],
            f"{4 * last / trials:.0f} statements to the state per trial, first and last; {memory[3] - memory[0]:.0f} MB more "
            "after the last than after a quarter")  # fmt: skip
