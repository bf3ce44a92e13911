"""The input that excites a unit most, found by climbing along the derivative of its activation."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerashw.errors import UsageError
from kerashw.probes.graph import (
    as_array,
    check_built,
    check_graph,
    check_names,
    forward,
    in_batches,
    named_layers,
    tensors,
)
from kerashw.probes.linear import before_activation
from kerashw.probes.reach import image_axes

# Units whose inputs are searched together.
BATCH = 32


@dataclass(frozen=True, eq=False)
class MaximalInputs:
    """For each unit an input that excites it as much as could be found.

    units    (units,)                their numbers: channels of a convolution, units of a dense layer
    inputs   (units, *item shape)    float32 within `value_range`
    start    (units,)                activations at the start, from which the climb began
    reached  (units,)                activations of `inputs`
    """

    units: np.ndarray
    inputs: np.ndarray
    start: np.ndarray
    reached: np.ndarray


def maximal_inputs(
    model,
    layer,
    units=None,
    *,
    steps=200,
    step_size=0.05,
    jitter=1,
    total_variation=0.1,
    l2=0.05,
    seed=0,
    value_range=None,
    position="centre",
    input_shape=None,
):
    """MaximalInputs: for each unit of a layer, or for those named, an input within the range of raw values.

    The climb starts from faint noise around the middle of the range and takes `steps` steps along the derivative,
    scaled to one root mean square where it is not zero; the first is `step_size` of the range, the last near 0. In
    the first half of the steps the image is moved by up to `jitter` pixels each time; `total_variation` weighs
    against differences between neighbours and `l2` against what is far from the middle: each keeps noise away that
    excites a unit and shows nothing. Followed is the activation before its function, since a ReLU that is silent has
    no slope. Of a convolution it is that of the unit at the "centre" of its map, at position size // 2, so that only
    its receptive field takes shape; or the mean over "all" positions.

    `value_range` is (0, 255) for images and has to be given for all else. `input_shape` is that of one item, needed
    where the model leaves it open. The same seed gives the same inputs.

    >>> from kerashw.models import cnn
    >>> model = cnn(input_shape=(28, 28), outputs=10, filters=(3,), hidden=())
    >>> found = maximal_inputs(model, "output", units=[0, 7], steps=20)
    >>> found.inputs.shape, bool((found.reached > found.start).all())
    ((2, 28, 28), True)
    """
    for name, value, least in (("steps", steps, 1), ("jitter", jitter, 0)):
        if not value >= least:
            raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    if position not in ("centre", "all"):
        raise UsageError(f"position must be 'centre' or 'all', got {position!r}.")
    check_graph(model)
    check_built(model)
    known = named_layers(model, nested=True)
    (layer,) = check_names((layer,), list(known))
    shape = _shape(model, input_shape)
    axes, channels = image_axes(known.values(), shape)
    axes = axes if len(shape) > 1 else ()  # single numbers have no neighbours
    low, high = _range(value_range, axes)
    excite = _exciting(model, layer, position, channels, low, high)
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0.45, 0.55, (1, *shape)).astype("float32")  # one for all, so that units compare
    moves = generator.integers(-jitter, jitter + 1, (steps, len(axes))).astype("int32")
    moves[steps // 2 :] = 0  # to end in sharp contours
    start = as_array(excite(tf.constant(noise), {}))[0]
    units = np.arange(len(start)) if units is None else np.atleast_1d(units)
    outside = [int(unit) for unit in units if not 0 <= unit < len(start)]
    if outside:
        raise UsageError(f"{layer} has no unit {outside[0]}, expected 0 to {len(start) - 1}.")
    linear = before_activation(known[layer])
    followed = {} if linear is None else {layer: linear}
    step = _stepping(lambda moved: excite(moved, followed), axes, total_variation, l2)
    rates = step_size * (1 - np.arange(steps, dtype="float32") / steps)
    inputs, reached = [], []
    for (batch,) in in_batches([units], BATCH):
        best = tf.repeat(noise, len(batch), axis=0)
        for move, rate in zip(moves, rates):
            best = step(best, tf.constant(batch, tf.int32), tf.constant(move), tf.constant(rate))
        inputs.append(best.numpy())
        reached.append(as_array(excite(best, {}))[np.arange(len(batch)), batch])
    inputs = low + np.concatenate(inputs) * np.float32(high - low)
    return MaximalInputs(units, inputs.astype("float32"), start[units], np.concatenate(reached))


def _exciting(model, layer, position, channels, low, high):
    """A function of inputs, as fractions of the range, to the activations (n, units) of a layer."""

    def excite(fractions, instead):
        raw = tensors(model, [low + fractions * (high - low)], differentiable=True)
        outputs = tf.cast(forward(model, raw, (layer,), instead=instead)[1][layer], tf.float32)
        places = range(2, len(outputs.shape)) if channels == "first" else range(1, len(outputs.shape) - 1)
        if position == "all":
            return tf.reduce_mean(outputs, list(places))
        for place in reversed(places):
            outputs = tf.gather(outputs, tf.shape(outputs)[place] // 2, axis=place)
        return outputs

    return excite


def _stepping(excite, axes, total_variation, l2):
    """A function that takes fractions of the range one step uphill, each for its own unit."""

    @tf.function(autograph=False, reduce_retracing=True)
    def step(fractions, units, move, rate):
        within = list(range(1, len(fractions.shape)))
        if axes:
            fractions = tf.roll(fractions, move, axes)
        with tf.GradientTape() as tape:
            tape.watch(fractions)
            excited = tf.gather(excite(fractions), units, axis=1, batch_dims=1)
        slope = tape.gradient(excited, fractions)
        if slope is None:
            raise UsageError("The layer's activation has no derivative by the input, as behind an embedding.")
        squares = tf.reduce_sum(slope**2, within, keepdims=True)
        count = tf.reduce_sum(tf.cast(slope != 0, tf.float32), within, keepdims=True)
        slope = tf.math.divide_no_nan(slope, tf.sqrt(tf.math.divide_no_nan(squares, count)))
        slope -= total_variation * _roughness_slope(fractions, axes) + l2 * 2 * (fractions - 0.5)
        fractions = tf.clip_by_value(fractions + rate * slope, 0.0, 1.0)
        return tf.roll(fractions, -move, axes) if axes else fractions

    return step


def _roughness_slope(fractions, axes):
    """The derivative of the total variation: the sum of the differences between neighbours along those axes."""
    slope = tf.zeros_like(fractions)
    for axis in axes:
        length = fractions.shape[axis]
        if length == 1:
            continue
        behind, before = (tf.gather(fractions, range(*ends), axis=axis) for ends in ((1, length), (0, length - 1)))
        difference = behind - before
        sign = difference / tf.sqrt(difference**2 + 1e-4)  # smooth around 0; 1 is the whole range
        # Every difference grows with the pixel behind it and shrinks with the pixel before it.
        ranks = range(len(fractions.shape))
        slope += tf.pad(sign, [(1, 0) if one == axis else (0, 0) for one in ranks])
        slope -= tf.pad(sign, [(0, 1) if one == axis else (0, 0) for one in ranks])
    return slope


def _shape(model, input_shape):
    if len(model.inputs) > 1:
        raise UsageError(f"{model.name} has {len(model.inputs)} inputs, expected one: its images.")
    shape = tuple(input_shape or model.inputs[0].shape[1:])
    if None in shape:
        raise UsageError("The model leaves the size of its inputs open: give input_shape=(height, width, channels).")
    return shape


def _range(value_range, axes):
    if value_range is None and len(axes) < 2:
        raise UsageError("The inputs are no images: give value_range=(low, high), the range of their values.")
    low, high = value_range or (0, 255)
    if not low < high:
        raise UsageError(f"value_range must be (low, high) with low below high, got {value_range!r}.")
    return low, high
