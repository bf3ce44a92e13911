"""A model as a row of named layers, those of nested models included, and one way to go through them.

A layer of a nested model is called "outer/inner". A layer that is called several times counts as it is called first.
"""

import difflib

import keras
import numpy as np
import tensorflow as tf

from kerashw.errors import UsageError
from kerashw.probes.kinds import FINISHING, MAXIMA

# A graph of Keras (every functional model) or a chain of layers: what can be gone through layer by layer.
GRAPHS = (keras.Function, keras.Sequential)


def named_layers(model, *, nested=False, within=""):
    """Every layer by name, in the model's order; in place of a nested model stand its layers, as "outer/inner".

    With `nested=True` the nested models themselves are there too, each after its layers.

    >>> inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="inner")
    >>> list(named_layers(keras.Sequential([keras.Input((3,)), inner, keras.layers.ReLU(name="end")])))
    ['inner/dense', 'end']
    """
    layers = {}
    for layer in model.layers:
        name = within + layer.name
        is_graph = isinstance(layer, GRAPHS)  # a model of a class of one's own is one layer, as it has no graph
        if is_graph:
            layers.update(named_layers(layer, nested=nested, within=f"{name}/"))
        if not isinstance(layer, keras.layers.InputLayer) and (nested or not is_graph):
            layers[name] = layer
    return layers


def check_built(model):
    """Nothing, where the model has its weights; a UsageError where not."""
    if not model.built:
        raise UsageError(
            f"{model.name} has no weights yet: call it on a batch, or build it with model.build(input_shape)."
        )


def check_graph(model):
    """Nothing, where the model can be gone through layer by layer; a UsageError where not."""
    if not isinstance(model, GRAPHS):
        raise UsageError(
            f"{model.name} is a {type(model).__name__} without a graph of layers, expected a functional or Sequential "
            "model: build it as keras.Model(inputs, outputs)."
        )


def check_names(names, known):
    """The names as a tuple; a UsageError with the right ones where one is not known."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), list(known), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"There is no layer {name!r} here.{hint} There are: {', '.join(known)}.")
    return names


def walk(model, values, apply, seen=lambda name, value: None, within=""):
    """What the model gives when every operation of its graph is done by `apply(name, operation, args, kwargs)`.

    `values` takes the place of the inputs, one for each. With tensors this computes, with receptive fields it tells
    those of every layer. `seen` is told each result by name, also that of a nested model as a whole.
    """

    def doing(operation):
        def do(*args, **kwargs):
            name = within + operation.name
            if isinstance(operation, GRAPHS):
                given = args[0] if args else kwargs["inputs"]
                value = walk(operation, keras.tree.flatten(given), apply, seen, f"{name}/")
            else:
                value = apply(name, operation, args, kwargs)
            seen(name, value)
            return value

        return do

    if isinstance(model, keras.Sequential):
        (value,) = values
        for layer in model.layers:
            value = doing(layer)(value)
        return value
    return model._run_through_graph(values, operation_fn=doing)


def alike(operation, value):
    """The value once for each output of the operation: what an `apply` gives back that knows no tensors."""
    outputs = keras.tree.flatten(operation.output)
    return value if len(outputs) == 1 else [value] * len(outputs)


def followers(model):
    """Who takes each operation's result, by name: {name: [(name, operation), ...]}."""
    taken = {}

    def apply(name, operation, args, kwargs):
        for giver in keras.tree.flatten((args, kwargs)):
            if isinstance(giver, _Giver):
                taken.setdefault(giver.name, []).append((name, operation))
        taken.setdefault(name, [])
        return alike(operation, _Giver(name))

    walk(model, [_Giver(None) for _ in model.inputs], apply)
    return taken


class _Giver:
    """Stands for the tensor that an operation gives."""

    def __init__(self, name):
        self.name = name


def output_names(model):
    """The names of the operations that give the model's outputs, in their order."""

    def apply(name, operation, args, kwargs):
        return alike(operation, _Giver(name))

    givers = walk(model, [_Giver(None) for _ in model.inputs], apply)
    return [giver.name for giver in keras.tree.flatten(givers)]


