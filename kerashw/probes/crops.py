"""The parts of given images that excite the units of a layer most."""

from dataclasses import dataclass

import numpy as np

from kerashw.errors import UsageError
from kerashw.probes.activations import BATCH
from kerashw.probes.fields import receptive_fields
from kerashw.probes.graph import as_array, check_names, forward, in_batches, inputs_of, named_layers, tensors
from kerashw.probes.reach import image_axes


@dataclass(frozen=True, eq=False)
class Crops:
    """For each unit of a layer the crops that excite it most, the strongest first.

    units        (units,)                      their numbers: channels of a convolution, units of a dense layer
    crops        (units, count, *size[, channels]), of the images' own type, zero outside of the images
    items        (units, count)                which image each is from
    positions    (units, count, axes)          where in the layer's output the unit was excited
    corners      (units, count, axes)          the first pixel of the crop in its image; below 0 in the padding
    activations  (units, count)                how strongly
    """

    units: np.ndarray
    crops: np.ndarray
    items: np.ndarray
    positions: np.ndarray
    corners: np.ndarray
    activations: np.ndarray


def strongest_crops(model, images, layer, count=9, *, units=None, pointwise=(), batch_size=BATCH):
    """Crops: what each unit of a layer saw where it was excited most, in those `count` images that did so most.

    Of every image only the strongest position counts. A crop is the unit's receptive field there; along an axis
    where the field is as large as the image or larger, it is the whole image. `units` chooses some of the units.
    A unit that is silent everywhere has activations of 0, and its crops mean nothing. `pointwise` is as in
    `receptive_fields`.

    >>> from kerashw.models import cnn
    >>> model = cnn(input_shape=(28, 28), outputs=10, filters=(3,))
    >>> images = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype("uint8")
    >>> strongest_crops(model, images, "conv_1", count=4).crops.shape
    (3, 4, 5, 5)
    """
    if not count >= 1:
        raise UsageError(f"count must be a whole number of at least 1, got {count!r}.")
    arrays = inputs_of(model, images)
    if len(arrays) > 1:
        raise UsageError(f"{model.name} has {len(arrays)} inputs, expected one: its images.")
    (name,) = check_names((layer,), list(named_layers(model, nested=True)))
    (images,) = arrays
    field = receptive_fields(model, images.shape[1:], pointwise=pointwise)[name]
    axes, channels = image_axes(named_layers(model).values(), images.shape[1:])
    found = [
        _maxima(as_array(forward(model, tensors(model, batch), (name,))[1][name]), channels)
        for batch in in_batches(arrays, batch_size)
    ]
    values, places = (np.concatenate(parts) for parts in zip(*found))  # (n, units), (n, units, axes)
    units = np.arange(values.shape[1]) if units is None else np.atleast_1d(units)
    outside = [int(unit) for unit in units if not 0 <= unit < values.shape[1]]
    if outside:
        raise UsageError(f"{name} has no unit {outside[0]}, expected 0 to {values.shape[1] - 1}.")
    items = np.argsort(-values, axis=0, kind="stable")[:count].T[units]
    positions = places[items, units[:, None]]
    lengths = [images.shape[axis] for axis in axes]
    size = tuple(min(reach, length) for reach, length in zip(field.size, lengths))
    corners = np.array([[_corner(field, position, lengths) for position in row] for row in positions])
    crops = [
        [_crop(images[item], corner, size, axes[0] - 1) for item, corner in zip(*of_unit)]
        for of_unit in zip(items, corners)
    ]
    return Crops(units, np.array(crops), items, positions, corners, values[items, units[:, None]])


def _maxima(outputs, channels):
    """Of each item and unit the largest activation (n, units) and its position (n, units, axes)."""
    if channels == "first" and outputs.ndim > 2:
        outputs = np.moveaxis(outputs, 1, -1)
    shape = outputs.shape[1:-1]
    flat = outputs.reshape(len(outputs), -1, outputs.shape[-1])
    best = flat.argmax(axis=1)
    positions = np.stack(np.unravel_index(best, shape), axis=-1) if shape else np.zeros((*best.shape, 0), int)
    return flat.max(axis=1), positions


def _corner(field, position, lengths):
    return [
        first if size < length else 0
        for (first, _), size, length in zip(field.box(position), field.size, lengths)
    ]  # fmt: skip


def _crop(image, corner, size, axis):
    """The part of the image from that corner on, zero where it lies outside."""
    axes = range(axis, axis + len(size))
    crop = np.zeros([dict(zip(axes, size)).get(one, length) for one, length in enumerate(image.shape)], image.dtype)
    inside, there = [slice(None)] * image.ndim, [slice(None)] * image.ndim
    for one, first, length in zip(axes, corner, size):
        low, high = max(first, 0), min(first + length, image.shape[one])
        inside[one], there[one] = slice(low, max(high, low)), slice(low - first, max(high, low) - first)
    crop[tuple(there)] = image[tuple(inside)]
    return crop
