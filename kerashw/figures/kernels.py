"""Convolutions from within: their filters, and the maps that an image becomes."""

import numpy as np
from matplotlib.cm import ScalarMappable

from kerashw.errors import UsageError
from kerashw.figures.sheets import columns_for, mosaic, pixels, scale
from kerashw.figures.style import DIVERGING, SEQUENTIAL, bare, captioned, counted, number, numbers_of, panels, plain

FILTERS_AT_MOST, CHANNELS_AT_MOST, MAPS_AT_MOST = 32, 8, 64


def filters(*, kernels, layer, channels=None, title=None):
    """The filters of a convolution as tiles on one scale around zero.

    `kernels` is (height, width, input channels, filters), or (width, input channels, filters) of one dimension. With
    one input channel the filters are one sheet; with more there is a row for each of `channels`, the first eight.

    >>> filters(kernels=[[[[-1.0, 0.5]]]], layer="conv_1").caption
    'All 2 filters of conv_1 (1 x 1) on one scale from -1 to 1. Filter 0 has the largest weights.'
    """
    kernels = numbers_of(kernels)
    kernels = kernels[None] if kernels.ndim == 3 else kernels
    if kernels.ndim != 4:
        raise UsageError(f"kernels have shape {kernels.shape}, expected (height, width, input channels, filters).")
    tall, wide, depth, count = kernels.shape
    channels = list(range(min(depth, CHANNELS_AT_MOST))) if channels is None else list(channels)
    wrong = [channel for channel in channels if not 0 <= channel < depth]
    if wrong:
        raise UsageError(f"{layer} has no input channel {wrong[0]}, it has 0 to {depth - 1}.")
    shown = min(count, FILTERS_AT_MOST)
    part = kernels[:, :, channels, :shown]
    tiles = part.transpose(2, 3, 0, 1).reshape(len(channels) * shown, tall, wide)
    if depth == 1:
        columns, names = columns_for(shown), [str(place) for place in range(shown)]
    else:
        columns = shown
        names = [str(place) for place in range(shown)] + [""] * (shown * (len(channels) - 1))
    norm = scale(part, symmetric=True)
    figure, ax = _picture(title or f"Filters of {layer}", len(tiles), columns, tall / wide, norm, DIVERGING, "weight")
    mosaic(ax, tiles, norm=norm, cmap=DIVERGING, columns=columns, names=names, fontsize=7 if columns > 20 else 8)
    if depth > 1:
        ax.set_ylabel(f"input channels {_listed(channels)}", fontsize=9)
        ax.set_xlabel("filters", fontsize=9)
    energy = np.nan_to_num(np.square(kernels)).sum(axis=(0, 1, 2))
    which = f"All {count} filters" if shown == count else f"Filters 0 to {shown - 1} of {count}"
    cut = f", input channels {_listed(channels)} of {depth}" if depth > 1 else ""
    strongest = f"Filter {int(energy.argmax())} has the largest weights." if energy.any() else "All weights are zero."
    return captioned(
        figure, f"{which} of {layer} ({tall} x {wide}){cut} on one scale from {number(norm.vmin)} to "
        f"{number(norm.vmax)}.", strongest,
    )  # fmt: skip


def feature_maps(*, image, maps, layer, title=None):
    """What a layer makes of one image: the image, and its maps (height, width, channels) on one scale.

    >>> feature_maps(image=[[0, 255]], maps=[[[0.0, 1.0], [0.0, 2.0]]], layer="conv_1").caption
    '2 maps of conv_1 (1 x 2) on one scale from 0 to 2. 1 of 2 is constant: it shows nothing of this image.'
    """
    maps = numbers_of(maps)
    if maps.ndim != 3:
        raise UsageError(f"maps have shape {maps.shape}, expected (height, width, channels) for one image.")
    tall, wide, count = maps.shape
    shown = min(count, MAPS_AT_MOST)
    tiles = maps[..., :shown].transpose(2, 0, 1)
    columns = columns_for(shown, most=12)
    norm = scale(tiles, symmetric=False)
    figure, ax = _picture(
        title or f"Feature maps of {layer}", shown, columns, tall / wide, norm, SEQUENTIAL, "activation", beside=True
    )
    picture = pixels([image])[0]
    left = figure.axes[0]
    left.imshow(picture, interpolation="nearest", **(dict(cmap="gray", vmin=0, vmax=255) if picture.ndim == 2 else {}))
    left.set_title("input", fontsize=9.5)
    bare(left)
    mosaic(ax, tiles, norm=norm, cmap=SEQUENTIAL, columns=columns, names=[str(place) for place in range(shown)])
    flat = int(sum(np.ptp(tile[np.isfinite(tile)]) == 0 if np.isfinite(tile).any() else True for tile in tiles))
    which = counted(count, "map") if shown == count else f"Maps 0 to {shown - 1} of {count}"
    dead = f"{flat} of {shown} {'is' if flat == 1 else 'are'} constant: {'it shows' if flat == 1 else 'they show'} " \
           "nothing of this image." if flat else ""  # fmt: skip
    return captioned(
        figure, f"{which} of {layer} ({tall} x {wide}) on one scale from {number(norm.vmin)} to {number(norm.vmax)}.",
        dead,
    )  # fmt: skip


def _picture(title, count, columns, ratio, norm, cmap, label, beside=False):
    """A Figure for a mosaic, with its colour bar and, where asked, Axes for an image at the left."""
    rows = max(1, -(-count // max(columns, 1)))
    across = 6.0 if beside else 7.6  # inches that the mosaic has
    height = float(np.clip(across * rows * (ratio * 1.1 + 0.2) / (min(columns, count) * 1.12), 1.3, 9.0)) + 0.7
    options = dict(width_ratios=[1.5, across]) if beside else {}
    figure, axes = panels(1, 2 if beside else 1, title=title, height=height, **options)
    ax = axes[0, -1]
    bar = figure.colorbar(ScalarMappable(norm, cmap), ax=ax, label=plain(label), fraction=0.035, pad=0.02, aspect=25)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure, ax


def _listed(channels):
    if len(channels) > 2 and channels == list(range(channels[0], channels[0] + len(channels))):
        return f"{channels[0]} to {channels[-1]}"
    return ", ".join(map(str, channels))
