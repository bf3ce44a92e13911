"""Which pixels an answer hangs on: several kinds of attribution beside the image."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from kerashw.figures.sheets import pixels
from kerashw.figures.style import DIVERGING, SEQUENTIAL, bare, captioned, numbers_of, panels, plain

ROWS_AT_MOST = 8


def attributions(*, images, maps, labels, title="What the answers hang on"):
    """A row for each image: the image, then its map by each method, each map on a scale of its own.

    `maps` is {method: array (images, height, width)}. A method with values below zero is drawn around zero, red for
    and blue against; the others from zero up.

    >>> attributions(images=[[[0, 255]]], maps={"saliency": [[[0.0, 1.0]]]}, labels=["7"]).caption
    'saliency: half of it lies in 50 % of the pixels on average. Each map is divided by its own largest value.'
    """
    tables = {method: numbers_of(values)[:ROWS_AT_MOST] for method, values in maps.items()}
    pictures = pixels(images)[:ROWS_AT_MOST]
    rows, columns = len(pictures), 1 + len(tables)
    ratio = pictures.shape[1] / pictures.shape[2]
    side = min(1.6, 8.0 / columns)  # inches
    figure, axes = panels(
        rows, columns, title=title, height=1.1 + rows * (side * ratio + 0.05), width=max(5.0, 1.0 + columns * side)
    )
    signed = {method: bool((values[np.isfinite(values)] < 0).any()) for method, values in tables.items()}
    for place, (row, picture) in enumerate(zip(axes, pictures)):
        _show(row[0], picture)
        row[0].set_ylabel(plain(labels[place]), rotation=0, ha="right", va="center", fontsize=9.5)
        for ax, (method, values) in zip(row[1:], tables.items()):
            bare(ax)
            most = np.abs(values[place][np.isfinite(values[place])]).max(initial=0.0)
            norm = Normalize(-1, 1) if signed[method] else Normalize(0, 1)
            ax.imshow(values[place] / (most or 1.0), norm=norm, cmap=DIVERGING if signed[method] else SEQUENTIAL,
                      interpolation="nearest")  # fmt: skip
    axes[0, 0].set_title("image", fontsize=9.5)
    for column, method in enumerate(tables, 1):
        axes[0, column].set_title(plain(method), fontsize=9.5)
        norm, cmap = (Normalize(-1, 1), DIVERGING) if signed[method] else (Normalize(0, 1), SEQUENTIAL)
        bar = figure.colorbar(ScalarMappable(norm, cmap), ax=axes[:, column], location="bottom", aspect=12, pad=0.02,
                              shrink=0.9, ticks=[norm.vmin, 0, 1] if signed[method] else [0, 1])  # fmt: skip
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
        bar.set_label("share of the largest", fontsize=8)
    told = [_spread(method, values) for method, values in tables.items()]
    return captioned(figure, *told, "Each map is divided by its own largest value." if tables else "There are no maps.")


def _show(ax, picture):
    bare(ax)
    look = dict(cmap="gray", vmin=0, vmax=255) if picture.ndim == 2 else {}
    ax.imshow(picture, interpolation="nearest", **look)


def _spread(method, values):
    """How concentrated the maps of a method are: the share of pixels, the strongest first, that holds half of it."""
    shares = []
    for one in values:
        strength = np.sort(np.abs(one[np.isfinite(one)]).ravel())[::-1]
        if strength.any():
            shares.append((np.searchsorted(strength.cumsum(), strength.sum() / 2) + 1) / strength.size)
    if not shares:
        return f"{method}: zero everywhere."
    return f"{method}: half of it lies in {100 * np.mean(shares):.0f} % of the pixels on average."
