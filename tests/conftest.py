"""What tests of faults share: how often each fault is injected, and a note of it where a variable names a file."""

import json
import os
from pathlib import Path

import pytest

from kerashw.provenance import git_commit


def share_of(count):
    """So many injections, or the share of them that FAULTS_SHARE tells, for who has less time."""
    return max(1, round(count * float(os.environ.get("FAULTS_SHARE", 1))))


@pytest.fixture
def counted(request):
    """A function that notes how often a fault was tried, and what was seen, in the file that FAULTS_COUNTED names."""

    def note(fault, tried, seen):
        if place := os.environ.get("FAULTS_COUNTED"):
            with Path(place).open("a", encoding="utf-8") as file:
                line = {"fault": fault, "tried": tried, "seen": seen, "test": request.node.nodeid,
                        "commit": (git_commit() or "")[:8]}  # fmt: skip
                file.write(json.dumps(line) + "\n")

    return note