def finished(name, taken):
    """The layer whose output is the named layer's after its normalisation and activation; `taken` is `followers`.

    A layer with the activation inside is finished by itself. Where a maximum is taken before the normalisation, it is
    on the way.
    """
    while len(taken[name]) == 1:
        [(follower, layer)] = taken[name]
        if isinstance(layer, MAXIMA) and [type(one) for _, one in taken[follower]] == [keras.layers.BatchNormalization]:
            follower = taken[follower][0][0]
        elif not isinstance(layer, FINISHING):
            break
        name = follower
    return name


def inputs_of(model, x):
    """The arrays for the model's inputs, in their order, checked; builds a Sequential that was not built yet.

    `x` is one array, or for several inputs a list of them or a dict by name.
    """
    check_graph(model)
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, *np.shape(x)[1:]))
    specs = model.inputs
    names = [spec.name for spec in specs]
    if isinstance(x, dict):
        if set(x) != set(names):
            raise UsageError(f"x has {', '.join(map(str, x))}, expected an array for each of {', '.join(names)}.")
        x = [x[name] for name in names]
    elif len(names) == 1:
        x = [x]
    elif not isinstance(x, (list, tuple)) or len(x) != len(names):
        raise UsageError(f"x must be a list of {len(names)} arrays, one for each of {', '.join(names)}.")
    arrays = [np.asarray(one) for one in x]
    arrays = [_fitted(array, spec) for array, spec in zip(arrays, specs)]
    if len({len(array) for array in arrays}) > 1:
        raise UsageError(f"x holds {', '.join(str(len(array)) for array in arrays)} items for the inputs "
                         f"{', '.join(names)}, expected as many for each.")  # fmt: skip
    if not len(arrays[0]):
        raise UsageError("x holds no items, expected at least one.")
    return arrays


def _fitted(array, spec):
    """The array in the input's rank: Keras lets a last axis of one be left out or added."""
    expected = tuple(spec.shape)
    shape = array.shape
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        array = array[..., 0]
    elif len(shape) == len(expected) - 1 and expected[-1] == 1:
        array = array[..., None]
    if len(array.shape) != len(expected) or any(
        wanted not in (None, given) for wanted, given in zip(expected[1:], array.shape[1:])
    ):
        told = ", ".join("any" if size is None else str(size) for size in expected[1:])
        raise UsageError(
            f"x has shape {shape}, but input {spec.name!r} takes items of shape ({told}): give an array (n, {told}), "
            "a single item as x[None]."
        )
    return array


def in_batches(arrays, batch_size):
    """The same arrays, `batch_size` items at a time."""
    if not batch_size >= 1:
        raise UsageError(f"batch_size must be a whole number of at least 1, got {batch_size!r}.")
    for start in range(0, len(arrays[0]), batch_size):
        yield [array[start : start + batch_size] for array in arrays]


def tensors(model, arrays, *, differentiable=False):
    """The arrays as tensors of the inputs' types; as floats, where a derivative is to be taken by them."""
    given = []
    for array, spec in zip(arrays, model.inputs):
        dtype = spec.dtype
        if differentiable and not keras.backend.is_float_dtype(dtype):
            dtype = "float32"
        given.append(tf.cast(tf.convert_to_tensor(array), dtype))
    return given


def forward(model, given, names=(), *, instead=None):
    """The model's outputs, a flat list, and the outputs of the named layers, a dict, in inference mode.

    `instead` may name an operation that another one takes the place of: {name: operation}. Of a layer with several
    outputs the first one is given.
    """
    kept, instead = {}, instead or {}

    def apply(name, operation, args, kwargs):
        if isinstance(operation, keras.layers.Layer):
            kwargs["training"] = False
        return instead.get(name, operation)(*args, **kwargs)

    def seen(name, value):
        if name in names and name not in kept:
            kept[name] = keras.tree.flatten(value)[0]

    outputs = walk(model, given, apply, seen)
    return keras.tree.flatten(outputs), kept


def as_array(tensor):
    """The tensor as a NumPy array; half-precision numbers become float32."""
    if tensor.dtype in (tf.float16, tf.bfloat16):
        tensor = tf.cast(tensor, tf.float32)
    return np.asarray(tensor)
