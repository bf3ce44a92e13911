"""Gradients by finite differences beside those by automatic differentiation."""

import numpy as np

from kerashw.figures.style import (
    BLACK,
    DASHES,
    MARKERS,
    PALETTE,
    captioned,
    legend_below,
    number,
    numbers_of,
    panels,
    plain,
)


def gradient_check(*, n, differences, title="Gradient check"):
    """The largest absolute difference of the two gradients against N, where the step is 1/N, for each precision.

    `differences` is {"float32": one value for each N, "float64": ...}. Its smallest value is marked; a difference
    of exactly 0, which a logarithmic axis cannot show, is left out and told.

    >>> gradient_check(n=[1, 10, 100], differences={"float32": [0.1, 0.001, 0.01]}).caption
    'In float32 the difference is smallest, 0.001, at N = 10, a step of 0.1, and grows again beyond it.'
    """
    figure, axes = panels(1, 1, title=title, height=5.0)
    ax = axes[0, 0]
    n = numbers_of(n)
    sentences, drawn = [], False
    for place, (name, values) in enumerate(differences.items()):
        values = numbers_of(values)
        visible = np.where(values > 0, values, np.nan)
        color = PALETTE[place % len(PALETTE)]
        marker, dash = MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)]
        ax.plot(n, visible, color=color, marker=marker, linestyle=dash, markersize=5, label=plain(name))
        if np.isfinite(visible).any():
            drawn = True
            least = int(np.nanargmin(visible))
            ax.plot(
                n[least], visible[least], marker="o", markersize=14, markerfacecolor="none", markeredgecolor=color,
                markeredgewidth=1.5, linestyle="none",
            )  # fmt: skip
        sentences.append(_reading(name, n, values, visible))
    ax.set(xlabel="N (the step is 1/N; log scale)", ylabel="largest absolute difference (log scale)")
    if drawn:
        ax.set(xscale="log", yscale="log")
        ax.plot([], [], marker="o", markersize=12, markerfacecolor="none", markeredgecolor=BLACK, linestyle="none",
                label="the smallest")  # fmt: skip
    legend_below(figure)
    return captioned(figure, *sentences)


def _reading(name, n, values, visible):
    exact = int((values == 0).sum())
    zeros = f" {exact} of {len(values)} differences are exactly 0 and not drawn." if exact else ""
    if not np.isfinite(visible).any():
        return f"In {name} no difference is above 0 and finite.{zeros}"
    least = int(np.nanargmin(visible))
    text = f"In {name} the difference is smallest, {number(visible[least])}, at N = {number(n[least])}"
    text += f", a step of {number(1 / n[least])}" if n[least] else ""
    later = visible[least + 1 :]
    if np.isfinite(later).any():
        text += ", and grows again beyond it"
    elif len(n) > 1:
        text += ", the finest step tried"
    return f"{text}.{zeros}"
