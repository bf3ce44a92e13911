"""Which part of the input each unit of a layer can see, worked out from the layers alone, without any item."""

import math
from dataclasses import dataclass, field

import keras

from kerashw.errors import UsageError
from kerashw.probes.graph import alike, check_built, check_graph, named_layers, walk
from kerashw.probes.reach import Reach, of_input, through


@dataclass(frozen=True)
class ReceptiveField:
    """The part of the input that one unit of a layer sees, for each axis of the input image (height, width).

    The unit at position p of an axis sees the pixels from `start + p * stride` on, `size` of them. A negative start,
    and an end beyond the image, lie in the padding. Layers that see the whole input at every position have a stride
    of 0. After an upsampling, stride and start may be fractions, and size is what holds all that any position sees.
    `spans` has for each axis the first and the last pixel of the image itself that each position can see, without
    the padding, exactly; the first comes after the last where a position sees nothing but padding.

    >>> ReceptiveField(size=(5, 5), stride=(2, 2), start=(-1, -1)).box((3, 0))
    ((5, 9), (-1, 3))
    """

    size: tuple
    stride: tuple
    start: tuple
    spans: tuple = field(default=(), repr=False)

    def box(self, position):
        """The first and the last pixel seen from a position, for each axis; the padding around the image counts.

        Where every unit sees the whole input, the position does not matter; that of a dense layer's unit is ().
        """
        position = (0,) * len(self.size) if self.is_whole else position
        starts = [start + place * step for start, place, step in zip(self.start, position, self.stride)]
        firsts = [math.ceil(round(start, 6)) for start in starts]  # fractions such as 1/3 do not add up exactly
        return tuple((first, first + size - 1) for first, size in zip(firsts, self.size))

    @property
    def is_whole(self):
        """Whether every unit sees the whole input."""
        return not any(self.stride)


def receptive_fields(model, input_shape=None, *, input_name=None, pointwise=()):
    """The receptive field of every layer: {layer: ReceptiveField}.

    Known are convolutions and poolings of all kinds, padding, cropping, upsampling, all that works on each position
    alone, and merges, which see what their branches see together. Any other layer (flatten, global pooling,
    attention, one of your own) is taken to see the whole input, which is never too small; name classes of your own
    that work on each position alone in `pointwise`. `input_shape` is that of one item, needed where the model leaves
    the size of its images open. With several inputs, `input_name` names the one that is asked about; layers that do not
    see it are left out.

    >>> from kerashw.models import cnn
    >>> fields = receptive_fields(cnn(input_shape=(28, 28), outputs=10))
    >>> fields["conv_2"].size, fields["conv_2"].stride, fields["conv_2"].box((0, 7))
    ((14, 14), (2, 2), ((0, 13), (14, 27)))
    >>> fields["output"].size
    (28, 28)
    """
    check_built(model)
    check_graph(model)
    names = [spec.name for spec in model.inputs]
    if input_name is None and len(names) > 1:
        raise UsageError(f"{model.name} has several inputs: say input_name=... with one of {', '.join(names)}.")
    if input_name is not None and input_name not in names:
        raise UsageError(f"There is no input {input_name!r}, expected one of {', '.join(names)}.")
    asked = 0 if input_name is None else names.index(input_name)
    layers = named_layers(model, nested=True)
    image = of_input(layers.values(), tuple(input_shape or model.inputs[asked].shape[1:]))
    seen = {}

    def apply(name, operation, args, kwargs):
        given = [one for one in keras.tree.flatten((args, kwargs)) if isinstance(one, Reach) and one.axes]
        return alike(operation, through(operation, given, image, tuple(pointwise)))

    def note(name, value):
        seen.setdefault(name, keras.tree.flatten(value)[0])

    walk(model, [image if number == asked else Reach() for number in range(len(names))], apply, note)
    return {name: _field(seen[name]) for name in layers if seen[name].axes}


def _field(reach):
    return ReceptiveField(
        size=tuple(math.floor(axis.size) for axis in reach.axes),  # so many pixels fit into a length, at most
        stride=tuple(_plain(axis.stride) for axis in reach.axes),
        start=tuple(_plain(axis.start) for axis in reach.axes),
        spans=tuple(tuple(zip(axis.first.tolist(), axis.last.tolist())) for axis in reach.axes),
    )


def _plain(number):
    return int(number) if number.denominator == 1 else float(number)
