"""Points of one input and one target, and the curves that models lay through them."""

import itertools

import numpy as np

from kerashw.figures.bands import band_sentence, draw_runs, edges, middle, runs_of
from kerashw.figures.style import (
    BLACK,
    DASHES,
    GREY,
    MARKERS,
    PALETTE,
    captioned,
    counted,
    legend_below,
    number,
    numbers_of,
    panels,
    plain,
)


def data_points(*, points, x_label="x", y_label="y", title="The data"):
    """The points of each set, {"train": {"x": ..., "y": ...}, "test": ...}, in one panel.

    >>> data_points(points={"train": {"x": [0, 1, 4], "y": [0, 1, 2]}}).caption
    '3 train points, x from 0 to 4; the widest gap between two of them is 3, from 1 to 4.'
    """
    figure, axes = panels(1, 1, title=title, height=4.6)
    _scatter(axes[0, 0], points)
    axes[0, 0].set(xlabel=plain(x_label), ylabel=plain(y_label))
    legend_below(figure)
    return captioned(figure, *[_extent(name, numbers_of(some["x"])) for name, some in points.items()])


def fit(*, points, x, curves, band="range", x_label="x", y_label="y", title="The fit"):
    """The curves {"before training": y, "after training": ...} over the points of each set.

    A curve gives the model's answer at each of `x`; several of them, (executions, len(x)), become a band. The caption
    tells how far the last curve is from each set, between the ends of `x`.

    >>> train = {"x": [0, 1], "y": [1, 1]}
    >>> fit(points={"train": train}, x=[0, 1], curves={"line": [0, 0]}).caption
    'The curve "line" misses the 2 train points with a mean squared error of 1.'
    """
    figure, axes = panels(1, 1, title=title, height=5.2)
    ax = axes[0, 0]
    x = numbers_of(x)
    order = np.argsort(x)
    tables = {name: runs_of(curve)[:, order] for name, curve in curves.items()}
    # The last curve is the one to look at, so it is black and whole; those before it are dashed.
    dashed = zip(itertools.cycle((GREY, *PALETTE[4:], *PALETTE[:4])), itertools.cycle(DASHES[1:]))
    styles = [*itertools.islice(dashed, max(len(tables) - 1, 0)), (BLACK, "-")]
    _scatter(ax, points)
    for (name, runs), (color, dash) in zip(tables.items(), styles):
        draw_runs(ax, x[order], runs, band=band, color=color, label=plain(name), linestyle=dash)
    ax.set(xlabel=plain(x_label), ylabel=plain(y_label))
    _leave_out_far_bands(ax, points, tables, band)
    legend_below(figure)
    misses = ["There is no curve."]
    if tables:
        last = list(tables)[-1]
        misses = [_miss(last, x[order], middle(tables[last]), name, some) for name, some in points.items()]
    return captioned(figure, *misses, band_sentence(tables.values(), band))


def _scatter(ax, points):
    for (name, some), color, marker in zip(points.items(), PALETTE, MARKERS):
        ax.scatter(
            numbers_of(some["x"]), numbers_of(some["y"]), s=26, color=color, marker=marker, alpha=0.75,
            linewidths=0, label=f"{plain(name)} ({len(some['x']):,})",
        )  # fmt: skip


def _extent(name, x):
    x = np.sort(x[np.isfinite(x)])
    if len(x) == 0:
        return f"No {name} points."
    if len(x) == 1:
        return f"1 {name} point, at x = {number(x[0])}."
    widest = int(np.diff(x).argmax())
    gap = f"the widest gap between two of them is {number(x[widest + 1] - x[widest])}"
    return (
        f"{counted(len(x), f'{name} point')}, x from {number(x[0])} to {number(x[-1])}; "
        f"{gap}, from {number(x[widest])} to {number(x[widest + 1])}."
    )


def _miss(curve, x, line, name, some):
    px, py = numbers_of(some["x"]), numbers_of(some["y"])
    known = np.isfinite(line)
    if not known.any():
        return f'The curve "{curve}" has no finite values.'
    covered = (px >= x[known].min()) & (px <= x[known].max()) & np.isfinite(py)
    if not covered.any():
        return f"No {name} point lies below the curve."
    error = np.mean((np.interp(px[covered], x[known], line[known]) - py[covered]) ** 2)
    count = counted(int(covered.sum()), f"{name} point")
    return f'The curve "{curve}" misses the {count} with a mean squared error of {number(error)}.'


def _leave_out_far_bands(ax, points, tables, band):
    """The y axis covers points and means; a band that goes far beyond does not flatten them."""
    lines = [numbers_of(some["y"]) for some in points.values()] + [middle(runs) for runs in tables.values()]
    shown = np.concatenate([*lines, [0.0]])[:-1]
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        return
    room = 0.6 * np.ptp(shown) or 1.0
    ends = [edge for runs in tables.values() for edge in edges(runs, band)]
    ends = np.concatenate([shown, *ends])
    ends = ends[np.isfinite(ends)]
    low, high = max(ends.min(), shown.min() - room), min(ends.max(), shown.max() + room)
    pad = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - pad, high + pad)
