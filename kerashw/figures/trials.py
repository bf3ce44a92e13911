"""How figures read trials: scores and ranks, settings as positions on an axis, and a view that outliers do not spoil.

A trial is a dict: "number", "settings" {name: value}, "score" (None without one), "status" ("completed", "failed",
"pruned" or "running"); where a figure says so also "reason", "scores" (per fold), "deviation", "begin" and "end".
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from kerashw.errors import UsageError
from kerashw.figures.style import (
    BLUE,
    GREY,
    LOG_ABOVE,
    ORANGE,
    VERMILION,
    counted,
    log_axis,
    number,
    numbers_of,
    shown,
)

# status: (colour, marker, hatch of a bar)
STATUSES = {
    "completed": (BLUE, "o", ""),
    "pruned": (ORANGE, "^", ""),
    "failed": (VERMILION, "x", "///"),
    "running": (GREY, "s", "\\\\"),
}
KINDS = ("linear", "log", "category")


@dataclass(frozen=True)
class Scale:
    """One setting over all trials as positions: numbers as they are, categories as 0, 1, ... with their names."""

    name: str
    kind: str
    positions: np.ndarray
    names: tuple = ()

    @property
    def label(self):
        """The name for an axis."""
        return f"{self.name} (log scale)" if self.kind == "log" else self.name


def scores_of(trials):
    """A float array with the score of each completed trial, NaN for the others."""
    return numbers_of([trial.get("score") if trial.get("status") == "completed" else None for trial in trials])


def ranks(scores, direction):
    """The rank of each score, 1 for the best; equal scores share one; 0 for NaN.

    >>> ranks(np.array([0.5, np.nan, 0.7, 0.7]), "max").tolist()
    [3, 0, 1, 1]
    """
    known = np.isfinite(scores)
    result = np.zeros(len(scores), int)
    if known.any():
        result[known] = rankdata(-scores[known] if check(direction) == "max" else scores[known], method="min")
    return result


def check(direction):
    """The direction, "min" or "max"."""
    if direction not in ("min", "max"):
        raise UsageError(f"direction must be 'min' or 'max', got {direction!r}.")
    return direction


def best_of(scores, direction):
    """The place of the best score, the first of equal ones; None where there is none."""
    if not np.isfinite(scores).any():
        return None
    return int(np.nanargmax(scores) if check(direction) == "max" else np.nanargmin(scores))


def setting_names(trials):
    """The names of all settings, in the order in which they first appear."""
    return list(dict.fromkeys(name for trial in trials for name in trial.get("settings", {})))


def scale_of(trials, name, kind=None):
    """A setting as a Scale; without a kind, numbers are linear and everything else is a category.

    >>> some = [{"settings": {"pool": "max"}}, {"settings": {"pool": None}}, {"settings": {}}]
    >>> scale_of(some, "pool").names, scale_of(some, "pool").positions.tolist()
    (('max', 'none'), [0.0, 1.0, nan])
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"the scale of {name} must be one of {', '.join(KINDS)}, got {kind!r}.")
    missing = object()
    values = [trial.get("settings", {}).get(name, missing) for trial in trials]
    given = [value for value in values if value is not missing]
    numeric = all(_is_number(value) for value in given)
    if kind == "category" or not numeric:
        distinct = {shown(value): value for value in given}
        order = sorted(distinct, key=distinct.get) if numeric else list(distinct)
        places = [order.index(shown(value)) if value is not missing else None for value in values]
        return Scale(name, "category", numbers_of(places), tuple(order))
    positions = numbers_of([None if value is missing else value for value in values])
    above = positions[np.isfinite(positions)]
    return Scale(name, "log" if kind == "log" and (above > 0).all() else "linear", positions)


def draw_axis(ax, scale, which="x"):
    """The axis of a setting: logarithmic, or with the names of the categories."""
    axis, limits = getattr(ax, f"{which}axis"), getattr(ax, f"set_{which}lim")
    known = scale.positions[np.isfinite(scale.positions)]
    if scale.kind == "log" and known.size:
        low, high = known.min() / 1.5, known.max() * 1.5
        if high / low < 10:  # powers of ten alone would leave it without a label
            low, high = low / 1.5, high * 1.5
            log_axis(ax, which, low, high)
        else:
            getattr(ax, f"set_{which}scale")("log")
        limits(low, high)
    if scale.kind == "category":
        axis.set_ticks(range(len(scale.names)), [_cut(name) for name in scale.names])
        limits(-0.6, max(len(scale.names), 1) - 0.4)
        if which == "x" and sum(map(len, scale.names)) > 18:
            ax.tick_params(axis="x", rotation=35)
            for label in ax.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")


def view(scores, direction=None):
    """("log" or "linear", lowest, highest) of an axis that shows the scores well.

    Where a few scores lie so far off that they would squeeze the rest into a line, they are left outside, but for those
    that are good in a direction.

    >>> view(np.array([0.8, 0.9, 0.85, 0.87, -1e9]))
    ('linear', 0.795, 0.905)
    >>> view(np.array([0.1] * 8 + [0.11] * 3 + [0.97]), "max")
    ('linear', 0.0565, 1.0135)
    """
    known = np.sort(scores[np.isfinite(scores)])
    if not known.size:
        return "linear", 0.0, 1.0
    if known[0] > 0 and known[-1] > LOG_ABOVE * known[0]:
        return "log", known[0] / 1.3, known[-1] * 1.3
    low, high = known[0], known[-1]
    first, third = np.quantile(known, [0.25, 0.75])
    fence = 3 * (third - first)
    if fence > 0 and high - low > 20 * (third - first):
        inside = known[(known >= first - fence) & (known <= third + fence)]
        low, high = low if direction == "min" else inside[0], high if direction == "max" else inside[-1]
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return "linear", float(round(low - room, 12)), float(round(high + room, 12))


def outside_sentence(scores, low, high):
    """How many scores an axis does not reach, or nothing."""
    known = scores[np.isfinite(scores)]
    beyond = known[(known < low) | (known > high)]
    if not beyond.size:
        return ""
    reach = f"down to {number(beyond.min())}" if beyond.min() < low else f"up to {number(beyond.max())}"
    return f"{counted(beyond.size, 'score')} outside of the axis, {reach}, {'is' if beyond.size == 1 else 'are'} " \
           "drawn at its edge."  # fmt: skip


def failures_sentence(trials):
    """How many trials have failed and why, and how many were pruned or still run; nothing where all were completed."""
    told = []
    failed = [trial for trial in trials if trial.get("status") == "failed"]
    if failed:
        reasons = [trial.get("reason") or "no reason given" for trial in failed]
        counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
        told.append(f"{counted(len(failed), 'trial')} failed "
                    f"({', '.join(f'{reason}: {count}' for reason, count in counts.items())}).")  # fmt: skip
    for status, words in (("pruned", "pruned early"), ("running", "not finished")):
        count = sum(trial.get("status") == status for trial in trials)
        if count:
            told.append(f"{counted(count, 'trial')} {'was' if count == 1 else 'were'} {words}.")
    return " ".join(told)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cut(name):
    return name if len(name) <= 16 else f"{name[:15]}…"
