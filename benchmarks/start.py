"""Time from the command to its first finished trial."""

import statistics
import tempfile

from benchmarks import runs
from benchmarks.rows import Row, Target

LIMITS = {"regression": 8, "mnist": 20}  # seconds


def measure(asked):
    """The quick preset as a person types it, seen through its trials.db."""
    for task, limit in LIMITS.items():
        small = asked.of(smoke=["--epochs", 1, *(["--samples", 200] if task == "mnist" else [])], quick=[], full=[])
        seconds = []
        for _ in range(asked.of(smoke=1, quick=1, full=7)):
            with tempfile.TemporaryDirectory() as folder:
                seconds.append(runs.seconds_to_first_trial(asked, task, *small, out=folder))
        yield Row(
            what=f"first finished trial of --task {task}", ours=statistics.median(seconds),
            target=Target("ours", "<=", limit), note=f"median of {len(seconds)}" if len(seconds) > 2 else "",
        )  # fmt: skip
