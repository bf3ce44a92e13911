"""What single units look for: the inputs that excite them, the crops that do, the part of the image they see."""

import numpy as np

from kerashw.figures.sheets import Tile, columns_for, pixels, sheet
from kerashw.figures.style import (
    DASHES,
    PALETTE,
    bare,
    captioned,
    counted,
    number,
    numbers_of,
    panels,
    plain,
    whole_ticks,
)

TILES_AT_MOST, ROWS_AT_MOST = 60, 16


def maximal_inputs(*, images, units, layer, activations=None, title=None):
    """The inputs that excite the units of a layer most, as activation maximisation found them.

    >>> maximal_inputs(images=[[[0, 255]]], units=["7"], layer="output", activations=[12.5]).caption
    'The input that excites each of 1 unit of output most. The strongest is unit 7 with 12.5.'
    """
    reached = numbers_of(activations) if activations is not None else np.full(len(images), np.nan)
    tiles = [
        Tile(image, f"{unit}: {number(value)}" if np.isfinite(value) else str(unit))
        for image, unit, value in zip(pixels(images), units, reached)
    ][:TILES_AT_MOST]
    figure = sheet(tiles, title=title or f"Inputs that excite the units of {layer} most",
                   columns=columns_for(len(tiles), most=10))  # fmt: skip
    best = ""
    if np.isfinite(reached[: len(tiles)]).any():
        place = int(np.nanargmax(reached[: len(tiles)]))
        best = f"The strongest is unit {units[place]} with {number(reached[place])}."
    return captioned(figure, f"The input that excites each of {counted(len(tiles), 'unit')} of {layer} most.", best)


def strongest_crops(*, crops, units, layer, activations=None, title=None):
    """A row for each unit: the crops of the images that excite it most, the strongest first.

    `crops` is (units, crops, height, width) or the same with channels; `activations` is (units, crops).

    >>> strongest_crops(crops=[[[[0, 255]], [[9, 9]]]], units=["0"], layer="conv_1", activations=[[3.0, 0.0]]).caption
    'The 2 crops that excite each of 1 unit of conv_1 most, strongest at the left.'
    """
    crops = np.asarray(crops, dtype=float)[:ROWS_AT_MOST]
    each = crops.shape[1]
    values = numbers_of(activations) if activations is not None else np.full(crops.shape[:2], np.nan)
    words = [[number(value) if np.isfinite(value) else "" for value in row] for row in values[: len(crops)]]
    tiles = [
        Tile(image, text) for some, row in zip(crops, words) for image, text in zip(pixels(some) if each else [], row)
    ]
    figure = sheet(
        tiles, title=title or f"What excites the units of {layer} most", columns=each,
        side=0.85, row_names=[f"unit {unit}" for unit in units][: len(crops)],
    )  # fmt: skip
    silent = [str(unit) for unit, row in zip(units, values) if np.isfinite(row).any() and not np.nanmax(row) > 0]
    quiet = f"No image excites {', '.join(silent)}." if silent else ""
    told = f"The {counted(each, 'crop')} that excite{'s' if each == 1 else ''} each of "
    cut = f" The first {len(crops)} of {len(units)} are shown." if len(units) > len(crops) else ""
    return captioned(figure, f"{told}{counted(len(crops), 'unit')} of {layer} most, strongest at the left.{cut}", quiet)


def receptive_fields(*, image, fields, title="Receptive fields"):
    """The part of the image that one unit of each layer sees, drawn on the image, and its size.

    `fields` is {layer: {"top", "left", "height", "width"}} in pixels of the image; a field may reach beyond it.

    >>> receptive_fields(image=[[0, 9], [9, 0]], fields={"conv_1": dict(top=0, left=0, height=1, width=2)}).caption
    'A unit of conv_1 sees 1 x 2 pixels, 50 % of the image.'
    """
    from matplotlib.patches import Rectangle

    figure, axes = panels(1, 2, title=title, height=4.8, width_ratios=[1, 1])
    left, right = axes[0]
    picture = pixels([image])[0]
    tall, wide = picture.shape[:2]
    look = dict(cmap="gray", vmin=0, vmax=255) if picture.ndim == 2 else {}
    left.imshow(picture, interpolation="nearest", extent=(0, wide, tall, 0), alpha=0.75, **look)
    bare(left)
    low_x, high_x, low_y, high_y = 0.0, float(wide), 0.0, float(tall)
    sides = []
    for place, (name, field) in enumerate(fields.items()):
        color, dash = PALETTE[place % len(PALETTE)], DASHES[place % len(DASHES)]
        corner = (field["left"], field["top"])
        left.add_patch(Rectangle(corner, field["width"], field["height"], fill=False, edgecolor=color, linewidth=2.2,
                                 linestyle=dash))  # fmt: skip
        low_x, high_x = min(low_x, corner[0]), max(high_x, corner[0] + field["width"])
        low_y, high_y = min(low_y, corner[1]), max(high_y, corner[1] + field["height"])
        sides.append(max(field["height"], field["width"]))
        right.barh(place, sides[-1], height=0.6, color="white", edgecolor=color, linestyle=dash, linewidth=2)
        right.text(sides[-1], place, f"  {number(field['height'])} x {number(field['width'])}", va="center", fontsize=9)
    pad = 0.02 * max(high_x - low_x, high_y - low_y)
    left.set(xlim=(low_x - pad, high_x + pad), ylim=(high_y + pad, low_y - pad))
    right.set_yticks(range(len(fields)), [plain(name) for name in fields])
    right.set(xlabel="side of the field (pixels)", xlim=(0, 1.35 * max(sides, default=1)))
    right.set_ylim(len(fields) - 0.4 if fields else 1, -0.6)
    right.grid(False, axis="y")
    whole_ticks(right.xaxis)
    told = [_sees(name, field, tall, wide) for name, field in fields.items()]
    return captioned(figure, *(told or ["There are no layers that see a part of the image."]))


def _sees(name, field, tall, wide):
    high = max(0, min(field["top"] + field["height"], tall) - max(field["top"], 0))
    broad = max(0, min(field["left"] + field["width"], wide) - max(field["left"], 0))
    share = 100 * high * broad / (tall * wide)
    size = f"{number(field['height'])} x {number(field['width'])}"
    return f"A unit of {name} sees {size} pixels, {share:.0f} % of the image."
