"""Weights layer by layer: how they are spread before and after training, and dense kernels weight by weight."""

import numpy as np
from matplotlib.cm import ScalarMappable

from kerashw.errors import UsageError
from kerashw.figures.sheets import scale
from kerashw.figures.style import (
    BLUE,
    DIVERGING,
    VERMILION,
    bare,
    captioned,
    counted,
    legend_below,
    number,
    numbers_of,
    panel_for_each,
    panels,
    plain,
    whole_ticks,
)


def histograms(after, before=None, bins=None):
    """The numbers of `weight_histograms`: {layer: {"edges", "after", "before", "mean", "std", ...}} from weights.

    `after` and `before` are {layer: array of any shape}; each layer has one range of bins for both.
    A few weights that lie far from all others are outside of the bins; "outside" is their number.

    >>> counts = histograms({"output": [0.0, 1.0, 1.0]}, bins=2)["output"]
    >>> counts["edges"].tolist(), counts["after"].tolist(), counts["mean"]
    ([0.0, 0.5, 1.0], [1, 2], 0.6666666666666666)
    """
    layers = {}
    for name, weights in after.items():
        now = numbers_of(weights).ravel()
        then = numbers_of(before[name]).ravel() if before and name in before else None
        known = np.concatenate([part[np.isfinite(part)] for part in (now, then) if part is not None])
        edges = _edges(known, bins)
        layers[name] = {"edges": edges, **_spread(now, edges)}
        if then is not None:
            layers[name] |= {f"before_{key}": value for key, value in _spread(then, edges).items()}
            layers[name]["before"] = layers[name].pop("before_after")
    return layers


def weight_histograms(
    *, layers, title="Weights before and after training", after="after training", before="before training"
):
    """A panel for each layer with the histogram of its weights, from `histograms`: after filled, before as a line.

    `after` and `before` are their names in the legend.

    >>> weight_histograms(layers=histograms({"output": [0.0, 1.0]}, {"output": [0.4, 0.6]})).caption
    'The weights of output changed most: their standard deviation went from 0.1 to 0.5.'
    """
    figure, axes = panel_for_each(len(layers), title=title, columns=3, panel_height=2.6)
    for ax, (name, layer) in zip(axes, layers.items()):
        edges = numbers_of(layer["edges"])
        counts = numbers_of(layer["after"])
        ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.55, label=plain(after))
        if "before" in layer:
            ax.stairs(numbers_of(layer["before"]), edges, color=VERMILION, linewidth=1.4, label=plain(before))
        count = int(counts.sum()) + layer["outside"] + layer["not_finite"]
        ax.set_title(f"{plain(name)} ({counted(count, 'weight')})", fontsize=10.5)
        ax.set(xlabel="weight", ylabel="number of weights")
        ax.locator_params(axis="x", nbins=5)
        ax.set_ylim(bottom=0)
        whole_ticks(ax.yaxis)
    legend_below(figure)
    return captioned(figure, *_sentences(layers))


def dense_weights(*, kernels, outputs=(), title="Weights of the last layers"):
    """The kernels {layer: (inputs, units)} of dense layers as maps: a row for each unit, a column for each input.

    Each map has its own scale, red and blue around zero. `outputs` names the units of the last layer.

    >>> dense_weights(kernels={"output": [[1.0, 0.0], [-2.0, 0.0]]}).caption
    'output: 2 units of 2 inputs, weights from -2 to 1; unit 0 has the largest, 1 of 2 has none but zeros.'
    """
    kernels = {name: numbers_of(kernel) for name, kernel in kernels.items()}
    for name, kernel in kernels.items():
        if kernel.ndim != 2:
            raise UsageError(f"the kernel of {name} has shape {kernel.shape}, expected (inputs, units).")
    heights = [float(np.clip(0.022 * kernel.shape[1], 1.5, 3.4)) for kernel in kernels.values()]  # inches
    figure, axes = panels(
        max(1, len(kernels)), 1, title=title, height=sum(heights) + 0.75 * len(heights) + 0.6,
        height_ratios=heights or None,
    )  # fmt: skip
    for ax, height, (name, kernel) in zip(axes[:, 0], heights, kernels.items()):
        norm = scale(kernel, symmetric=True)
        # Smoothing fills a picture with colours, so it is for kernels of more weights than there are dots.
        is_sharp = kernel.shape[0] <= 800 and kernel.shape[1] <= 110 * height
        ax.imshow(kernel.T, norm=norm, cmap=DIVERGING, aspect="auto", interpolation="nearest" if is_sharp else "auto")
        ax.grid(False)
        ax.set(ylabel="unit", xlabel="input", title=f"{plain(name)} ({counted(kernel.size, 'weight')})")
        ax.title.set_fontsize(10.5)
        whole_ticks(ax.xaxis)
        whole_ticks(ax.yaxis)
        if name == list(kernels)[-1] and len(outputs) == kernel.shape[1]:
            ax.set_yticks(range(len(outputs)), [plain(unit) for unit in outputs], fontsize=8)
        bar = figure.colorbar(ScalarMappable(norm, DIVERGING), ax=ax, label="weight", fraction=0.03, pad=0.015)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
    if not kernels:
        bare(axes[0, 0])
    return captioned(figure, *[_told(name, kernel) for name, kernel in kernels.items()] or ["There are no weights."])


