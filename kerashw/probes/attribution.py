"""Which parts of an input a model's answer rests on.

What is differentiated is the score of one class: the logit. Where the model ends in softmax or sigmoid it is what goes
into that function, as the derivative of a sure answer would vanish behind it. A regression has one score, its value.
"""

import keras
import numpy as np
import tensorflow as tf

from kerashw.errors import UsageError
from kerashw.probes.graph import (
    as_array,
    check_names,
    finished,
    followers,
    forward,
    in_batches,
    inputs_of,
    named_layers,
    output_names,
    tensors,
)
from kerashw.probes.kinds import CONVOLUTIONS, TRANSPOSED
from kerashw.probes.linear import logits
from kerashw.probes.reach import image_axes

# Items that are differentiated at once.
BATCH = 32


def scores(model, x, *, output=None, batch_size=BATCH):
    """The scores that the functions here differentiate: array (n, classes). See the top of this module.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax", kernel_initializer="ones")])
    >>> scores(model, np.array([[1.0, 2.0]])).tolist()
    [[3.0, 3.0, 3.0]]
    """
    arrays = inputs_of(model, x)
    return _scores(model, arrays, _scoring(model, output), batch_size)


def saliency(model, x, y=None, *, output=None, batch_size=BATCH):
    """How strongly the score of a class changes with each value of x: absolute derivatives, in the shape of x.

    `y` is the class of every item, or one for all; by default the one that the model predicts. The derivative is by
    the raw values, so for images it is per unit of a pixel. With several inputs it is a list, one array for each;
    with several outputs, `output` names the layer that gives the one asked about.

    >>> from kerashw.models import mlp
    >>> saliency(mlp(input_shape=(28, 28), outputs=10), np.zeros((2, 28, 28)), y=3).shape
    (2, 28, 28)
    """
    arrays = inputs_of(model, x)
    score = _scoring(model, output)
    chosen = _classes(model, arrays, y, score, batch_size)
    slopes = [
        _slopes(score, tensors(model, batch, differentiable=True), classes)
        for *batch, classes in in_batches([*arrays, chosen], batch_size)
    ]
    return _one_or_all([np.abs(np.concatenate(parts)) for parts in zip(*slopes)])


