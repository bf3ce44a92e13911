"""A search over time: the score of every trial with the best so far, and when each trial ran."""

import numpy as np

from kerashw.figures.style import (
    BLACK,
    GREY,
    captioned,
    counted,
    legend_below,
    log_axis,
    number,
    numbers_of,
    panels,
    plain,
    whole_ticks,
)
from kerashw.figures.trials import STATUSES, best_of, check, failures_sentence, outside_sentence, scores_of, view


def search_history(*, trials, metric, direction="min", title="The search, trial by trial"):
    """The score of every trial, the best so far as a line; trials without one are marked where bad scores are.

    >>> trials = [dict(number=n, score=s, status="completed") for n, s in enumerate([0.4, 0.2, 0.3])]
    >>> search_history(trials=trials, metric="val_mse").caption
    'Trial 1 of 3 trials has the best val_mse, 0.2; the best of the first half was 0.2.'
    """
    scores = scores_of(trials)
    numbers = numbers_of([trial["number"] for trial in trials])
    check(direction)
    figure, axes = panels(1, 1, title=title, height=4.8)
    ax = axes[0, 0]
    kind, low, high = view(scores, direction)
    if kind == "log":
        log_axis(ax, "y", low, high)
    ax.set_ylim(low, high)
    inside = (scores >= low) & (scores <= high)
    color, marker, _ = STATUSES["completed"]
    ax.scatter(
        numbers[inside], scores[inside], s=24, color=color, marker=marker, alpha=0.7, linewidths=0, label="completed"
    )
    for beyond, edge, arrow in ((scores < low, low, "v"), (scores > high, high, "^")):
        if beyond.any():
            ax.scatter(numbers[beyond], np.full(beyond.sum(), edge), s=40, marker=arrow, facecolors="none",
                       edgecolors=color, label="outside of the axis", clip_on=False)  # fmt: skip
    for status in ("pruned", "failed", "running"):
        color, marker, _ = STATUSES[status]
        those = np.array([trial.get("status") == status for trial in trials], dtype=bool)
        if those.any():
            height = np.full(those.sum(), 0.03 if direction == "max" else 0.97)  # of the axis: where bad scores are
            ax.scatter(numbers[those], height, s=34, color=color, marker=marker, label=f"{status} (no score)",
                       transform=ax.get_xaxis_transform(), zorder=3)  # fmt: skip
    so_far = _best_so_far(scores, direction)
    ax.step(numbers, so_far, where="post", color=BLACK, linewidth=1.4, label="best so far")
    best = best_of(scores, direction)
    if best is not None:
        ax.plot(
            numbers[best], scores[best], marker="*", markersize=15, color=BLACK, linestyle="none", label="best trial"
        )
    ax.set(xlabel="trial", ylabel=f"{plain(metric)} (log scale)" if kind == "log" else plain(metric))
    whole_ticks(ax.xaxis)
    legend_below(figure)
    told = f"None of {counted(len(trials), 'trial')} has a score."
    if best is not None:
        told = f"Trial {number(numbers[best])} of {counted(len(trials), 'trial')} has the best {metric}, "
        told += number(scores[best])
        half = so_far[(len(trials) - 1) // 2]
        told += f"; the best of the first half was {number(half)}." if len(trials) > 1 and np.isfinite(half) else "."
    return captioned(figure, told, failures_sentence(trials), outside_sentence(scores, low, high))


def timeline(*, trials, stops=(), title="When the trials ran"):
    """A bar for each trial from its "begin" to its "end", in seconds since the search began, by status.

    `stops` are the moments at which the search was interrupted: its clock stood still until it went on.

    >>> timeline(trials=[dict(number=0, begin=0, end=2, status="completed")]).caption
    '1 trial took 2 s in all; the longest was trial 0 with 2 s. At most 1 ran at once.'
    """
    begins, ends = (numbers_of([trial.get(key) for trial in trials]) for key in ("begin", "end"))
    known = np.isfinite(begins) & np.isfinite(ends)
    last = float(ends[known].max()) if known.any() else 0.0
    unit, name = next(((size, name) for size, name in ((3600, "hours"), (60, "minutes")) if last >= 2 * size),
                      (1, "seconds"))  # fmt: skip
    figure, axes = panels(1, 1, title=title, height=float(np.clip(1.8 + 0.09 * len(trials), 2.6, 7)))
    ax = axes[0, 0]
    for status, (color, _, hatch) in STATUSES.items():
        those = [place for place in np.flatnonzero(known) if trials[place].get("status") == status]
        if those:
            # A bar is at least 0.2 % of the axis wide, or a short trial could not be seen.
            lengths = np.maximum(ends[those] - begins[those], 0.002 * last)
            ax.barh([trials[place]["number"] for place in those], lengths / unit, left=begins[those] / unit, height=0.8,
                    color=color if status != "failed" else "white", edgecolor=color if status == "failed" else "white",
                    linewidth=0.6 if status == "failed" and len(trials) < 80 else 0, label=status,
                    hatch=hatch if len(trials) < 80 else None)  # fmt: skip
            if status == "failed" and len(trials) >= 80:
                for patch in ax.containers[-1]:
                    patch.set_facecolor(color)
    for stop in stops:
        ax.axvline(stop / unit, color=GREY, linewidth=1, linestyle=":", label="interrupted, and continued later")
    ax.set(xlabel=f"time of the search ({name})", ylabel="trial")
    whole_ticks(ax.yaxis)
    ax.invert_yaxis()
    legend_below(figure)
    shared = "A bar goes from when a trial was proposed until its score was known." if _at_once(begins, ends) > 1 else ""
    paused = f"The search was interrupted {counted(len(stops), 'time')}." if len(stops) else ""
    return captioned(figure, _took(trials, begins, ends, known), shared, paused, failures_sentence(trials))


def _best_so_far(scores, direction):
    """The best score up to each trial, NaN before the first."""
    better = np.fmax if direction == "max" else np.fmin  # these pass over NaN
    return better.accumulate(scores) if len(scores) else scores


def _took(trials, begins, ends, known):
    if not known.any():
        return "No trial has a beginning and an end."
    lengths = np.where(known, ends - begins, -np.inf)
    longest = int(lengths.argmax())
    whole = _duration(ends[known].max() - begins[known].min())
    return (
        f"{counted(int(known.sum()), 'trial')} took {whole} in all; the longest was trial {trials[longest]['number']} "
        f"with {_duration(lengths[longest])}. At most {_at_once(begins, ends)} ran at once."
    )


def _at_once(begins, ends):
    """How many trials ran at the busiest moment."""
    known = np.isfinite(begins) & np.isfinite(ends)
    steps = sorted([(begin, 1) for begin in begins[known]] + [(end, -1) for end in ends[known]])
    return int(np.cumsum([0, *(step for _, step in steps)]).max())


def _duration(seconds):
    """Seconds as text, in the unit that fits.

    >>> _duration(2), _duration(90), _duration(7200)
    ('2 s', '1.5 min', '2 h')
    """
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{seconds:.3g} s"
