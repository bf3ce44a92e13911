"""Time per member and epoch of nets 1-128-64-1 trained together, against the arithmetic floor."""

import statistics
import time

import numpy as np

from benchmarks import floor
from benchmarks.processes import as_kerashw, process
from benchmarks.rows import Row, Target

HIDDEN, ITEMS, HELD, BATCH = (128, 64), 75, 25, 10
WIDTHS = (1, *HIDDEN, 1)
MEMBERS = (1, 8, 64)


def measure(asked):
    """One row for each number of members; the target is for the largest."""
    repeats = asked.of(smoke=1, quick=5, full=15)
    epochs = asked.of(smoke=20, quick=1600, full=6400)  # of all members, eight times over; see `epoch_seconds`
    operations = floor.epoch(WIDTHS, ITEMS, BATCH, HELD)
    with process(as_kerashw) as answer:
        for members in MEMBERS:
            rate = answer("floor:product_rate", asked.of(smoke=1, quick=5, full=15))
            count = max(epochs // max(members, 8), 2)
            seconds, start = answer("member_epoch:epoch_seconds", members, count, repeats)
            yield Row(
                what=f"member-epoch, {members} of 1-128-64-1", ours=1000 * seconds, unit="ms",
                peer=1000 * operations / rate, peer_name="arithmetic floor",
                target=Target("ratio", ">=", 0.25) if members == max(MEMBERS) else None,
                note=f"{operations / 1e6:.2f} million operations, products at {rate / 1e9:.0f} GFLOP/s measured just "
                f"before; compiling, {start:.2g} s, is excluded",
            )  # fmt: skip


def epoch_seconds(members, epochs, repeats):
    """(median seconds of one epoch of one member, seconds of the first call for compiling).

    The time of a training with `epochs` epochs is taken from that of one with five times as many: what is left is
    the loop alone, without building and drawing the members.
    """
    from kerashw.models import mlp
    from kerashw.population import Member, train_together
    from kerashw.training import Task

    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, (ITEMS + HELD, 1)).astype("float32")
    task = Task(x, np.sin(3 * x), 1, False)
    train, held = np.arange(ITEMS, dtype="int32"), np.arange(ITEMS, ITEMS + HELD, dtype="int32")

    def seconds(count):
        settings = dict(hidden=HIDDEN, activation="sigmoid", optimizer="adam", batch_size=BATCH, epochs=count)
        crowd = [Member({**settings, "learning_rate": rate}, train, held, seed=number)
                 for number, rate in enumerate(np.geomspace(1e-4, 1e-2, members).tolist())]  # fmt: skip
        began = time.perf_counter()
        train_together(mlp, crowd, task, keep_models=False)
        return time.perf_counter() - began

    first, short, long = seconds(epochs), seconds(epochs), seconds(5 * epochs)
    start, each = first - short, []
    for _ in range(repeats):
        short, long = seconds(epochs), seconds(5 * epochs)
        each.append((long - short) / (4 * epochs * members))
    return statistics.median(each), start
