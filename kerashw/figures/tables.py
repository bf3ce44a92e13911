"""A grid of settings as a table: score per fold, mean, deviation and rank, the best first."""

import numpy as np

from kerashw.figures.style import (
    BLACK,
    CHARACTER,
    GREY,
    ROW,
    VERMILION,
    captioned,
    counted,
    number,
    panels,
    plain,
    shown,
)
from kerashw.figures.trials import best_of, failures_sentence, ranks, scores_of, setting_names

ROWS_AT_MOST = 30
FAILED_AT_MOST = 5


def grid_table(*, trials, metric, direction="min", title=None):
    r"""A row for each trial, the best first, then the failed ones with their reason.

    A trial needs "scores" (one for each fold), "score" (their mean) and "deviation" beside its settings. A table of
    more than 30 rows shows the best and up to five failed ones, and says so; settings that are the same in all rows
    are named in the caption instead.

    >>> trials = [dict(number=0, settings={"rate": 0.1, "l2": 0}, scores=[0.5, 0.7], score=0.6, deviation=0.1,
    ...                status="completed"),
    ...           dict(number=1, settings={"rate": 9.0, "l2": 0}, scores=[], score=None, status="failed",
    ...                reason="diverged")]
    >>> print(grid_table(trials=trials, metric="val_r2", direction="max").caption.replace(". ", ".\n"))
    The best of 2 combinations has a mean val_r2 of 0.6: rate 0.1.
    The same in all: l2 0.
    1 trial failed (diverged: 1).
    """
    scores = scores_of(trials)
    places = ranks(scores, direction)
    names = setting_names(trials)
    texts = {name: [shown(trial["settings"].get(name, "")) for trial in trials] for name in names}
    same = [name for name in names if len(trials) > 1 and len(set(texts[name])) == 1]
    varied = [name for name in names if name not in same]
    folds = max((len(trial.get("scores") or ()) for trial in trials), default=0)
    good = sorted(np.flatnonzero(places), key=lambda place: (places[place], trials[place]["number"]))
    bad = [place for place in range(len(trials)) if not places[place]]
    kept, failed = _chosen(good, bad)
    decimals = _decimals(scores)
    header = ["trial", *varied, *(_folds(folds)), "mean", "std", "rank"]
    rows = [
        [str(trials[place]["number"]), *(texts[name][place] for name in varied),
         *_cells(trials[place], folds, decimals), str(places[place])]
        for place in kept
    ]  # fmt: skip
    lost = [[str(trials[place]["number"]), *(texts[name][place] for name in varied)] for place in failed]
    note = _left_out(good, bad, kept, failed)
    reasons = [_reason(trials[place]) for place in failed]
    figure = _drawn(title or f"All combinations by {metric}", header, rows, lost, reasons, note)
    best = best_of(scores, direction)
    told = f"None of {counted(len(trials), 'combination')} has a {metric}."
    if best is not None:
        chosen = ", ".join(f"{name} {texts[name][best]}" for name in varied) or "the only settings"
        told = f"The best of {counted(len(trials), 'combination')} has a mean {metric} of "
        told += f"{number(scores[best])}: {chosen}."
    alike = f"The same in all: {', '.join(f'{name} {texts[name][0]}' for name in same)}." if same else ""
    return captioned(figure, told, alike, failures_sentence(trials), note)


def _folds(folds):
    return [f"fold {fold}" for fold in range(1, folds + 1)] if folds > 1 else []


def _cells(trial, folds, decimals):
    scores = list(trial.get("scores") or ())
    each = [_score(scores[fold], decimals) if fold < len(scores) else "" for fold in range(folds)] if folds > 1 else []
    return [*each, _score(trial["score"], decimals), _score(trial.get("deviation"), decimals)]


def _decimals(scores):
    """So many decimals that a usual score has four digits."""
    usual = np.median(np.abs(scores[np.isfinite(scores)])) if np.isfinite(scores).any() else 1.0
    return int(np.clip(3 - np.floor(np.log10(max(usual, 1e-6))), 0, 8)) if usual < 1 else 4


def _score(value, decimals):
    if value is None or not np.isfinite(value):
        return ""
    return f"{value:.{decimals}f}" if abs(value) < 1e5 else f"{value:.3e}"


def _chosen(good, bad):
    """The places of the rows that are shown: the best, and some of the failed ones."""
    if len(good) + len(bad) <= ROWS_AT_MOST:
        return good, bad
    failed = bad[: max(FAILED_AT_MOST, ROWS_AT_MOST - len(good))]
    return good[: ROWS_AT_MOST - len(failed)], failed


def _left_out(good, bad, kept, failed):
    parts = []
    if len(kept) < len(good):
        parts.append(f"the best {len(kept)} of {len(good)} combinations")
    if len(failed) < len(bad):
        parts.append(f"{len(failed)} of {len(bad)} without a score")
    return f"Shown are {' and '.join(parts)}." if parts else ""


def _reason(trial):
    reason = trial.get("reason")
    return f"{trial.get('status', 'failed')}{f': {reason}' if reason else ''}"


def _drawn(title, header, rows, lost, reasons, note):
    """The table: columns as wide as their longest text, numbers to the right, a line below the header."""
    titles = [plain(name).replace("_", "_\n", 1) if len(name) > 9 else plain(name) for name in header]
    cells = [*rows, *(row + [""] * (len(header) - len(row)) for row in lost)]
    longest = [
        max([*map(len, name.split("\n")), *(len(row[column]) for row in cells)]) for column, name in enumerate(titles)
    ]
    widths = [CHARACTER * (length + 1.7) for length in longest]
    ends = np.cumsum(widths)
    settings = min(len(lost[0]), len(header)) if lost else len(header)
    told = max((len(reason) for reason in reasons), default=0) * CHARACTER + ends[settings - 1] + 0.2
    across = max(float(ends[-1]), told, 5.5)
    lines = len(cells) + 2.2 + (1.2 if note else 0)
    figure, axes = panels(1, 1, title=title, height=ROW * lines + 0.75, width=max(across + 0.3, 6.0))
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set(xlim=(0, max(across + 0.1, 5.8)), ylim=(lines * ROW, 0))
    for end, name in zip(ends, titles):
        ax.text(end - 0.06, 1.55 * ROW, name, ha="right", va="baseline", fontsize=9, fontweight="bold", linespacing=1.0)
    ax.plot([0, ends[-1]], [1.85 * ROW] * 2, color=BLACK, linewidth=0.9)
    for line, row in enumerate(cells):
        y = (line + 2.45) * ROW
        if line % 2:
            ax.axhspan(y - ROW / 2, y + ROW / 2, xmax=ends[-1] / ax.get_xlim()[1], color="#F3F3F3", linewidth=0)
        is_lost = line >= len(rows)
        weight = "bold" if not is_lost and row[-1] == "1" else "normal"
        for end, text in zip(ends, row):
            ax.text(end - 0.06, y, text, ha="right", va="center", fontsize=9, fontweight=weight,
                    color=GREY if is_lost else BLACK)  # fmt: skip
        if is_lost:
            ax.text(ends[settings - 1] + 0.12, y, plain(reasons[line - len(rows)]), ha="left", va="center", fontsize=9,
                    style="italic", color=VERMILION)  # fmt: skip
    if note:
        ax.text(0.05, (len(cells) + 2.9) * ROW, note, fontsize=9, va="center", color=GREY)
    return figure