def _told(name, kernel):
    """What is to be seen of one kernel."""
    size = f"{name}: {counted(kernel.shape[1], 'unit')} of {counted(kernel.shape[0], 'input')}"
    known = kernel[np.isfinite(kernel)]
    if not known.any():
        return f"{size}, all weights are zero."
    energy = np.nan_to_num(np.square(kernel)).sum(axis=0)
    dead = int((energy == 0).sum())
    silent = f", {dead} of {len(energy)} {'has' if dead == 1 else 'have'} none but zeros" if dead else ""
    span = f"weights from {number(known.min())} to {number(known.max())}"
    return f"{size}, {span}; unit {int(energy.argmax())} has the largest{silent}."


def _edges(known, bins):
    """Edges of the bins: over the range of the weights, but without far tails that would squeeze all into a peak."""
    if known.size == 0:
        return np.linspace(-1.0, 1.0, (bins or 20) + 1)
    bins = bins or int(np.clip(2 * np.cbrt(known.size), 8, 60))  # the rule of Rice
    low, high = known.min(), known.max()
    inner, outer = np.quantile(known, [0.001, 0.999])
    if high - low > 1.5 * (outer - inner) > 0:
        room = 0.1 * (outer - inner)
        low, high = max(low, inner - room), min(high, outer + room)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # equal weights stand in the middle
        room = 0.5 * abs(low) or 0.5
        low, high, bins = low - room, high + room, bins + 1 - bins % 2
    return np.linspace(low, high, bins + 1)


def _spread(values, edges):
    known = values[np.isfinite(values)]
    counts = np.histogram(known, edges)[0]
    return {
        "after": counts,
        "mean": float(known.mean()) if known.size else None,
        "std": float(known.std()) if known.size else None,
        "outside": int(known.size - counts.sum()),
        "not_finite": int(values.size - known.size),
    }


def _sentences(layers):
    if not layers:
        return ["There are no weights."]
    sentences, moved = [], {}
    for name, layer in layers.items():
        now, then = layer.get("std"), layer.get("before_std")
        if now is not None and then is not None:
            moved[name] = abs(now - then) / max(now, then, 1e-30)
        if now is not None and now <= 1e-9 * abs(layer["mean"]) or now == 0:
            sentences.append(f"All weights of {name} are equal, {number(layer['mean'])}.")
        if layer["outside"]:
            sentences.append(f"{counted(layer['outside'], 'weight')} of {name} outside of the axis.")
        if layer["not_finite"]:
            sentences.append(f"{counted(layer['not_finite'], 'weight')} of {name} not finite.")
    if moved and (unknown := [name for name, layer in layers.items() if "before" not in layer]):
        which = unknown[0] if len(unknown) == 1 else counted(len(unknown), "layer")
        sentences.append(f"How {which} began is not known.")
    if moved and max(moved.values()) > 0:
        most = max(moved, key=moved.get)
        then, now = number(layers[most]["before_std"]), number(layers[most]["std"])
        sentences.insert(
            0, f"The weights of {most} changed most: their standard deviation went from {then} to {now}."
        )
    elif moved:
        sentences.insert(0, "No layer's weights changed their spread.")
    elif any(layer.get("std") for layer in layers.values()):
        widest = max(layers, key=lambda name: layers[name].get("std") or 0)
        sentences.insert(
            0, f"The weights of {widest} are spread most, with a standard deviation of {number(layers[widest]['std'])}."
        )
    return sentences
