"""The same search with and without stopping losers early: time, and how good the winner is."""

import statistics
import tempfile

from benchmarks import runs
from benchmarks.rows import Row, Target
from benchmarks.significance import WORSE, p_worse


def measure(asked):
    """Rows of seconds, validation and test scores, each the median over several seeds."""
    if not runs.has_option("--prune"):
        yield Row(what="pruning", note="this kerashw has no --prune, so nothing was measured")
        return
    seeds = asked.of(smoke=2, quick=5, full=10)
    yield from _compared(asked, "regression_cv", seeds, [
        "--trials", asked.of(smoke=4, quick=40, full=300), "--epochs", asked.of(smoke=3, quick=150, full=150),
    ])  # fmt: skip
    if asked.size == "full":  # models that are trained one after the other
        yield from _compared(asked, "mnist", seeds, ["--samples", 6000, "--trials", 20, "--epochs", 6])


def _compared(asked, task, seeds, words):
    pruned, whole = (
        [_searched(asked, task, rule, seed, words) for seed in range(seeds)] for rule in ("median", "none")
    )
    counted = ", ".join(str(one["trials"].get("pruned", 0)) for one in pruned)
    yield Row(
        what=f"pruning, {task}: the whole command", ours=_median(pruned, "seconds_of_command"),
        peer=_median(whole, "seconds_of_command"), peer_name="without pruning",
        note=f"median of {seeds} seeds; pruned trials: {counted} of {words[words.index('--trials') + 1]}",
    )  # fmt: skip
    name = pruned[0]["objective"].removeprefix("val_")
    name = name if name in pruned[0]["test"] else next(iter(pruned[0]["test"]))
    is_more = name in ("accuracy", "r2")
    for part, values in (
        ("validation", lambda one: one["validation"]["score"]),
        ("test", lambda one: one["test"][name]),
    ):
        with_rule, without = [values(one) for one in pruned], [values(one) for one in whole]
        yield Row(
            what=f"pruning, {task}: {part} {name} of the winner", unit="", ours=statistics.median(with_rule),
            peer=statistics.median(without), peer_name="without pruning", has_ratio=False,
            p=p_worse(with_rule, without, is_more), target=Target("p", ">=", WORSE),
            note=f"median of {seeds} seeds; p is of a Mann-Whitney test whether pruning is worse",
        )  # fmt: skip


def _searched(asked, task, rule, seed, words):
    with tempfile.TemporaryDirectory() as folder:
        done = runs.tune(asked, task, *words, "--prune", rule, "--seed", seed, out=folder)
        return {**done.run.metrics(), "seconds_of_command": done.seconds}


def _median(results, name):
    return statistics.median(one[name] for one in results)
