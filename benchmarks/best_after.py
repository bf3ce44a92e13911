"""The best score after n trials of Bayesian searches, over several seeds: a faster oracle must not be a worse one."""

import statistics

from benchmarks.functions import FUNCTIONS, grid, score_of, study_of
from benchmarks.processes import as_kerashw, process, spread
from benchmarks.rows import Row, Target, is_installed, with_peer
from benchmarks.significance import WORSE, p_worse


def measure(asked):
    """Rows for three standard functions and for the regression study as a table of scores."""
    trials, initial = asked.of(smoke=(8, 5), quick=(20, 10), full=(60, None))
    seeds = range(asked.of(smoke=2, quick=10, full=20))
    sides = ["ours", "KerasTuner", *(["Optuna TPE"] if is_installed("optuna") else [])]
    with process(as_kerashw) as answer:
        table = answer("functions:regression_table", asked.data_dir, grid(), asked.of(smoke=1, quick=100, full=100))
    cases = [(name, side, seed) for name in (*FUNCTIONS, "regression") for side in sides for seed in seeds]
    best = spread("best_after:best", [(name, side, trials, initial, seed, table) for name, side, seed in cases])
    found = {}
    for (name, side, _), value in zip(cases, best, strict=True):
        found.setdefault((name, side), []).append(value)
    for name in (*FUNCTIONS, "regression"):
        what = f"best after {trials}, {name}"
        yield _row(what, found[name, "ours"], found[name, "KerasTuner"], "KerasTuner's oracle", len(seeds), True)

        def compared(name=name, what=what):
            return _row(what, found[name, "ours"], found[name, "Optuna TPE"], "Optuna TPE", len(seeds), False)

        yield with_peer("optuna", what, compared)


def _row(what, mine, theirs, peer_name, seeds, is_asked):
    p = p_worse(mine, theirs)
    return Row(
        what=what, unit="", ours=statistics.median(mine), peer=statistics.median(theirs), peer_name=peer_name,
        has_ratio=False, p=p, target=Target("p", ">=", WORSE) if is_asked else None,
        note=f"medians of {seeds} seeds, less is better; p is of a Mann-Whitney test whether ours is worse",
    )  # fmt: skip


def best(name, side, trials, initial, seed, table):
    """The best score of one search."""
    from benchmarks.proposers import SIDES

    return min(value for _, value in SIDES[side](study_of(name, trials, initial), score_of(name, table), seed))
