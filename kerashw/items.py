"""Files a person has, as items a model takes: pictures, NPY and CSV files, folders of them, one after the other."""

import warnings
from pathlib import Path

import numpy as np

from kerashw.errors import UsageError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
SUFFIXES = (*PICTURES, ".npy", ".csv")


def list_files(paths):
    """The files named, and those of a kind we read in the folders named, in alphabetical order.

    >>> list_files(["nowhere.png"])
    Traceback (most recent call last):
    kerashw.errors.UsageError: nowhere.png: no such file or folder.
    """
    listed = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise UsageError(f"{path}: holds no file ending in {', '.join(SUFFIXES)}.")
            listed += inside
        elif not path.is_file():
            raise UsageError(f"{path}: no such file or folder.")
        elif path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path}: cannot be read; known endings are {', '.join(SUFFIXES)}.")
        else:
            listed.append(path)
    return listed


def read_items(path, shape, *, background=None):
    """The items of one file as an array (n, *shape); a UsageError names a file that holds none."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        if len(shape) < 2:
            raise UsageError(f"{path}: the model takes {shape[0]} number(s) per item, not pictures; give NPY or CSV.")
        return read_picture(path, shape, background)[np.newaxis]
    return _read_array(path, shape) if suffix == ".npy" else _read_rows(path, shape)


def read_picture(path, shape, background=None):
    """A picture of any size as one uint8 item: grey or RGB, resized, inverted where its border is of the other kind.

    `background` is the mean brightness of the border of the training images, 0 to 255; None leaves the polarity.
    """
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path) as picture,
        ):
            if picture.mode in ("RGBA", "LA", "P"):  # what is transparent counts as white paper
                layered = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
            picture = picture.convert("RGB" if len(shape) == 3 and shape[-1] == 3 else "L")
            if picture.size != (shape[1], shape[0]):
                picture = picture.resize((shape[1], shape[0]), Image.Resampling.LANCZOS)
            pixels = np.asarray(picture)
    except Exception as error:  # decoders raise what they like on damaged files
        raise UsageError(f"{path}: is no picture that can be read ({type(error).__name__}).") from None
    if background is not None and (border_brightness(pixels[np.newaxis]) < 128) != (background < 128):
        pixels = 255 - pixels
    return pixels.reshape(shape)


def border_brightness(images):
    """The mean of the outermost pixels of uint8 images.

    >>> border_brightness(np.full((1, 4, 4), 255, "uint8"))
    255.0
    """
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return float(np.mean([edge.mean() for edge in edges]))


def _read_array(path, shape):
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged header may raise anything
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is no NPY file of numbers ({reason or type(error).__name__}).") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise UsageError(f"{path}: is an NPZ archive, expected one array; save it with numpy.save.")
    if array.shape == shape:
        array = array[np.newaxis]
    elif shape == (1,) and array.ndim == 1:  # n items of one number each
        array = array[:, np.newaxis]
    if array.shape[1:] == (*shape, 1):
        array = array[..., 0]
    if array.shape[1:] != shape or not len(array):
        raise UsageError(f"{path}: has shape {array.shape}, expected (n, {', '.join(map(str, shape))}).")
    return _checked(path, array, shape)


def _checked(path, array, shape):
    """Whole numbers from 0 to 255 for pixels, finite ones for anything else."""
    if array.dtype.kind not in "uif" or not np.isfinite(array).all():
        raise UsageError(f"{path}: holds {array.dtype} values that are no finite numbers.")
    if len(shape) < 2:
        if np.abs(array).max(initial=0) > np.finfo("float32").max:
            raise UsageError(f"{path}: holds numbers too large for a model (limit 3.4e38).")
        return array.astype("float32")
    if array.min() < 0 or array.max() > 255 or (array != np.round(array)).any():
        raise UsageError(f"{path}: pixels must be whole numbers from 0 to 255, not {array.min():g} to {array.max():g}.")
    return array.astype("uint8")


def _read_rows(path, shape):
    if len(shape) > 1:
        raise UsageError(f"{path}: the model takes images of {shape}, not CSV rows; give pictures or NPY.")
    from kerashw.datasets.tables import read_table

    return read_table(path, features=shape[0]).features
