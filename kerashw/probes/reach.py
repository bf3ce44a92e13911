"""How the reach of a layer's units into the input follows from that of the layers before it: one rule per kind."""

from dataclasses import dataclass
from fractions import Fraction

import keras
import numpy as np

from kerashw.errors import UsageError
from kerashw.layers import Augmentation
from kerashw.probes.kinds import CONVOLUTIONS, POOLINGS, TRANSPOSED

kinds = keras.layers
PADDINGS = (kinds.ZeroPadding1D, kinds.ZeroPadding2D, kinds.ZeroPadding3D)
CROPPINGS = (kinds.Cropping1D, kinds.Cropping2D, kinds.Cropping3D)
UPSAMPLINGS = (kinds.UpSampling1D, kinds.UpSampling2D, kinds.UpSampling3D)
MERGES = (kinds.Add, kinds.Average, kinds.Maximum, kinds.Minimum, kinds.Multiply, kinds.Subtract)
# Layers whose answer at a position depends on that position alone, at inference: there is no chance in it then.
POINTWISE = (
    kinds.ActivityRegularization, kinds.AlphaDropout, kinds.BatchNormalization, kinds.Dropout, kinds.ELU,
    kinds.GaussianDropout, kinds.GaussianNoise, kinds.Identity, kinds.LeakyReLU, kinds.Masking, kinds.Normalization,
    kinds.PReLU, kinds.ReLU, kinds.Rescaling, kinds.SpatialDropout1D, kinds.SpatialDropout2D, kinds.SpatialDropout3D,
    kinds.AugMix, kinds.CutMix, kinds.MixUp, kinds.RandAugment, Augmentation,
    *(getattr(kinds, name) for name in dir(kinds) if name.startswith("Random") and name != "RandomCrop"),
)  # fmt: skip
# The same for bare operations such as x * 2, by the names of their classes in Keras.
POINTWISE_OPERATIONS = {
    "Abs", "Absolute", "Add", "Cast", "Clip", "Divide", "Elu", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Log", "Log1p", "Maximum", "Minimum", "Multiply", "Negative", "Power", "Relu", "Relu6", "Sigmoid",
    "Silu", "Softplus", "Sqrt", "Square", "Subtract", "Tanh", "TrueDivide",
}  # fmt: skip
# Layers that mix along one axis: they leave the positions alone where that is the axis of the channels.
ALONG_AN_AXIS = (kinds.LayerNormalization, kinds.RMSNormalization, kinds.Softmax, kinds.UnitNormalization)


@dataclass(frozen=True)
class Axis:
    """One axis of a layer's output: what its positions see along the same axis of the input.

    Position p sees `size` pixels from `start + p * stride` on, padding counted; `first` and `last` are, for every
    position, the pixels of the image itself, exactly.
    """

    size: Fraction
    stride: Fraction
    start: Fraction
    first: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Reach:
    """What goes through the model in place of a tensor; without axes where nothing of the input is seen.

    `channels` says where the axis is that is none of the image's: "last", "first" or None, where there is none.
    """

    axes: tuple = ()
    channels: str | None = None


def image_axes(layers, shape):
    """Which axes of a batch are those of its images, with the shape of one item: (1, 2) for (28, 28, 1), and where
    the axis of the channels is."""
    layers = list(layers)
    rank = len(shape)
    if any(getattr(layer, "data_format", None) == "channels_first" for layer in layers):
        return tuple(range(2, rank + 1)), "first"
    if rank == 1 or rank == 2 and not any(isinstance(layer, _sequence_kinds()) for layer in layers):
        return tuple(range(1, rank + 1)), None  # single numbers, or a grey image
    return tuple(range(1, rank)), "last"


def of_input(layers, shape):
    """The reach of an input of that shape, that of one item, into itself."""
    places, channels = image_axes(layers, shape)
    lengths = [shape[place - 1] for place in places]
    if None in lengths:
        raise UsageError("The model leaves the size of its images open: give input_shape=(height, width, channels).")
    axes = (np.arange(length) for length in lengths)
    return Reach(tuple(Axis(Fraction(1), Fraction(1), Fraction(0), at, at) for at in axes), channels)


