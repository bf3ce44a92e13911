"""Whole commands with real trainings killed again and again; in a file of its own, to run beside the quick searches."""

import pytest
from test_killed import check_killed


@pytest.mark.faults
@pytest.mark.parametrize("path", ["fit", "population"])
def test_no_kill_of_a_command_loses_repeats_or_changes_a_trial(path, tmp_path, counted):
    check_killed(tmp_path, path, 12, "real trainings", counted)
