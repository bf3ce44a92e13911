"""Arrays as plain pictures without words, as TensorBoard shows them: tiles with gaps on one scale of colours.

They are made in milliseconds, where a figure with axes takes a tenth of a second or more.
"""

import numpy as np
from matplotlib import colormaps

from kerashw.figures.sheets import columns_for, scale
from kerashw.figures.style import DIVERGING, SEQUENTIAL
from kerashw.probes.reach import image_axes

SIDE = 512  # pixels: small pictures are drawn up to about this, larger arrays are cut to it
GAP = 4  # pixels between tiles
GREY = (128, 128, 128)  # of the gaps, and of what is not finite


def tiled(tiles, *, symmetric, columns=None):
    """One picture, uint8 (height, width, 3), of tiles (n, height, width) on one scale; NaN is grey.

    The scale is red and blue around zero where `symmetric`, else dark to light from the smallest to the largest.

    >>> tiled(np.zeros((6, 4, 4)), symmetric=True, columns=3).shape[2]
    3
    """
    tiles = np.asarray(tiles, dtype=float)
    count, tall, wide = tiles.shape
    columns = min(columns or columns_for(count), count)
    rows = -(-count // columns)
    colours = colormaps[DIVERGING if symmetric else SEQUENTIAL](
        scale(tiles, symmetric=symmetric)(np.ma.masked_invalid(tiles)), bytes=True
    )[..., :3]
    colours[~np.isfinite(tiles)] = GREY
    # Every value becomes a square of pixels, so that the whole gets about as large as it should.
    times = max(1, SIDE // max(columns * wide, rows * tall))
    colours = colours.repeat(times, axis=1).repeat(times, axis=2)
    # Each tile brings the gap to its right and below itself.
    tall, wide = times * tall + GAP, times * wide + GAP
    cells = np.full((rows * columns, tall, wide, 3), GREY, np.uint8)
    cells[:count, :-GAP, :-GAP] = colours
    picture = cells.reshape(rows, columns, tall, wide, 3).swapaxes(1, 2).reshape(rows * tall, columns * wide, 3)
    return picture[:-GAP, :-GAP]


def matrix(values):
    """The first rows and columns of a matrix as one picture around zero.

    >>> matrix([[1.0, -1.0]]).shape
    (256, 512, 3)
    """
    return tiled(np.asarray(values)[None, :SIDE, :SIDE], symmetric=True)


def spread(values):
    """Positions in one, two or three dimensions as pictures: (n, *positions, channels) to (n, height, width, channels).

    A line is one row of pixels; the slices of a volume stand side by side.

    >>> spread(np.zeros((1, 5, 2))).shape, spread(np.zeros((1, 3, 4, 5, 2))).shape
    ((1, 1, 5, 2), (1, 4, 15, 2))
    """
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 5:
        count, deep, tall, wide, channels = values.shape
        return values.transpose(0, 2, 1, 3, 4).reshape(count, tall, deep * wide, channels)
    return values


def as_pictures(layers, arrays):
    """The inputs of a model as pictures to look at: uint8 (n, height, width) or (n, height, width, 3).

    Of several inputs it is the first that has two or more dimensions. uint8 pixels stay as they are; other values are
    stretched from the lowest to the highest of all. Three channels are colours; of any other number the mean is shown.

    >>> as_pictures([], [np.array([[[-1.0, 1.0]]])]).tolist()
    [[[0, 255]]]
    """
    array = next((one for one in arrays if one.ndim > 2), arrays[0])
    axes, channels = image_axes(layers, array.shape[1:])
    if len(axes) > 3:
        array, axes = array.reshape(len(array), -1), (1,)
        channels = None
    if channels is None:
        array = array[..., None]
    elif channels == "first":
        array = np.moveaxis(array, 1, -1)
    pictures = spread(array)
    if pictures.shape[-1] != 3:
        pictures = pictures.mean(axis=-1)
    return np.asarray(pictures).round().astype(np.uint8) if array.dtype == np.uint8 else _stretched(pictures)


def _stretched(values):
    values = values.astype(float)
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    return np.nan_to_num(255 * (values - low) / ((high - low) or 1.0)).round().astype(np.uint8)