def _sequence_kinds():
    """The layers that take two axes for a sequence of features."""
    groups = (CONVOLUTIONS, TRANSPOSED, POOLINGS, PADDINGS, CROPPINGS, UPSAMPLINGS)
    return tuple(kind for group in groups for kind in group if "1D" in kind.__name__) + (
        kinds.RNN, kinds.Bidirectional, kinds.TimeDistributed, kinds.MultiHeadAttention, kinds.GlobalMaxPooling1D,
        kinds.GlobalAveragePooling1D,
    )  # fmt: skip


def through(operation, given, image, pointwise):
    """The reach of what the operation gives, from the reaches of what it takes; `image` is that of the input."""
    if not given:
        return Reach()
    everything = _everything(image)
    if any(axis.stride == 0 for one in given for axis in one.axes):
        return everything
    if _is_pointwise(operation, given[0], pointwise):
        return given[0] if len(given) == 1 else _union(given, everything)
    (before, *others) = given
    axes, channels = before.axes, before.channels
    if others or channels is None and not isinstance(operation, (kinds.Reshape, kinds.Embedding)):
        return everything
    if isinstance(operation, kinds.Embedding):
        return Reach(axes, "last")
    if isinstance(operation, kinds.Reshape):
        shape = tuple(keras.tree.flatten(operation.output)[0].shape[1:])
        lengths = tuple(len(axis.first) for axis in axes)
        if shape[: len(axes)] == lengths and channels != "first":
            return Reach(axes, "last" if len(shape) > len(axes) else None)
        return everything
    rules = [rule for group, rule in RULES.items() if isinstance(operation, group)]
    if not rules or isinstance(operation, UPSAMPLINGS) and _interpolation(operation) not in ("nearest", "bilinear"):
        return everything
    return Reach(tuple(rules[0](operation, axis, number) for number, axis in enumerate(axes)), channels)


def _is_pointwise(operation, reach, pointwise):
    channel_axes = {"last": (-1, len(reach.axes) + 1), "first": (1,), None: ()}[reach.channels]
    if isinstance(operation, (kinds.Dense, *ALONG_AN_AXIS, kinds.Concatenate)) and not isinstance(operation, pointwise):
        axes = np.ravel(getattr(operation, "axis", -1)).tolist()
        return all(axis in channel_axes for axis in axes)
    if isinstance(operation, kinds.Activation):
        return operation.activation not in (keras.activations.softmax, keras.activations.log_softmax) or (
            -1 in channel_axes
        )
    if not isinstance(operation, kinds.Layer):
        return type(operation).__name__ in POINTWISE_OPERATIONS
    return isinstance(operation, (*POINTWISE, *MERGES, *pointwise))


def _everything(image):
    """The whole input, seen from every position there is."""
    whole = []
    for axis in image.axes:
        length = len(axis.first)
        whole.append(Axis(Fraction(length), Fraction(0), Fraction(0), np.array([0]), np.array([length - 1])))
    return Reach(tuple(whole))


def _union(given, everything):
    """What branches see together, position by position."""
    lengths = {tuple(len(axis.first) for axis in one.axes) for one in given}
    if len(lengths) > 1:
        return everything  # one is spread over the positions of another
    merged = []
    for axes in zip(*(one.axes for one in given)):
        places = range(len(axes[0].first))
        stride = axes[0].stride
        # With one stride for all, every position says the same; with several, the widest holds for all.
        start = min(axis.start + place * (axis.stride - stride) for axis in axes for place in places)
        end = max(axis.start + axis.size + place * (axis.stride - stride) for axis in axes for place in places)
        first = np.minimum.reduce([axis.first for axis in axes])
        last = np.maximum.reduce([axis.last for axis in axes])
        merged.append(Axis(end - start, stride, start, first, last))
    return Reach(tuple(merged), given[0].channels)


