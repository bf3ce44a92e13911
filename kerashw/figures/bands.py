"""Several runs of one thing as a line with a band: folds, executions, repeated trainings."""

import numpy as np

from kerashw.errors import UsageError
from kerashw.figures.style import counted, numbers_of

BANDS = {"range": "from the smallest to the largest", "std": "one standard deviation around the mean"}


def runs_of(values):
    """A float array (runs, steps) from one run or several; shorter runs end in NaN.

    >>> runs_of([1.0, 2.0]).shape, runs_of([[1.0, 2.0], [3.0]]).tolist()
    ((1, 2), [[1.0, 2.0], [3.0, nan]])
    """
    rows = list(values)
    if not rows or np.ndim(rows[0]) == 0:
        rows = [rows]
    steps = max(len(row) for row in rows)
    table = np.full((len(rows), steps), np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = numbers_of(row)
    return table


def middle(runs):
    """The mean over the runs that have a number there; NaN where none has."""
    return np.ma.masked_invalid(runs).mean(axis=0).filled(np.nan)


def middle_of_all(runs):
    """The mean over all runs where each has a number, NaN elsewhere; where they share no step, `middle`.

    >>> middle_of_all(runs_of([[2.0, 1.0], [4.0]])).tolist()
    [3.0, nan]
    """
    line = np.where(np.isfinite(runs).all(axis=0), middle(runs), np.nan)
    return line if np.isfinite(line).any() else middle(runs)


def edges(runs, band):
    """The lower and upper edge of the band: smallest and largest, or mean minus and plus standard deviation."""
    if band not in BANDS:
        raise UsageError(f"band must be one of {', '.join(BANDS)}, got {band!r}.")
    known = np.ma.masked_invalid(runs)
    if band == "range":
        low, high = known.min(axis=0), known.max(axis=0)
    else:
        low, high = known.mean(axis=0) - known.std(axis=0), known.mean(axis=0) + known.std(axis=0)
    return np.ma.filled(low, np.nan), np.ma.filled(high, np.nan)


def draw_runs(ax, x, runs, *, band, color, label, linestyle="-"):
    """The mean of the runs as a line, with a band behind it where there are several; a single step as a dot."""
    low, high = edges(runs, band)
    if len(runs) > 1:
        ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    line = middle_of_all(runs)  # those that go on alone when others have ended would make it jump
    marker = "o" if np.isfinite(line).sum() == 1 else None
    ax.plot(x, line, color=color, label=label, linestyle=linestyle, marker=marker, linewidth=1.6)


def band_sentence(tables, band):
    """What the bands mean, or nothing where there is but one run."""
    most = max((len(runs) for runs in tables), default=1)
    return f"Lines are means over {counted(most, 'run')}, bands go {BANDS[band]}." if most > 1 else ""