def integrated_gradients(model, x, y=None, *, baseline=0.0, steps=50, output=None, batch_size=BATCH):
    """What each value of x adds to the score of a class, compared with a baseline, in the shape of x.

    The derivative is averaged over the straight way from the baseline to x, at the middles of `steps` equal parts,
    and multiplied by the way. So the sum over an item is the difference of the scores at x and at the baseline, but
    for the error of the parts: more steps make it smaller. `baseline` is a number, an item, or one array per input;
    0 is a black image. For the other arguments see `saliency`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> integrated_gradients(model, np.array([[1.0, 2.0]]), steps=2).tolist()
    [[1.0, 2.0]]
    """
    if not steps >= 1:
        raise UsageError(f"steps must be a whole number of at least 1, got {steps!r}.")
    arrays = inputs_of(model, x)
    score = _scoring(model, output)
    chosen = _classes(model, arrays, y, score, batch_size)
    given = baseline if len(arrays) > 1 and isinstance(baseline, (list, tuple)) else [baseline] * len(arrays)
    bases = [_baseline(one, array) for one, array in zip(given, arrays, strict=True)]
    kept = []
    for *batch, classes in in_batches([*arrays, chosen], batch_size):
        ends = tensors(model, batch, differentiable=True)
        begins = tensors(model, bases, differentiable=True)
        ways = [end - begin for end, begin in zip(ends, begins)]
        total = [0.0] * len(ends)
        together = max(batch_size // len(classes), 1)  # parts of the way that go through the model at once
        for first in range(0, steps, together):
            places = (np.arange(first, min(first + together, steps)) + 0.5) / steps
            points = [_along(begin, way, places) for begin, way in zip(begins, ways)]
            slopes = _slopes(score, points, np.tile(classes, len(places)))
            total = [one + slope.reshape(len(places), -1, *slope.shape[1:]).sum(axis=0)
                     for one, slope in zip(total, slopes)]  # fmt: skip
        kept.append([one / steps * as_array(way) for one, way in zip(total, ways)])
    return _one_or_all([np.concatenate(parts) for parts in zip(*kept)])


def grad_cam(model, x, y=None, layer=None, *, output=None, batch_size=BATCH):
    """Where in each image a layer finds what speaks for a class: array (n, height, width), from 0 to 1.

    The channels of the layer's map are added up, each weighted by the mean derivative of the score by it; what
    speaks against the class is cut off. The map is drawn up to the size of the image and divided by its largest
    value; it is 0 all over where nothing speaks for the class. `layer` is by default the last convolution, after its
    normalisation and activation. For one-dimensional convolutions it is (n, length). For the other arguments see
    `saliency`.

    >>> from kerashw.models import cnn
    >>> grad_cam(cnn(input_shape=(28, 28), outputs=10, filters=(3,)), np.ones((2, 28, 28))).shape
    (2, 28, 28)
    """
    arrays = inputs_of(model, x)
    if len(arrays) > 1:
        raise UsageError(f"{model.name} has {len(arrays)} inputs, expected one: its images.")
    known = named_layers(model, nested=True)
    (layer,) = check_names((_last_convolution(model) if layer is None else layer,), list(known))
    axes, channels = image_axes(known.values(), arrays[0].shape[1:])
    size = [arrays[0].shape[axis] for axis in axes]
    score = _scoring(model, output, layer)
    chosen = _classes(model, arrays, y, score, batch_size)
    maps = []
    for batch, classes in in_batches([*arrays, chosen], batch_size):
        given = tensors(model, [batch], differentiable=True)
        with tf.GradientTape() as tape:
            tape.watch(given)
            values, kept = score(given)
            picked = tf.gather(values, classes, axis=1, batch_dims=1)
        slope = tape.gradient(picked, kept)
        if len(kept.shape) != len(size) + 2 or len(size) > 2:
            raise UsageError(
                f"{layer} gives {tuple(kept.shape[1:])}, expected a map with {len(size)} axes and channels, of one or "
                "two dimensions: name a convolution or a pooling."
            )
        if slope is None:
            raise UsageError(f"The output does not depend on {layer}: name a layer on the way to it.")
        maps.append(_resized(_weighted(as_array(kept), as_array(slope), channels), size))
    return np.concatenate(maps)


def _scoring(model, output, layer=None):
    """A function from tensors of the inputs to the scores (n, classes) and the output of a layer."""
    names = output_names(model)
    if output is None and len(names) > 1:
        raise UsageError(f"{model.name} has several outputs: say output=... with one of {', '.join(names)}.")
    if output is not None and output not in names:
        raise UsageError(f"There is no output {output!r}, expected one of {', '.join(names)}.")
    number = 0 if output is None else names.index(output)
    instead = logits(model)

    def score(given):
        outputs, kept = forward(model, given, () if layer is None else (layer,), instead=instead)
        values = outputs[number]
        if len(values.shape) != 2:
            raise UsageError(f"The model gives {tuple(values.shape[1:])} per item, expected one score per class.")
        return tf.cast(values, tf.float32) if values.dtype.size < 4 else values, kept.get(layer)

    return score


def _classes(model, arrays, y, score, batch_size):
    """The class of every item, as given or as predicted."""
    if y is None:
        return _scores(model, arrays, score, batch_size).argmax(axis=1)
    count = len(arrays[0])
    known = _scores(model, [array[:1] for array in arrays], score, 1).shape[1]
    classes = np.asarray(y)
    if classes.dtype.kind not in "iu" or classes.size not in (1, count):
        raise UsageError(f"y must be one class, or one for each of {count} items, as whole numbers; got {y!r}.")
    if classes.min() < 0 or classes.max() >= known:
        raise UsageError(f"y names classes from {classes.min()} to {classes.max()}, expected 0 to {known - 1}.")
    return np.resize(classes, count)


def _scores(model, arrays, score, batch_size):
    return np.concatenate([as_array(score(tensors(model, batch))[0]) for batch in in_batches(arrays, batch_size)])


def _slopes(score, given, classes):
    """The derivative of each item's score by its own values, for every input."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        picked = tf.gather(score(given)[0], classes, axis=1, batch_dims=1)
    slopes = tape.gradient(picked, given)
    if any(slope is None for slope in slopes):
        raise UsageError("The score has no derivative by an input: it does not depend on it, or takes whole numbers.")
    return [as_array(slope) for slope in slopes]


def _along(begin, way, places):
    """Points on the way of every item: all items at the first place, then all at the next."""
    places = tf.cast(tf.reshape(places, (-1,) + (1,) * len(way.shape)), way.dtype)
    return tf.reshape(begin[None] + way[None] * places, (-1, *way.shape[1:]))


def _baseline(baseline, array):
    try:
        return np.broadcast_to(np.asarray(baseline, "float32"), array.shape[1:])[None]
    except ValueError:
        raise UsageError(
            f"baseline has shape {np.shape(baseline)}, expected a number or an item of shape {array.shape[1:]}."
        ) from None


def _last_convolution(model):
    found = [name for name, layer in named_layers(model).items() if isinstance(layer, (*CONVOLUTIONS, *TRANSPOSED))]
    if not found:
        raise UsageError(f"{model.name} has no convolution: name a layer that gives a map, or use saliency.")
    return finished(found[-1], followers(model))


def _weighted(kept, slope, channels):
    if channels == "first":
        kept, slope = np.moveaxis(kept, 1, -1), np.moveaxis(slope, 1, -1)
    between = tuple(range(1, kept.ndim - 1))
    return np.maximum((kept * slope.mean(axis=between, keepdims=True)).sum(axis=-1), 0)


def _resized(maps, size):
    """The maps, drawn up to the size of the images, each divided by its largest value."""
    flat = maps.reshape(len(maps), *maps.shape[1:], *(1,) * (4 - maps.ndim))
    maps = tf.image.resize(flat, (*size, 1)[:2]).numpy().reshape(len(maps), *size)
    largest = maps.max(axis=tuple(range(1, maps.ndim)), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def _one_or_all(arrays):
    return arrays[0] if len(arrays) == 1 else arrays
