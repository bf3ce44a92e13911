"""Layers as they are before their activation, which may leave no slope to follow."""

import keras

from kerashw.probes.graph import output_names, named_layers

# Flat over a part of their range, or squeezing it, so that a derivative vanishes there.
ACTIVATIONS = (keras.layers.Activation, keras.layers.ELU, keras.layers.ReLU, keras.layers.Softmax)
SQUEEZING = (
    keras.activations.softmax,
    keras.activations.sigmoid,
    keras.activations.hard_sigmoid,
    keras.activations.tanh,
)


def before_activation(layer):
    """What to run in place of the layer to get its answer before its activation; None where it has none.

    The weights are the layer's own.
    """
    if isinstance(layer, ACTIVATIONS):
        return lambda inputs, **_: inputs
    if getattr(layer, "activation", None) in (None, keras.activations.linear) or isinstance(layer, keras.layers.RNN):
        return None
    twin = type(layer).from_config({**layer.get_config(), "activation": None})
    twin.build_from_config(layer.get_build_config())

    def run(*args, **kwargs):
        with keras.StatelessScope([(own, shared.value) for own, shared in zip(twin.variables, layer.variables)]):
            return twin(*args, **kwargs)

    return run


def logits(model):
    """{name: what to run in place of it} for those outputs of the model that end in softmax, sigmoid or tanh."""
    layers = named_layers(model)
    return {
        name: before_activation(layers[name])
        for name in output_names(model)
        if name in layers and _squeezes(layers[name])
    }


def _squeezes(layer):
    return isinstance(layer, keras.layers.Softmax) or getattr(layer, "activation", None) in SQUEEZING
