"""What the settings of a search do to its score: slices, importance, and all trials side by side."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize

from kerashw.figures.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    captioned,
    counted,
    legend_below,
    log_axis,
    number,
    numbers_of,
    panel_for_each,
    panels,
    plain,
    shown,
)
from kerashw.figures.trials import (
    best_of,
    draw_axis,
    failures_sentence,
    outside_sentence,
    scale_of,
    scores_of,
    setting_names,
    view,
)


def slices(*, trials, metric, scales=None, direction="min", title="The score against each setting"):
    """The score of the completed trials against each setting, the best trial marked.

    `scales` is {setting: "linear", "log" or "category"}; without one, numbers are linear and the rest are categories.

    >>> trials = [dict(number=n, settings={"rate": n}, score=s, status="completed") for n, s in enumerate([0.4, 0.2])]
    >>> slices(trials=trials, metric="val_mse").caption
    'The best val_mse, 0.2, has rate 1.'
    """
    scores = scores_of(trials)
    names = setting_names(trials)
    figure, axes = panel_for_each(len(names), title=title, columns=4, panel_height=2.7, sharey=True)
    kind, low, high = view(scores, direction)
    best = best_of(scores, direction)
    known = np.isfinite(scores)
    drawn = np.clip(scores, low, high)
    numbers = numbers_of([trial["number"] for trial in trials])
    for ax, name in zip(axes, names):
        scale = scale_of(trials, name, (scales or {}).get(name))
        # Trials of one category are spread a little, by the golden ratio, so that none hides another.
        is_spread = scale.kind == "category" and known.sum() > 1
        spread = 0.4 * ((numbers * 0.618034) % 1 - 0.5) if is_spread else 0.0
        x = scale.positions + spread
        ax.scatter(x[known], drawn[known], s=20, color=BLUE, alpha=0.6, linewidths=0, label="completed trial")
        if best is not None:
            ax.plot(x[best], drawn[best], marker="*", markersize=14, color=BLACK, linestyle="none", label="best trial",
                    clip_on=False)  # fmt: skip
        if kind == "log":
            log_axis(ax, "y", low, high)
        ax.set_ylim(low, high)
        draw_axis(ax, scale)
        ax.set_xlabel(plain(scale.label), fontsize=9.5)
        if scale.kind == "linear":
            ax.locator_params(axis="x", nbins=4, integer=bool((scale.positions[known] % 1 == 0).all()))
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel(f"{plain(metric)}{' (log scale)' if kind == 'log' else ''}")
    legend_below(figure)
    return captioned(figure, _best_settings(trials, scores, best, metric), failures_sentence(trials),
                     outside_sentence(scores, low, high))  # fmt: skip


def importance(*, settings, shares, spreads, note="", title="How much each setting matters"):
    """The share of each setting in what decides the score, with its spread; from `kerashw.importance`.

    >>> importance(settings=["rate", "units"], shares=[0.8, 0.2], spreads=[0.1, 0.1], note="Certain enough.").caption
    'rate matters most, with a share of 80 % (plus or minus 10 %). Certain enough.'
    """
    shares, spreads = numbers_of(shares), numbers_of(spreads)
    order = np.argsort(-np.where(np.isfinite(shares), shares, -1), kind="stable")
    figure, axes = panels(1, 1, title=title, height=1.5 + 0.34 * max(len(settings), 2))
    ax = axes[0, 0]
    for place, which in enumerate(order):
        share, spread = shares[which], spreads[which]
        if not np.isfinite(share):
            ax.text(1, place, "not known", va="center", fontsize=9, color=GREY)
            continue
        ax.barh(place, 100 * share, height=0.62, color=BLUE, alpha=0.75)
        reach = 100 * spread if np.isfinite(spread) else 0.0
        reaches = [[min(reach, 100 * share)], [reach]]
        ax.errorbar(100 * share, place, xerr=reaches, color=BLACK, capsize=3, linewidth=1.2)
        ax.text(100 * share + reach + 1.5, place, f"{100 * share:.0f} %", va="center", fontsize=9)
    ax.set_yticks(range(len(settings)), [plain(settings[which]) for which in order])
    ax.set_ylim(max(len(settings), 1) - 0.5, -0.5)
    tops = [100 * (share + (spread if np.isfinite(spread) else 0))
            for share, spread in zip(shares, spreads) if np.isfinite(share)]  # fmt: skip
    ax.set_xlim(0, max([*tops, 20]) + 10)
    ax.set_xlabel("share in the explained ranking of the trials (%); lines: one standard deviation")
    ax.grid(False, axis="y")
    first = ""
    if len(order) and np.isfinite(shares[order[0]]) and shares[order[0]] > 0:
        most = order[0]
        first = f"{settings[most]} matters most, with a share of {100 * shares[most]:.0f} %"
        first += f" (plus or minus {100 * spreads[most]:.0f} %)." if np.isfinite(spreads[most]) else "."
    return captioned(figure, first or "No setting is known to matter.", note)


def parallel_coordinates(
    *, trials, metric, scales=None, direction="min", title="The trials as lines through their settings"
):
    """Every completed trial as a line through its settings to its score; dark is good, the best is thick and red.

    >>> trials = [dict(number=0, settings={"rate": 0.1}, score=0.2, status="completed")]
    >>> parallel_coordinates(trials=trials, metric="val_mse").caption
    '1 completed trial, from left to right: rate, val_mse. The best val_mse, 0.2, has rate 0.1.'
    """
    scores = scores_of(trials)
    names = setting_names(trials)
    columns = [scale_of(trials, name, (scales or {}).get(name)) for name in names]
    kind, low, high = view(scores, direction)
    clipped = np.clip(scores, low, high)
    known = np.flatnonzero(np.isfinite(scores))
    spans = [_span(scale.positions, scale.kind, len(scale.names)) for scale in columns]
    spans.append((kind, low, high))
    values = [scale.positions for scale in columns] + [clipped]
    heights = np.array([_height(some, *span) for some, span in zip(values, spans)]).reshape(len(spans), len(trials))
    figure, axes = panels(1, 1, title=title, height=5.4, width=max(9.0, 1.0 * len(spans) + 1))
    ax = axes[0, 0]
    best = best_of(scores, direction)
    norm = (LogNorm if kind == "log" else Normalize)(low, high)
    # Dark is good in both directions.
    colors = ScalarMappable(norm, "cividis" if direction == "min" else "cividis_r")
    x = np.arange(len(spans))
    for place in sorted(known, key=lambda place: scores[place], reverse=direction == "min"):
        if place != best:
            ax.plot(x, heights[:, place], color=colors.to_rgba(clipped[place]), linewidth=1.1)
    if best is not None:
        ax.plot(x, heights[:, best], color=VERMILION, linewidth=3, marker="o", label="best trial", zorder=3)
    _draw_columns(ax, columns, spans, metric, kind)
    legend_below(figure)
    order = ", ".join([*names, metric])
    return captioned(
        figure, f"{counted(len(known), 'completed trial')}, from left to right: {order}.",
        "The darker a line, the better its score." if len(known) > 1 else "",
        _best_settings(trials, scores, best, metric), failures_sentence(trials), outside_sentence(scores, low, high),
    )  # fmt: skip


def _best_settings(trials, scores, best, metric):
    if best is None:
        return f"No trial has a {metric}."
    chosen = ", ".join(f"{name} {shown(value)}" for name, value in trials[best].get("settings", {}).items())
    return f"The best {metric}, {number(scores[best])}, has {chosen or 'no settings'}."


def _span(positions, kind, categories):
    """(kind, lowest, highest) of an axis; a single value stands in its middle."""
    if kind == "category":
        return kind, -0.5, max(categories, 1) - 0.5
    known = positions[np.isfinite(positions)]
    if not known.size:
        return "linear", 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if low == high:
        return (kind, low / 2, 2 * high) if kind == "log" else (kind, low - (abs(low) or 1), low + (abs(low) or 1))
    return kind, low, high


def _height(values, kind, low, high):
    """Values as heights from 0 to 1 on their axis."""
    if kind == "log":
        values, low, high = np.log(values), np.log(low), np.log(high)
    return (values - low) / (high - low)


def _draw_columns(ax, columns, spans, metric, kind):
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_yticks([])
    ax.set(xlim=(-0.25, len(spans) - 0.55), ylim=(-0.04, 1.04))
    ax.vlines(np.arange(len(spans)), 0, 1, color=GREY, linewidth=1, zorder=2)
    labels = [scale.label for scale in columns] + [f"{metric} (log scale)" if kind == "log" else metric]
    wrapped = [plain(label.replace(" (log", "\n(log")) for label in labels]
    slanted = max((len(scale.name) for scale in columns), default=0) > 110 / len(spans)
    ax.set_xticks(range(len(spans)), wrapped, fontsize=9, **(
        dict(rotation=25, ha="right", rotation_mode="anchor") if slanted else {}))  # fmt: skip
    ax.tick_params(axis="x", length=0)
    for place, (kind, low, high) in enumerate(spans):
        scale = columns[place] if place < len(columns) else None
        for height, text in _marks(kind, low, high, scale.names if scale else ()):
            ax.text(place + 0.04, height, text, fontsize=7.5, va="center", zorder=4,
                    bbox=dict(facecolor="white", alpha=0.75, edgecolor="none", pad=0.6))  # fmt: skip


def _marks(kind, low, high, names):
    """(height, text) of the marks of an axis: its categories, or five values from end to end."""
    if kind == "category":
        short = [name if len(name) <= 12 else f"{name[:11]}…" for name in names]
        return [((place + 0.5) / len(names), name) for place, name in enumerate(short)]
    values = np.geomspace(low, high, 5) if kind == "log" else np.linspace(low, high, 5)
    return list(zip(np.linspace(0, 1, 5), (f"{value:.3g}" for value in values)))
