"""What the layers of a model answer to chosen inputs, and which of their units never say anything."""

import numpy as np

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
    tensors,
)
from kerashw.probes.kinds import CONVOLUTIONS, DENSE, POOLINGS, TRANSPOSED

# Items that go through the model at once: all that its layers answer to them is in memory together.
BATCH = 64


def activations(model, x, layers=None, *, batch_size=BATCH):
    """The outputs of the named layers, or of all, for the items of x: {layer: array (n, *output shape)}.

    A nested model may be named as well as its layers, "outer/inner". Of a layer with several outputs it is the
    first. `x` is what the model takes: an array, or for several inputs a list, or a dict by name.

    >>> from kerashw.models import mlp
    >>> model = mlp(input_shape=(3,), outputs=1, hidden=(4,))
    >>> {name: array.shape for name, array in activations(model, np.ones((2, 3))).items()}
    {'dense_1': (2, 4), 'output': (2, 1)}
    """
    arrays = inputs_of(model, x)
    known = list(named_layers(model, nested=True))
    names = list(named_layers(model)) if layers is None else check_names(layers, known)
    batches = list(_in_batches(model, arrays, names, batch_size))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in names}


def feature_maps(model, x, *, batch_size=BATCH):
    """The outputs of every convolution and pooling: {layer: array (n, height, width, channels)}.

    A convolution whose normalisation and activation are layers of their own is shown after these, under its own
    name; smaller, where a maximum is taken before the normalisation. One-dimensional ones give (n, length, channels). As in the model, channels come first where its
    `data_format` says so.

    >>> from kerashw.models import cnn
    >>> maps = feature_maps(cnn(input_shape=(28, 28), outputs=10, filters=(4,)), np.ones((2, 28, 28)))
    >>> {name: array.shape for name, array in maps.items()}
    {'conv_1': (2, 24, 24, 4), 'pool_1': (2, 12, 12, 4)}
    """
    return _finished_activations(model, x, (*CONVOLUTIONS, *TRANSPOSED, *POOLINGS), batch_size, outputs=True)


def activation_profiles(model, x, *, batch_size=BATCH):
    """What the units of every hidden dense layer answer to the items of x: {layer: array (n, units)}.

    A layer whose normalisation and activation are layers of their own is shown after these, under its own name.

    >>> from kerashw.models import mlp
    >>> model = mlp(input_shape=(1,), outputs=1, hidden=(8, 4), activation="sigmoid")
    >>> three = left_centre_right([[-4.0], [0.5], [3.0], [1.0]])
    >>> {name: array.shape for name, array in activation_profiles(model, three).items()}
    {'dense_1': (3, 8), 'dense_2': (3, 4)}
    """
    return _finished_activations(model, x, DENSE, batch_size, outputs=False)


def left_centre_right(x):
    """Three items of one number: the least, the one nearest to the middle of the range, the largest; (3, 1).

    >>> left_centre_right([[3.0], [-4.0], [0.5], [1.0]]).ravel().tolist()
    [-4.0, 0.5, 3.0]
    """
    values = np.asarray(x)
    if values.ndim not in (1, 2) or values.size != len(values) or not values.size:
        raise UsageError(f"x has shape {values.shape}, expected one number per item: (n, 1), with n at least 1.")
    values = values.reshape(-1, 1)
    middle = (values.min() + values.max()) / 2
    return np.stack([values[values.argmin()], values[np.abs(values - middle).argmin()], values[values.argmax()]])


def inactive_units(model, x, *, threshold=0.01, batch_size=BATCH):
    """The share of units, from 0 to 1, that stay near zero for all items of x, of every hidden layer: {layer: share}.

    Near zero is an absolute activation of at most `threshold` times the largest of the layer, so the scale of a
    layer does not matter; a layer that answers zero to everything has a share of 1. A unit is one of a dense layer,
    or a channel of a convolution at all of its positions, after normalisation and activation. A large share says
    that the layer is wider than these items need.

    >>> from kerashw.models import mlp
    >>> model = mlp(input_shape=(2,), outputs=1, hidden=(2,))
    >>> model.get_layer("dense_1").set_weights([np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2)])
    >>> inactive_units(model, np.ones((3, 2)))
    {'dense_1': 0.5}
    """
    if not 0 <= threshold < 1:
        raise UsageError(f"threshold must be from 0 to below 1, a share of the largest activation, got {threshold!r}.")
    arrays = inputs_of(model, x)
    places = _places(model, (*DENSE, *CONVOLUTIONS, *TRANSPOSED), outputs=False)
    known = named_layers(model)
    largest = {}
    for batch in _in_batches(model, arrays, places.values(), batch_size):
        for name, place in places.items():
            units = np.moveaxis(np.abs(batch[place]), _channel_axis(known[name]), -1)
            units = units.reshape(-1, units.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, units), units)
    return {name: float(np.mean(largest[name] <= threshold * largest[name].max())) for name in places}


def _finished_activations(model, x, kinds, batch_size, *, outputs):
    arrays = inputs_of(model, x)
    places = _places(model, kinds, outputs=outputs)
    kept = {name: [] for name in places}
    for batch in _in_batches(model, arrays, places.values(), batch_size):
        for name, place in places.items():
            kept[name].append(batch[place])
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def _places(model, kinds, *, outputs):
    """{layer: the layer that finishes it} of those kinds, with or without those that end the model."""
    taken = followers(model)
    places = {name: finished(name, taken) for name, layer in named_layers(model).items() if isinstance(layer, kinds)}
    return {name: place for name, place in places.items() if outputs or taken[place]}


def _channel_axis(layer):
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def _in_batches(model, arrays, names, batch_size):
    names = set(names)
    for batch in in_batches(arrays, batch_size):
        _, kept = forward(model, tensors(model, batch), names)
        yield {name: as_array(value) for name, value in kept.items()}
