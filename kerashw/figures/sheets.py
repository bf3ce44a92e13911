"""Sheets of pictures: grids of images with words below each, and mosaics of many small tiles on one scale."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize

from kerashw.errors import UsageError
from kerashw.figures.style import BLACK, VERMILION, WIDTH, bare, panels, plain

LINE = 0.155  # inches: the height of a line of text at 8.5 points
CHARACTER = 0.069  # inches: the width of a character at 8.5 points


@dataclass(frozen=True)
class Tile:
    """One image of a sheet with the words below it; `marked` gives it a thick frame and bold words."""

    image: object
    words: str = ""
    marked: bool = False


def pixels(images):
    """Images as uint8 (n, height, width) or (n, height, width, 3): values are pixels from 0 to 255 whatever the type.

    >>> pixels([[[[0.0], [300.0]]]]).tolist()
    [[[0, 255]]]
    """
    array = np.array(images, dtype=float)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        raise UsageError(
            f"images have shape {array.shape}, expected (n, height, width), (n, height, width, 1) or "
            "(n, height, width, 3)."
        )
    return np.nan_to_num(np.clip(array, 0, 255), nan=0).round().astype(np.uint8)


def sheet(tiles, *, title, columns, side=1.2, headings=(), row_names=()):
    """A Figure with tiles in rows; `side` is the width of a tile in inches, less where the sheet would get too wide.

    `headings` stand above the columns, `row_names` to the left of the rows.
    """
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    margin = CHARACTER * max((len(name) for name in row_names), default=0) + (0.15 if row_names else 0)
    side = min(side, (WIDTH - 0.3 - margin) / columns)
    per_line = max(6, int(0.98 * side / CHARACTER))
    longest = max((len(word) for tile in tiles for word in tile.words.split()), default=0)
    size = float(np.clip(8.5 * per_line / max(longest, 1), 6, 8.5))  # points; smaller only for a long word
    words = [_wrapped(tile.words, int(per_line * 8.5 / size)) for tile in tiles]
    lines = max((text.count("\n") + 1 for text in words if text), default=0)
    top = _wrapped_all(headings, per_line)
    above = LINE * max((text.count("\n") + 1 for text in top), default=0)
    ratio = np.shape(tiles[0].image)[0] / np.shape(tiles[0].image)[1] if tiles else 1
    tall = 0.92 * side * min(ratio, 4)  # of an image; a strip of numbers may be far taller than wide
    step = tall + LINE * lines + 0.1
    height = rows * step + above + 0.1
    figure, axes = panels(1, 1, title=title, height=height + 0.55, width=WIDTH)
    ax = axes[0, 0]
    bare(ax)
    # One unit of the axes is one inch, so that words have their place; wide sheets stay in the middle.
    across = columns * side + margin
    for place, (tile, text) in enumerate(zip(tiles, words)):
        row, column = divmod(place, columns)
        left, upper = margin + (column + 0.04) * side, above + row * step + 0.04
        _draw_tile(ax, tile, text, size, left, upper, 0.92 * side, tall)
    for column, text in enumerate(top):
        ax.text(margin + (column + 0.5) * side, above - 0.02, text, ha="center", va="bottom", fontsize=8.5,
                fontweight="bold")  # fmt: skip
    for row, text in enumerate(row_names):
        ax.text(margin - 0.08, above + row * step + tall / 2, plain(text), ha="right", va="center", fontsize=8.5)
    ax.set(xlim=((across - WIDTH + 0.1) / 2, (across + WIDTH - 0.1) / 2), ylim=(height, 0), aspect="equal")
    return figure


def mosaic(ax, tiles, *, norm, cmap, columns, names=(), fontsize=7.5):
    """The tiles (n, height, width) in rows of one picture on one scale, a gap between them and a name above each."""
    tiles = np.asarray(tiles, dtype=float)
    count, tall, wide = tiles.shape
    columns = max(1, min(columns, count))
    rows = max(1, math.ceil(count / columns))
    # One image of all is drawn ten times as fast as one for each, so gaps are whole values.
    gap = math.ceil(0.1 * max(wide, tall))
    head = math.ceil(0.24 * max(wide, tall)) if names else gap
    bare(ax)
    whole = np.full((rows * (tall + head), columns * (wide + gap)), np.nan)
    frames = []
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left, upper = column * (wide + gap), row * (tall + head) + head
        whole[upper : upper + tall, left : left + wide] = tile
        frames.append([(left, upper), (left + wide, upper), (left + wide, upper + tall), (left, upper + tall)])
        if names and names[place]:
            ax.text(left + wide / 2, upper - 0.08 * head, plain(names[place]), ha="center", va="bottom",
                    fontsize=fontsize)  # fmt: skip
    down, across = whole.shape
    ax.imshow(whole, norm=norm, cmap=cmap, interpolation="nearest", extent=(0, across, down, 0), aspect="auto")
    ax.add_collection(PolyCollection(frames, facecolors="none", edgecolors="#999999", linewidths=0.5))
    ax.set(xlim=(-gap / 2, across - gap / 2), ylim=(down + gap / 2, 0), aspect="equal")


def columns_for(count, most=16):
    """How many columns make a sheet of `count` tiles about twice as wide as high, without a hole if possible.

    >>> [columns_for(count) for count in (6, 10, 16, 32, 64)]
    [6, 5, 8, 8, 16]
    """
    wide = min(math.ceil(math.sqrt(2 * max(count, 1))), most)
    return next((columns for columns in range(wide, min(wide + 4, most) + 1) if count % columns == 0), wide)


def scale(values, *, symmetric):
    """The colour scale that all values share: around 0 where symmetric, else from the smallest to the largest."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if symmetric:
        most = float(np.abs(known).max()) if known.size else 0.0
        return Normalize(-(most or 1.0), most or 1.0)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1.0)


def _draw_tile(ax, tile, text, size, left, upper, wide, tall):
    image = np.asarray(tile.image)
    look = dict(cmap="gray", vmin=0, vmax=255) if image.ndim == 2 else {}
    ax.imshow(image, interpolation="nearest", extent=(left, left + wide, upper + tall, upper), aspect="auto", **look)
    color, stroke = (VERMILION, 2.5) if tile.marked else ("#999999", 0.6)
    ax.add_patch(_frame(left, upper, wide, tall, color, stroke))
    for line, words in enumerate(text.split("\n")):  # line by line, so that all tiles of a row have one baseline
        ax.text(
            left + wide / 2, upper + tall + 0.145 + line * 0.138, words, ha="center", va="baseline", fontsize=size,
            color=VERMILION if tile.marked else BLACK, fontweight="bold" if tile.marked else "normal",
        )  # fmt: skip


def _frame(left, upper, wide, tall, color, stroke):
    from matplotlib.patches import Rectangle

    return Rectangle((left, upper), wide, tall, fill=False, edgecolor=color, linewidth=stroke)


def _wrapped(text, width):
    lines = [textwrap.fill(plain(line), width, break_on_hyphens=False) for line in str(text).split("\n") if line]
    return "\n".join(lines)


def _wrapped_all(texts, width):
    return [_wrapped(text, width) for text in texts]
