"""How drawings lie in the images a model was trained on, and any picture of a drawing brought to lie the same."""

from dataclasses import dataclass

import numpy as np

LOOKED_AT = 2_000  # training images that tell how all of them are framed
FAINT = 25  # levels of 255 below which paper still counts as plain
DRAWN = 0.1  # share of the strongest ink from which a pixel belongs to the drawing


@dataclass(frozen=True)
class Frame:
    """What the drawings of all training images have in common: one size, one place, plain paper, full ink.

    `height` and `width` are those of the box that drawings fill, in pixels. At `row` and `column` lies the drawing's
    centre of mass, as in MNIST, or the middle of its box, as in Fashion-MNIST. `ink` is how much the strongest pixel of
    a drawing differs from the paper, of 255.
    """

    height: float
    width: float
    row: float
    column: float
    by_mass: bool
    ink: float


def border_brightness(images):
    """The mean of the outermost pixels of uint8 images.

    >>> border_brightness(np.full((1, 4, 4), 255, "uint8"))
    255.0
    """
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return float(np.mean([edge.mean() for edge in edges]))


def frame_of(images):
    """The Frame of grey uint8 images; None where they are no drawings on plain paper, or lie and measure as they like.

    >>> image = np.zeros((1, 28, 28), "uint8")
    >>> image[:, 4:24, 9:19] = 255
    >>> frame_of(image)
    Frame(height=20.0, width=10.0, row=13.5, column=13.5, by_mass=False, ink=255.0)
    """
    images = images[:: -(-len(images) // LOOKED_AT)]
    ink = images if border_brightness(images) < 128 else 255 - images
    ink = ink[ink.max(axis=(1, 2)) > FAINT]
    if not len(ink) or (ink[:, [0, 0, -1, -1], [0, -1, 0, -1]] <= FAINT).mean() < 0.95:
        return None
    boxes = np.array([box_of(one) for one in ink], float)
    sizes, middles = boxes[:, 2:] - boxes[:, :2], (boxes[:, :2] + boxes[:, 2:] - 1) / 2
    masses = np.array([centre_of_mass(one) for one in ink])
    by_mass = bool(masses.std(axis=0).max() < middles.std(axis=0).max())
    centres = masses if by_mass else middles
    box = np.percentile(sizes, 95, axis=0)
    alike_in_size = np.median((sizes / box).max(axis=1)) >= 0.9
    alike_in_place = (centres.std(axis=0) <= np.array(images.shape[1:]) / 20).all()
    if not (alike_in_size and alike_in_place):
        return None
    height, width, row, column = (round(float(number), 2) for number in (*box, *centres.mean(axis=0)))
    return Frame(height, width, row, column, by_mass, ink=float(np.median(ink.max(axis=(1, 2)))))


def framed(pixels, shape, frame, *, is_light):
    """A grey picture of any size and polarity as an item of that shape: its drawing cut out, fitted in and centred.

    What is as bright as the picture's border becomes the paper, which `is_light` or dark as in training.
    """
    from PIL import Image

    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.uint8(np.median(border))
    ink = paper - np.minimum(pixels, paper) if paper >= 128 else np.maximum(pixels, paper) - paper
    canvas = np.zeros(shape, "uint8")
    strongest = int(ink.max())
    if strongest > FAINT:  # else there is nothing on the paper
        top, left, bottom, right = box_of(ink)
        scale = min(frame.height / (bottom - top), frame.width / (right - left))
        height, width = (max(1, round(scale * side)) for side in (bottom - top, right - left))
        drawing = Image.fromarray(ink[top:bottom, left:right]).point(lambda level: round(255 * level / strongest))
        drawing = np.asarray(drawing.resize((width, height), Image.Resampling.LANCZOS), float)
        # Thin strokes fade when they are made smaller; specks may vanish altogether.
        drawing *= frame.ink / max(drawing.max(), 1)
        centre = centre_of_mass(drawing) if frame.by_mass and drawing.any() else ((height - 1) / 2, (width - 1) / 2)
        top, left = (
            int(np.clip(round(place - middle), 0, whole - side))
            for place, middle, whole, side in zip((frame.row, frame.column), centre, shape, (height, width))
        )
        canvas[top : top + height, left : left + width] = np.round(drawing)
    return 255 - canvas if is_light else canvas


def box_of(ink):
    """The (top, left, bottom, right) of what is drawn in an image with ink above 0; bottom and right lie beyond it."""
    drawn = ink > DRAWN * ink.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def centre_of_mass(ink):
    """The (row, column) of the middle of all ink."""
    weights = ink.astype(float)
    return tuple(np.average(np.arange(len(sums)), weights=sums) for sums in (weights.sum(axis=1), weights.sum(axis=0)))
