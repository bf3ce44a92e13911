"""Files a person has, as items a model takes: pictures, NPY, CSV and idx files, read piece by piece."""

import math
import warnings
from functools import partial

import numpy as np

from kerashw.errors import UsageError
from kerashw.framing import border_brightness, framed
from kerashw.sources import KNOWN

PIECE = 256  # items in memory at once, however many a file holds
ENOUGH = 2**22  # pixels of a picture; one of more is made smaller by a whole factor before anything else
STRIP = 2**20  # pixels in memory a second time while it is
MAY_BE_CLEAR = ("RGBA", "LA", "PA", "P")  # Pillow's modes of pictures that may be transparent in places
ORIENTATION = 0x0112  # the EXIF tag in which cameras store which side is up


def read_pieces(source, shape, *, background=None, frame=None, columns=()):
    """The items of one Source as arrays (n, *shape) of at most PIECE; a UsageError names it where it does not fit.

    `background` and `frame` tell of the images the model was trained on; they change nothing but pictures. `columns` are
    the names of the columns of its table, where it was one.
    """
    read = {"npy": _read_array, "csv": partial(_read_rows, columns=columns), "idx": _read_idx}
    try:
        if source.kind is None:
            raise UsageError(f"{source.name}: cannot be read; known endings are {KNOWN}.")
        if not source.path.stat().st_size:
            raise UsageError(f"{source.name}: is empty.")
        if source.kind == "picture":
            yield read_picture(source.path, shape, background, frame)[np.newaxis]
        else:
            yield from read[source.kind](source.path, shape)
    except UsageError as error:  # what came from standard input lies where nobody knows it
        raise UsageError(str(error).replace(str(source.path), source.name)) from None


def read_picture(path, shape, background=None, frame=None):
    """A picture of any size as one uint8 item: grey or RGB, framed or resized, of the polarity of training.

    `background` is the mean brightness of the border of the training images, 0 to 255; None leaves the polarity.
    `frame` is the Frame of their drawings; None resizes the picture as a whole. One that has the model's size already
    keeps its place and size.
    """
    if len(shape) < 2:
        raise UsageError(f"{path}: the model takes {shape[0]} number(s) per item, not pictures; give NPY or CSV.")
    if len(shape) == 3 and shape[-1] not in (1, 3):
        raise UsageError(f"{path}: the model takes images of {shape[-1]} channels; pictures are read as grey or RGB: give NPY.")
    from PIL import Image, ImageOps

    size = (shape[1], shape[0])
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path) as picture,
        ):
            mode = "RGB" if len(shape) == 3 and shape[-1] == 3 else "L"
            picture = _eight_bits(ImageOps.exif_transpose(_reduced(picture, mode, max(ENOUGH, math.prod(shape)))))
            if picture.mode in MAY_BE_CLEAR:  # what is transparent is paper: white, but black below light ink
                layered = picture.convert("RGBA")
                grey, alpha = (np.asarray(layered.convert(mode)) for mode in ("L", "LA"))
                ink = grey[alpha[..., 1] > 0]
                paper = "black" if (alpha[..., 1] == 0).any() and ink.size and ink.mean() >= 128 else "white"
                picture = Image.alpha_composite(Image.new("RGBA", layered.size, paper), layered)
            picture = picture.convert(mode)
            is_framed = frame is not None and picture.size != size
            if picture.size != size and not is_framed:
                picture = picture.resize(size, Image.Resampling.LANCZOS)
            pixels = np.asarray(picture)
    except Exception as error:  # decoders raise what they like on damaged files
        raise UsageError(f"{path}: is no picture that can be read ({type(error).__name__}).") from None
    if is_framed:
        pixels = framed(pixels, shape[:2], frame, is_light=background >= 128)
    elif background is not None and (border_brightness(pixels[np.newaxis]) < 128) != (background < 128):
        pixels = 255 - pixels
    return pixels.reshape(shape)


