"""How far a regression is off, item by item."""

import numpy as np

from kerashw.figures.style import (
    BLUE,
    GREY,
    VERMILION,
    captioned,
    counted,
    number,
    numbers_of,
    panels,
    plain,
    whole_ticks,
)


def residuals(*, predicted, actual, unit="", title="Residuals"):
    """Predicted against actual values, the residuals against the predictions, and how the residuals are spread.

    >>> residuals(predicted=[1.0, 2.0, 4.0], actual=[1.0, 2.0, 3.0]).caption
    'Over 3 items the mean squared error is 0.3333, the mean error 0.3333 and R2 0.5. Item 2 is off most, by 1.'
    """
    predicted, actual = numbers_of(predicted).ravel(), numbers_of(actual).ravel()
    both = np.isfinite(predicted) & np.isfinite(actual)
    lost = int((~both).sum())
    off = predicted - actual
    figure, axes = panels(1, 3, title=title, height=3.9, width=10, width_ratios=[1, 1, 0.7])
    left, centre, right = axes[0]
    look = dict(s=16, color=BLUE, alpha=0.6 if both.sum() <= 1000 else 0.2, linewidths=0)
    unit = f" ({plain(unit)})" if unit else ""
    left.scatter(actual[both], predicted[both], **look)
    if both.any():
        ends = [min(actual[both].min(), predicted[both].min()), max(actual[both].max(), predicted[both].max())]
        left.plot(ends, ends, color=GREY, linestyle="--", linewidth=1)
        left.annotate("exact", (ends[1], ends[1]), xytext=(-4, 2), textcoords="offset points", fontsize=8.5,
                      ha="right", va="bottom", color=GREY)  # fmt: skip
    left.set(xlabel=f"actual{unit}", ylabel=f"predicted{unit}")
    centre.scatter(predicted[both], off[both], **look)
    centre.axhline(0, color=GREY, linestyle="--", linewidth=1)
    centre.set(xlabel=f"predicted{unit}", ylabel=f"predicted - actual{unit}")
    if both.any():
        right.hist(off[both], bins=min(30, max(5, int(np.sqrt(both.sum())))), color=BLUE, alpha=0.55)
        right.axvline(off[both].mean(), color=VERMILION, linewidth=1.4)
        right.set_title(f"mean {number(off[both].mean())}", fontsize=9, color=VERMILION)
        whole_ticks(right.yaxis)
    right.set(xlabel=f"predicted - actual{unit}", ylabel="items")
    right.locator_params(axis="x", nbins=4)
    told = f"{counted(lost, 'item')} without a finite value {'is' if lost == 1 else 'are'} left out." if lost else ""
    return captioned(figure, _errors(predicted[both], actual[both], np.flatnonzero(both)), told)


def _errors(predicted, actual, items):
    if not len(items):
        return "There are no items with finite values."
    off = predicted - actual
    mse = float(np.mean(off**2))
    variance = float(actual.var())
    fit = f" and R2 {number(1 - mse / variance)}" if variance > 0 else ""
    worst = int(np.abs(off).argmax())
    comma = "," if fit else " and"
    return (
        f"Over {counted(len(items), 'item')} the mean squared error is {number(mse)}{comma} the mean error "
        f"{number(off.mean())}{fit}. Item {items[worst]:,} is off most, by {number(abs(off[worst]))}."
    )
