"""How good a classifier is, class by class: what it confuses, its precision and recall, and how sure it may be."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm

from kerashw.errors import UsageError
from kerashw.figures.style import (
    BLUE,
    GREY,
    VERMILION,
    captioned,
    counted,
    legend_below,
    number,
    numbers_of,
    panels,
    plain,
)

# Counts are written into the cells up to so many classes; beyond, the cells are too small for words.
WRITTEN_UP_TO = 20


def confusion_matrix(*, counts, classes, title="Confusion matrix"):
    """Counts of every actual class (rows) against every predicted one (columns), with the share of the row.

    >>> confusion_matrix(counts=[[8, 2], [0, 5]], classes=["cat", "dog"]).caption
    '13 of 15 items are right (86.67 %). Taken for another most often: cat for dog (2 times, 20 % of cat).'
    """
    counts = np.asarray(counts, dtype=int)
    if counts.shape != (len(classes), len(classes)):
        raise UsageError(f"counts have shape {counts.shape}, expected {len(classes)} x {len(classes)}: one row and "
                         "one column for each class.")  # fmt: skip
    totals = counts.sum(axis=1, keepdims=True)
    rates = counts / np.maximum(totals, 1)
    count = len(classes)
    side = float(np.clip(0.66 * count, 2.4, 7.2))  # inches of the matrix itself
    longest = max(map(len, map(str, classes)), default=0)
    figure, axes = panels(1, 1, title=title, height=side + 1.6, width=min(9.0, side + 2.0 + 0.09 * longest))
    ax = axes[0, 0]
    # The square root of the rate: errors of a few per cent are what is looked for, and would be white otherwise.
    norm, cmap = PowerNorm(0.5, 0, 1), "Blues"
    ax.imshow(rates, norm=norm, cmap=cmap)
    if count <= WRITTEN_UP_TO:
        size = float(np.clip(12.5 * side / count, 4.5, 9))
        for (row, column), times in np.ndenumerate(counts):
            if times:
                ink = "white" if rates[row, column] > 0.4 else "black"
                rate = f"{100 * rates[row, column]:.0f} %" if rates[row, column] >= 0.01 else "<1 %"
                ax.text(column, row, f"{times:,}\n{rate}", ha="center", va="center", color=ink, fontsize=size)
    names = [plain(name) for name in classes]
    small = 9 if count <= WRITTEN_UP_TO else 6
    slant = dict(rotation=45, ha="right", rotation_mode="anchor") if 0.09 * longest > side / count else {}
    ax.set_xticks(range(count), names, fontsize=small, **slant)
    ax.set_yticks(range(count), names, fontsize=small)
    ax.set(xlabel="predicted class", ylabel="actual class")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    bar = figure.colorbar(ScalarMappable(norm, cmap), ax=ax, label="share of the actual class", aspect=30, pad=0.02,
                          ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])  # fmt: skip
    bar.ax.set_yticklabels(["0", "1 %", "5 %", "20 %", "50 %", "100 %"], fontsize=8)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    return captioned(figure, _right(counts), _confused(counts, totals, classes))


def class_scores(*, classes, precision, recall, f1=None, support=None, title="Precision and recall"):
    """Precision and recall of each class, the class with the lowest recall at the top; F1 too where given.

    >>> class_scores(classes=["cat", "dog"], precision=[1.0, 0.7], recall=[0.8, 1.0]).caption
    'Recall is lowest for cat, 0.8; precision is lowest for dog, 0.7.'
    """
    scores = {"precision": numbers_of(precision), "recall": numbers_of(recall)}
    if f1 is not None:
        scores["F1"] = numbers_of(f1)
    order = np.argsort(np.where(np.isfinite(scores["recall"]), scores["recall"], np.inf), kind="stable")
    height = 1.7 + 0.3 * max(len(classes), 2)
    figure, axes = panels(1, 1, title=title, height=height)
    ax = axes[0, 0]
    places = np.arange(len(classes))
    both = np.stack([scores["precision"][order], scores["recall"][order]])
    ax.hlines(places, both.min(axis=0), both.max(axis=0), color="#BBBBBB", linewidth=2, zorder=1)
    looks = {"precision": ("o", BLUE), "recall": ("D", VERMILION), "F1": ("|", "black")}
    for name, values in scores.items():
        marker, color = looks[name]
        size = 90 if marker == "|" else 42
        ax.scatter(values[order], places, marker=marker, color=color, s=size, label=name, zorder=2)
    names = [plain(classes[place]) for place in order]
    if support is not None:
        names = [f"{name} ({number(support[place])})" for name, place in zip(names, order)]
    ax.set_yticks(places, names)
    ax.set_ylim(len(classes) - 0.5 if classes else 1, -0.5)
    known = np.concatenate([values[np.isfinite(values)] for values in scores.values()])
    least = known.min() if known.size else 0.0
    low = max(0.0, np.floor(10 * least - 0.2) / 10)
    ax.set_xlim(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low))
    ax.set_xlabel("score" + ("" if low == 0 else f" (the axis begins at {low:.1f})"))
    ax.set_ylabel("class" if support is None else "class (items)")
    legend_below(figure)
    return captioned(figure, _lowest(classes, scores))


def calibration(*, confidence, accuracy, counts, error, title="Calibration"):
    """The accuracy of the answers in each bin of confidence, the number of items below, and the calibration error.

    `confidence` and `accuracy` are means over each bin, NaN in an empty one; `error` is the expected calibration error.

    >>> calibration(confidence=[0.5, 0.9], accuracy=[0.5, 0.7], counts=[10, 10], error=0.1).caption[:62]
    'The expected calibration error is 0.1 over 20 items. The model'
    """
    confidence, accuracy, counts = numbers_of(confidence), numbers_of(accuracy), numbers_of(counts)
    figure, axes = panels(2, 1, title=title, height=5.8, width=7.5, sharex=True, height_ratios=[3, 1])
    above, below = axes[:, 0]
    known = np.isfinite(confidence) & np.isfinite(accuracy)
    above.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="as sure as right")
    above.vlines(confidence[known], confidence[known], accuracy[known], color="#BBBBBB", linewidth=2)
    above.plot(confidence[known], accuracy[known], "o-", color=BLUE, markersize=6, label="the model")
    above.set(ylabel="accuracy of the bin", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    above.set_title(f"expected calibration error {number(error)}", loc="left", fontsize=9.5)
    width = 0.8 / max(len(counts), 1)
    filled = known & (counts > 0)
    below.bar(confidence[filled], counts[filled], width=width, color=BLUE)
    below.set(xlabel="mean confidence of the bin", ylabel="items (log scale)" if filled.any() else "items")
    if filled.any():
        below.set_yscale("log")
        below.set_ylim(0.7, 2 * counts[filled].max())
    legend_below(figure)
    return captioned(figure, *_sureness(confidence[filled], accuracy[filled], counts[filled], error))


def _right(counts):
    total, right = int(counts.sum()), int(np.trace(counts))
    share = f" ({100 * right / total:.2f} %)" if total else ""
    return f"{right:,} of {counted(total, 'item')} {'is' if right == 1 else 'are'} right{share}."


def _confused(counts, totals, classes):
    errors = counts - np.diag(np.diag(counts))
    if not errors.any():
        return "No class was taken for another."
    worst = [divmod(int(place), len(classes)) for place in np.argsort(-errors, axis=None, kind="stable")[:3]]
    told = [
        f"{classes[row]} for {classes[column]} ({counted(int(errors[row, column]), 'time')}, "
        f"{_percent(errors[row, column] / totals[row, 0])} of {classes[row]})"
        for row, column in worst
        if errors[row, column]
    ]
    return f"Taken for another most often: {', '.join(told)}."


def _percent(share):
    return f"{100 * share:.0f} %" if share >= 0.005 else "less than 1 %"


def _lowest(classes, scores):
    told = []
    for name in ("recall", "precision"):
        values = scores[name]
        if np.isfinite(values).any():
            place = int(np.nanargmin(values))
            told.append(f"{name} is lowest for {classes[place]}, {number(values[place])}")
    return f"{'; '.join(told).capitalize()[:1]}{'; '.join(told)[1:]}." if told else "No class has a score."


def _sureness(confidence, accuracy, counts, error):
    if not counts.size:
        return ["There are no answers."]
    text = f"The expected calibration error is {number(error)} over {counted(int(counts.sum()), 'item')}."
    gap = float((counts * (confidence - accuracy)).sum() / counts.sum())
    if abs(gap) < 0.001:
        return [text, "On average the model is as sure as it is right."]
    how = "surer than right" if gap > 0 else "less sure than right"
    return [text, f"The model is {how}: its mean confidence lies {number(abs(gap))} "
                  f"{'above' if gap > 0 else 'below'} its accuracy."]  # fmt: skip
