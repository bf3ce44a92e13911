"""Compiled models kept from one training to the next: what a search traces once serves all trials of one structure.

A kept model starts again exactly as one that was just built: every variable it has is set from the seed, the
training items or a constant. A model of which that cannot be said is not kept.
"""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from kerashw.seeds import derive
from kerashw.settings import builder_keywords

# So many models are kept, and so many parameters altogether; an optimizer holds up to three times as many numbers.
MODELS, PARAMETERS = 4, 10_000_000

_kept = OrderedDict()  # the one used last is at the end


def structure(builder, settings, task, model):
    """What two trainings must have in common to share a compiled model; `model` is what the builder makes of this one.

    Their L2 factors, dropout rates, learning rates, batches and epochs may differ.

    >>> import numpy as np
    >>> from kerashw.models import mlp
    >>> from kerashw.training import Task
    >>> points = np.zeros((2, 1))
    >>> task = Task(points, points, outputs=1, is_classification=False)
    >>> def of(**own):
    ...     return structure(mlp, dict(own, optimizer="sgd"), task, mlp(input_shape=(1,), outputs=1, **own))
    >>> of(hidden=(4,), l2=0.1) == of(hidden=(4,), l2=0.2)
    True
    >>> of(hidden=(4,), l2=0.1) == of(hidden=(5,), l2=0.1)
    False
    """
    from kerashw.regularization import configuration

    own = {name: settings[name] for name in builder_keywords(builder) if name in settings}
    built = configuration(model) if _is_told_by_config(model) else _hashable(own)
    kind = settings["optimizer"], settings.get("dtype_policy")
    return builder, built, *kind, task.x.shape[1:], task.outputs, task.is_classification


def take(key):
    """The model that was kept under a key, which from now on is not; None where there is none.

    >>> take("nothing") is None
    True
    """
    return _kept.pop(key, None)


def keep(key, model):
    """The model is there for the next training of its structure, if it can start again."""
    if restarts(model):
        _kept[key] = model
    while len(_kept) > MODELS or sum(one.count_params() for one in _kept.values()) > PARAMETERS:
        _kept.popitem(last=False)


def restarts(model):
    """Whether all that changes in a training of the model is known: its layers are Keras's or ours, without nesting."""
    import keras

    nested = (keras.Model, keras.layers.Wrapper, keras.layers.Lambda)
    if type(model).__module__.partition(".")[0] != "keras":
        return False
    for layer in model.layers:
        if type(layer).__module__.partition(".")[0] not in ("keras", "kerashw") or isinstance(layer, nested):
            return False
    set_anew = [variable for _, variable, _ in _drawn(model)]
    set_anew += [generator.state for _, generator in _generators(model)]
    for layer in _normalizations(model):
        set_anew += layer.variables
    return {id(variable) for variable in model.variables} <= set(map(id, set_anew))


def _is_told_by_config(model):
    """Whether the config of the model has all that its graph is made of.

    A function or class of one's own may hold on to a number that its config does not have.
    """
    if not restarts(model):
        return False
    held = [value for part in getattr(model, "operations", model.layers) for value in vars(part).values()]
    homes = {getattr(value, "__module__", "").partition(".")[0] for value in held if callable(value)}
    return homes <= {"keras", "kerashw"}


def draw_weights(model, seed):
    """The model, its weights drawn anew by the initializers of its layers: they depend on the seed and on names alone.

    So a model that was built before can start again as if it had just been built. Weights whose initializer is not
    to be found under the name Keras gives it stay as they are, and so do those of frozen layers and those that a builder
    has given values of its own (`mark_given`).
    """
    for layer, variable, initializer in _drawn(model):
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = derive(seed, layer.name, variable.name)
        variable.assign(type(initializer).from_config(config)(variable.shape, dtype=variable.dtype))
    return model


def draw_chance(model, seed):
    """The model, its dropout and augmentation at the start of the chance that belongs to the seed.

    A layer that was given a seed of its own starts from that one.
    """
    for name, generator in _generators(model):
        own = generator.get_config()["seed"]
        generator.state.assign([derive(seed, *name) if own is None else own, 0])
    return model


def adapt(model, x):
    """The model, its Normalization layers set to the mean and variance of the items."""
    for layer in _normalizations(model):
        layer.adapt(x)
    return model


def adapt_again(model, x):
    """The same for a model that was traced before or will be used again.

    Keras gives its Normalization constants, which a graph holds on to; here they are variables.
    """
    import tensorflow as tf

    for layer in _normalizations(model):
        held = layer.mean, layer.variance
        layer.adapt(x)
        if not isinstance(held[0], tf.Variable):
            held = tuple(tf.Variable(value, trainable=False) for value in held)
        for variable, value in zip(held, (layer.mean, layer.variance)):
            variable.assign(value)
        layer.mean, layer.variance = held
    return model


def with_weights(model, arrays):
    """The model with weights as `get_weights` gave them; what it was adapted to is among them, and takes effect."""
    model.set_weights(arrays)
    for layer in _normalizations(model):
        layer.finalize_state()
    return model


def mark_given(model, builder):
    """The model of a builder, with those weights marked that it gave values of its own, such as pretrained ones.

    An initializer of Keras repeats itself, whatever its seed: what differs from its values was set otherwise, as the
    bias of an LSTM, whose forget gate starts at 1.
    """
    if builder.__module__.startswith("kerashw."):
        return model
    for _, variable, initializer in _drawn(model):
        repeats = not isinstance(initializer.get_config().get("seed"), dict)  # which a generator of seeds does not
        variable.is_given = repeats and not np.array_equal(variable, initializer(variable.shape, dtype=variable.dtype))
    return model


def drawn_layers(model):
    """The names of those layers whose weights all begin as the seed says, or never change.

    >>> from kerashw.models import mlp
    >>> sorted(drawn_layers(mlp(input_shape=(2,), outputs=1, hidden=(3,))))
    ['dense_1', 'input', 'output']
    """
    drawn = {id(variable) for _, variable, _ in _drawn(model)}
    return {layer.name for layer in model.layers
            if all(id(variable) in drawn for variable in layer.trainable_variables)}  # fmt: skip


def _drawn(model):
    """(layer, variable, initializer) of every weight that is drawn: its initializer bears the name of the weight."""
    for layer in model.layers:
        for variable in layer.weights if layer.trainable else ():
            initializer = _initializer(layer, variable.name)
            if initializer is not None and not getattr(variable, "is_given", False):
                yield layer, variable, initializer


def _initializer(layer, weight):
    """The initializer of a layer's weight: of kernel kernel_initializer, of recurrent_kernel recurrent_initializer."""
    depthwise = "depthwise" if weight == "kernel" else weight  # as the kernel of a DepthwiseConv2D
    names = (f"{one}_initializer" for one in (weight, weight.removesuffix("_kernel"), depthwise))
    return next((found for name in names if (found := getattr(layer, name, None)) is not None), None)


def _generators(model):
    """((layer's name, attribute), generator) of every layer that draws numbers while it is trained."""
    import keras

    for layer in model.layers:
        for name, value in vars(layer).items():
            if isinstance(value, keras.random.SeedGenerator):
                yield (layer.name, name), value


def _normalizations(model):
    """The layers that are adapted to the items; one that was given its mean is not."""
    import keras

    return [layer for layer in model.layers if isinstance(layer, keras.layers.Normalization) and layer.weights]


def _hashable(value):
    """A value of a setting as part of a key; 1, 1.0 and True are not the same to a builder."""
    if isinstance(value, Mapping):
        return dict, tuple((name, _hashable(one)) for name, one in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_hashable, value))
    return type(value), value