def _reduced(picture, mode, most):
    """The picture; one of more than `most` pixels smaller, in that mode, or in RGBA if it may be transparent."""
    from PIL import Image

    factor = math.ceil(math.sqrt(picture.width * picture.height / most))
    if factor <= 1:
        return picture
    picture.load()  # after which the mode is known for sure
    mode = "RGBA" if picture.mode in MAY_BE_CLEAR else mode
    small = Image.new(mode, (-(-picture.width // factor), -(-picture.height // factor)))
    rows = max(1, STRIP // picture.width // factor) * factor
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        small.paste(_eight_bits(strip).convert(mode).reduce(factor), (0, top // factor))
    small.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return small


def _eight_bits(picture):
    """The picture with 8 bits a level: of one with 16 Pillow would clip all above 255 to white."""
    if not picture.mode.startswith("I;16"):
        return picture
    return picture.convert("I").point(lambda level: level / 256 + 0).convert("L")


def as_items(array, shape, name="x", first=0):
    """An array as items a model takes: uint8 pixels or float32 numbers, (n, *shape), one item alone becoming n = 1.

    A UsageError tells by `name` what does not fit, counting items from `first`.

    >>> as_items(np.array([3.0, 4.0]), (1,)).tolist()
    [[3.0], [4.0]]
    """
    if array.shape == shape:
        array = array[np.newaxis]
    elif shape == (1,) and array.ndim == 1:  # n items of one number each
        array = array[:, np.newaxis]
    if array.shape[1:] == (*shape, 1):
        array = array[..., 0]
    if array.shape[1:] != shape or not len(array):
        raise UsageError(f"{name}: has shape {array.shape}, expected (n, {', '.join(map(str, shape))}).")
    if array.dtype == np.uint8 and len(shape) > 1:
        return array  # pixels as they should be, with nothing to look for
    if array.dtype.kind not in "uif":
        raise UsageError(f"{name}: holds {array.dtype} values that are no finite numbers.")
    _refuse(name, first, ~np.isfinite(array), "holds a number that is not finite; fill it in or leave the item out")
    if len(shape) < 2:
        too_large = np.abs(array) > np.finfo("float32").max
        _refuse(name, first, too_large, "holds numbers too large for a model (limit 3.4e38)")
        return array.astype("float32")
    outside = (array < 0) | (array > 255) | (array != np.round(array))
    _refuse(name, first, outside, "pixels must be whole numbers from 0 to 255, not {:g}", array)
    return array.astype("uint8")


def _refuse(name, first, wrong, told, array=None):
    """A UsageError where an element is wrong, with the place of its item and, where there is an array, its value."""
    if wrong.any():
        place = int(wrong.reshape(len(wrong), -1).any(axis=1).argmax())
        value = [] if array is None else [array[place][wrong[place]].flat[0]]
        raise UsageError(f"{name}, item {first + place}: {told.format(*value)}.")


def _read_array(path, shape):
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header may raise anything
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is no NPY file of numbers ({reason or type(error).__name__}).") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise UsageError(f"{path}: is an NPZ archive, expected one array; save it with numpy.save.")
    if array.ndim < 1 or array.shape == shape or not len(array):
        yield as_items(np.asarray(array), shape, path)
        return
    for first in range(0, len(array), PIECE):
        yield as_items(np.asarray(array[first : first + PIECE]), shape, path, first)


def _read_rows(path, shape, columns):
    if len(shape) > 1:
        raise UsageError(f"{path}: the model takes images of {shape}, not CSV rows; give pictures or NPY.")
    from kerashw.datasets.tables import read_features

    yield from read_features(path, shape[0], PIECE, columns)


def _read_idx(path, shape):
    from kerashw.datasets.idx import read_idx_pieces

    for array in read_idx_pieces(path, len(shape) + 1, PIECE, shape):
        yield as_items(array, shape, path)