def _window(axis, kernel, stride, dilation, before, length):
    """Output position p takes the positions p * stride - before + j * dilation, for j below `kernel`."""
    reach = (kernel - 1) * dilation
    taps = np.arange(length)[:, None] * stride - before + np.arange(kernel) * dilation
    return Axis(
        axis.size + reach * axis.stride,
        axis.stride * stride,
        axis.start - before * axis.stride,
        *_seen(axis, taps),
    )


def _spread(axis, kernel, stride, dilation, before, length):
    """Output position p takes the positions q with q * stride - before + j * dilation = p, for j below `kernel`."""
    reach = (kernel - 1) * dilation
    strided = np.arange(length)[:, None] + before - np.arange(kernel) * dilation
    taps = np.where(strided % stride == 0, strided // stride, -1)
    return Axis(
        axis.size + axis.stride * Fraction(reach, stride),
        axis.stride / stride,
        axis.start + axis.stride * Fraction(before - reach, stride),
        *_seen(axis, taps),
    )


def _seen(axis, taps):
    """First and last pixels, for rows of positions; those that do not exist are padding and show nothing."""
    count = len(axis.first)
    exists = (taps >= 0) & (taps < count)
    places = np.clip(taps, 0, count - 1)
    beyond = axis.last.max() + 1  # where nothing is seen the first comes after the last, which is -1
    first = np.where(exists, axis.first[places], beyond).min(axis=1)
    return first, np.where(exists, axis.last[places], -1).max(axis=1)


def _sliding(operation, axis, number):
    """Convolutions and poolings."""
    kernel = getattr(operation, "kernel_size", None) or operation.pool_size
    dilation = getattr(operation, "dilation_rate", 1)
    kernel, stride, dilation = (_of_axis(value, number) for value in (kernel, operation.strides, dilation))
    reach, length = (kernel - 1) * dilation + 1, len(axis.first)
    if operation.padding == "valid":
        return _window(axis, kernel, stride, dilation, 0, (length - reach) // stride + 1)
    count = -(-length // stride)
    if operation.padding == "causal":
        return _window(axis, kernel, stride, dilation, reach - 1, count)
    # As TensorFlow does it: what cannot be shared evenly goes behind.
    before = max((count - 1) * stride + reach - length, 0) // 2
    return _window(axis, kernel, stride, dilation, before, count)


def _transposed(operation, axis, number):
    kernel, stride, dilation = (
        _of_axis(value, number) for value in (operation.kernel_size, operation.strides, operation.dilation_rate)
    )
    reach, length = (kernel - 1) * dilation + 1, len(axis.first)
    lengths, is_first = (length,) * operation.rank, operation.data_format == "channels_first"
    shape = (1, 1, *lengths) if is_first else (1, *lengths, 1)
    count = operation.compute_output_shape(shape)[1 + is_first + number]
    # As TensorFlow does it: the padding that a convolution from `count` positions to `length` would have.
    before = max((length - 1) * stride + reach - count, 0) // 2 if operation.padding == "same" else 0
    return _spread(axis, kernel, stride, dilation, before, count)


def _upsampled(operation, axis, number):
    factor = _of_axis(operation.size, number)
    length = len(axis.first) * factor
    if _interpolation(operation) == "nearest":
        return _spread(axis, factor, factor, 1, 0, length)
    width = 2 * factor - factor % 2  # linear between the two nearest positions
    return _spread(axis, width, factor, 1, (width - factor) // 2, length)


def _padded(operation, axis, number):
    before, after = _sides(operation.padding, number)
    return _window(axis, 1, 1, 1, before, len(axis.first) + before + after)


def _cropped(operation, axis, number):
    before, after = _sides(operation.cropping, number)
    return _window(axis, 1, 1, 1, -before, len(axis.first) - before - after)


def _sides(value, number):
    return value[number] if isinstance(value[0], (tuple, list)) else value


def _of_axis(value, number):
    return value[number] if isinstance(value, (tuple, list)) else value


def _interpolation(operation):
    return getattr(operation, "interpolation", "nearest")


RULES = {
    (*CONVOLUTIONS, *POOLINGS): _sliding,
    TRANSPOSED: _transposed,
    UPSAMPLINGS: _upsampled,
    PADDINGS: _padded,
    CROPPINGS: _cropped,
}
