"""Drawn garments: ten kinds of silhouette at random sizes, cuts, shades and textures, on 28x28 black images."""

import numpy as np
from PIL import Image, ImageDraw

SIDE = 28
FINE = 4                          # drawn at four times the size, then averaged, for soft edges

# A garment is a list of (outline, shade): points from 0 to 1, x to the right and y down, painted one over the
# other; a shade multiplies the garment's own brightness, so that 0 cuts a hole.


def draw_garments(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One uint8 image for each label: 0 T-shirt/top, 1 trouser ... 9 ankle boot, in Fashion-MNIST's order.

    >>> images = draw_garments(np.arange(10), np.random.default_rng(0))
    >>> images.shape, images.dtype, bool(images.max() > 100)
    ((10, 28, 28), dtype('uint8'), True)
    """
    kinds = (_t_shirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot)
    shapes = np.stack([_paint(_moved(kinds[label](generator), generator)) for label in labels])
    brightness = np.clip(generator.normal(0.72, 0.17, len(labels)), 0.3, 1.0)[:, None, None]
    images = shapes * brightness * _textures(len(labels), generator)
    images += (shapes > 0) * generator.normal(0.0, 0.04, shapes.shape)
    return np.round(255 * np.clip(images, 0.0, 1.0)).astype(np.uint8)


def _t_shirt(generator):
    length = generator.uniform(0.28, 0.5) if generator.random() > 0.12 else generator.uniform(0.5, 0.8)
    return _upper_garment(generator, length, generator.uniform(0.82, 0.95), waist=generator.uniform(0.2, 0.27))


def _pullover(generator):
    hem, waist = generator.uniform(0.82, 0.94), generator.uniform(0.2, 0.26)
    body = _upper_garment(generator, generator.uniform(0.85, 1.0), hem, waist)
    return body + ([(_box(0.5 - waist, hem - 0.06, 0.5 + waist, hem), 0.8)] if generator.random() < 0.3 else [])


def _shirt(generator):
    length = generator.uniform(0.85, 1.0) if generator.random() < 0.65 else generator.uniform(0.28, 0.55)
    hem = generator.uniform(0.84, 0.97)
    body = _upper_garment(generator, length, hem, waist=generator.uniform(0.18, 0.26))
    buttons = _box(0.487, 0.15, 0.513, hem)
    collar = [(0.4, 0.05), (0.5, 0.17), (0.6, 0.05), (0.66, 0.13), (0.5, 0.26), (0.34, 0.13)]
    return body + [(buttons, generator.uniform(0.45, 0.95)), (collar, generator.uniform(0.55, 0.95))]


def _coat(generator):
    hem = generator.uniform(0.9, 0.99)
    body = _upper_garment(generator, generator.uniform(0.88, 1.0), hem, waist=generator.uniform(0.21, 0.28))
    half = generator.uniform(0.01, 0.025)
    lapels = [(0.38, 0.07), (0.5, 0.4), (0.62, 0.07), (0.5, 0.16)]
    return body + [(_box(0.5 - half, 0.2, 0.5 + half, hem), generator.uniform(0.1, 0.75)),
                   (lapels, generator.uniform(0.6, 1.0))]


def _upper_garment(generator, length, hem, waist):
    """Body, two sleeves and a neck; `length` is that of the sleeves, 1 down to the hand, `waist` half a width."""
    shoulder, neck = generator.uniform(0.24, 0.29), generator.uniform(0.09, 0.14)
    reach = (0.45 - shoulder) * min(1.0, 0.45 + 0.6 * length)          # sleeves point outwards, then hang down
    cuff, width = 0.14 + 0.68 * length, generator.uniform(0.09, 0.13)
    right = [(neck, 0.07), (shoulder, 0.12), (shoulder + reach, cuff), (shoulder + reach - width, cuff + 0.03),
             (waist + 0.01, 0.36), (waist, hem)]
    depth = generator.uniform(0.1, 0.19)
    hole = [(-neck, 0.0), (neck, 0.0), (neck * 0.9, 0.08), (0.0, depth), (-neck * 0.9, 0.08)]
    return [(_mirrored(right), 1.0), (_centred(hole), 0.0)]


def _trouser(generator):
    waist, hip = generator.uniform(0.13, 0.19), generator.uniform(0.17, 0.23)
    outer, inner = generator.uniform(0.17, 0.25), generator.uniform(0.02, 0.07)
    crotch, hem = generator.uniform(0.28, 0.42), generator.uniform(0.94, 0.99)
    right = [(waist, 0.03), (hip, 0.25), (outer, hem), (inner, hem), (0.0, crotch)]
    return [(_mirrored(right), 1.0), (_box(0.5 - waist, 0.03, 0.5 + waist, 0.08), generator.uniform(0.7, 1.1))]


def _dress(generator):
    shoulder, waist = generator.uniform(0.12, 0.2), generator.uniform(0.1, 0.15)
    hem, middle = generator.uniform(0.16, 0.32), generator.uniform(0.36, 0.48)
    right = [(0.07, 0.03), (shoulder, 0.06), (shoulder, 0.26), (waist, middle), (hem, 0.98)]
    if generator.random() < 0.35:                                      # with sleeves, and so close to a coat
        cuff = generator.uniform(0.3, 0.75)
        right[2:3] = [(shoulder + 0.12, cuff), (shoulder + 0.05, cuff + 0.03), (shoulder - 0.02, 0.28)]
    hole = [(-0.07, 0.0), (0.07, 0.0), (0.0, generator.uniform(0.1, 0.22))]
    return [(_mirrored(right), 1.0), (_centred(hole), 0.0)]


def _sandal(generator):
    heel, sole = generator.uniform(0.0, 0.3), generator.uniform(0.04, 0.08)
    back = 0.72 - heel
    shapes = [([(0.04, 0.76), (0.45, 0.74), (0.95, back), (0.95, back + sole), (0.5, 0.76 + sole),
                (0.04, 0.76 + sole)], 1.0),
              ([(0.86, back), (0.96, back), (0.96, 0.8), (0.89, 0.8)], 1.0)]
    for _ in range(generator.integers(2, 5)):                          # straps, with air between them
        foot, lean, thick = generator.uniform((0.08, 0.05, 0.05), (0.62, 0.2, 0.1))
        ground = 0.76 - max(0.0, foot - 0.45) / 0.5 * (0.76 - back)
        instep = min(ground - 0.12, 0.64 - 0.25 * foot - heel)         # rises towards the ankle
        shapes.append(([(foot, ground), (foot + lean, instep), (foot + lean + thick, instep),
                        (foot + thick, ground)], generator.uniform(0.6, 1.0)))
    if generator.random() < 0.6:                                       # a strap round the ankle
        high = back - generator.uniform(0.15, 0.3)
        shapes.append(([(0.58, high + 0.03), (0.93, high), (0.96, back), (0.9, back), (0.87, high + 0.07),
                        (0.58, high + 0.1)], 0.9))
    return shapes


def _sneaker(generator):
    top, tongue = generator.uniform(0.34, 0.46), generator.uniform(0.5, 0.64)
    upper = [(0.03, 0.68), (0.1, 0.6), (0.3, 0.56), (tongue, top + 0.02), (tongue + 0.08, top), (0.75, top + 0.08),
             (0.9, top + generator.uniform(-0.03, 0.06)), (0.97, 0.55), (0.97, 0.7), (0.03, 0.7)]
    shapes = [(upper, 1.0), (_box(0.03, 0.69, 0.97, generator.uniform(0.74, 0.78)), generator.uniform(0.5, 1.3))]
    for step in range(generator.integers(0, 4)):                       # stripes or laces
        x = 0.36 + 0.09 * step
        shapes.append(([(x, 0.6), (x + 0.06, 0.48), (x + 0.1, 0.48), (x + 0.04, 0.62)], generator.uniform(0.5, 1.3)))
    return shapes


def _ankle_boot(generator):
    top, front = generator.uniform(0.06, 0.36), generator.uniform(0.45, 0.56)
    heel = generator.uniform(0.0, 0.14)
    upper = [(0.05, 0.8), (0.06, 0.7), (0.24, 0.62), (front, 0.48), (front, top), (0.94, top - 0.02),
             (0.94, 0.85 - heel), (0.4, 0.85)]
    shapes = [(upper, 1.0), ([(0.05, 0.8), (0.5, 0.83), (0.5, 0.88), (0.05, 0.87)], 0.7),
              ([(0.72, 0.8 - heel), (0.95, 0.8 - heel), (0.95, 0.9), (0.76, 0.9)], 0.8)]
    return shapes + ([(_box(0.6, top + 0.05, 0.64, 0.7), 0.5)] if generator.random() < 0.3 else [])


def _bag(generator):
    half, top, bottom = generator.uniform(0.3, 0.46), generator.uniform(0.32, 0.5), generator.uniform(0.8, 0.95)
    slant = generator.uniform(-0.08, 0.05)
    shapes = [(_mirrored([(half + slant, top), (half, bottom)]), 1.0)]
    if generator.random() < 0.85:                                      # a handle: an arch with a hole
        reach, rise = half * generator.uniform(0.4, 0.85), generator.uniform(0.15, 0.3)
        arch = [(-reach, top), (-0.8 * reach, top - 0.8 * rise), (-0.4 * reach, top - rise)]
        arch += [(-x, y) for x, y in reversed(arch)]
        hole = [(0.75 * x, top + (y - top) * 0.75) for x, y in arch]
        shapes = [(_centred(arch), generator.uniform(0.7, 1.0)), (_centred(hole), 0.0)] + shapes
    if generator.random() < 0.6:                                       # a flap
        shapes.append((_box(0.5 - half, top, 0.5 + half, top + generator.uniform(0.1, 0.2)),
                       generator.uniform(0.7, 1.2)))
    return shapes


def _mirrored(right):
    """A closed outline from its right half, given as (distance from the middle, y)."""
    return [(0.5 + x, y) for x, y in right] + [(0.5 - x, y) for x, y in reversed(right)]


def _centred(outline):
    return [(0.5 + x, y) for x, y in outline]


def _box(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _moved(shapes, generator):
    """All outlines under one small random scaling, rotation, shear and shift, about the middle."""
    angle, shear = generator.normal(0.0, 0.035), generator.normal(0.0, 0.03)           # radians; a fraction
    scale = generator.uniform(0.84, 1.0, 2) * 0.98
    turn = np.array([[np.cos(angle), -np.sin(angle) + shear], [np.sin(angle), np.cos(angle)]]) * scale[:, None]
    shift = generator.uniform(-1.0, 1.0, 2) / SIDE                                     # up to a pixel
    return [((np.asarray(outline) - 0.5) @ turn.T + 0.5 + shift, shade) for outline, shade in shapes]


def _paint(shapes):
    canvas = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pen = ImageDraw.Draw(canvas)
    for outline, shade in shapes:
        pen.polygon([tuple(point) for point in outline * SIDE * FINE], fill=round(180 * shade))
    return np.asarray(canvas.reduce(FINE), np.float64) / 180


def _textures(count, generator):
    """For each image plain cloth, stripes across or along, checks, or a print on the breast; around 1."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    kind = generator.choice(5, count, p=(0.5, 0.15, 0.1, 0.1, 0.15))[:, None, None]
    waves = generator.uniform(4.0, 9.0, count)[:, None, None]
    start = generator.uniform(0.0, 1.0, count)[:, None, None]
    depth = generator.uniform(0.1, 0.35, count)[:, None, None]
    across, along = (np.cos(2 * np.pi * (waves * axis + start)) for axis in (y, x))
    size = generator.uniform(0.06, 0.15, count)[:, None, None]
    breast = 2 * np.exp(-((x - 0.5) ** 2 + (y - 0.45) ** 2) / size**2) * np.sign(start - 0.5)
    pattern = np.select([kind == 1, kind == 2, kind == 3, kind == 4], [across, along, across * along, breast], 0.0)
    fold = 0.12 * np.cos(2 * np.pi * (x + start))                      # light falls unevenly on any cloth
    return 1.0 + depth * pattern + fold
