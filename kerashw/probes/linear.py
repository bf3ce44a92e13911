"""Layers as they are before their activation, which may leave no slope to follow."""

import keras

from kerashw.probes.graph import named_layers, output_names
from kerashw.probes.kinds import ACTIVATIONS, CONVOLUTIONS, DENSE, TRANSPOSED

# They end a classifier: behind them the derivative of a sure answer vanishes.
SQUEEZING = (keras.activations.softmax, keras.activations.sigmoid)


def before_activation(layer):
    """What to run in place of the layer to get its answer before its activation; None where it has none.

    The weights are the layer's own.
    """
    if isinstance(layer, ACTIVATIONS):
        return lambda inputs, **_: inputs
    if not isinstance(layer, (*DENSE, *CONVOLUTIONS, *TRANSPOSED)) or layer.activation is keras.activations.linear:
        return None
    twin = type(layer).from_config({**layer.get_config(), "activation": None})
    twin.build_from_config(layer.get_build_config())

    def run(*args, **kwargs):
        with keras.StatelessScope([(own, shared.value) for own, shared in zip(twin.variables, layer.variables)]):
            return twin(*args, **kwargs)

    return run


def logits(model):
    """{name: what to run in place of it} for those outputs of the model that end in softmax or sigmoid."""
    layers = named_layers(model)
    return {
        name: before_activation(layers[name])
        for name in output_names(model)
        if name in layers and _squeezes(layers[name])
    }


def _squeezes(layer):
    if isinstance(layer, (keras.layers.Activation, *DENSE, *CONVOLUTIONS, *TRANSPOSED)):
        return layer.activation in SQUEEZING
    return isinstance(layer, keras.layers.Softmax)
