"""Gradients by finite differences against automatic differentiation, in single and in double precision."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from kerashw.errors import UsageError
from kerashw.probes.graph import check_built, named_layers

# The N of montreal-2020; a step is 1 / N.
INVERSE_STEPS = tuple(k * 10**i for i in range(6) for k in (1, 5))
PRECISIONS = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """How far finite differences are from automatic differentiation, for the first weights of one layer.

    layer, weight  whose weights they are: "dense_2", "kernel"
    inverse_steps  (steps,)  the N; every weight was moved by 1 / N to both sides
    automatic      {precision: (weights,)}         derivatives of the loss by automatic differentiation
    numerical      {precision: (steps, weights)}   the same by central differences
    difference     {precision: (steps,)}           the largest absolute difference of the two

    A difference falls with N as long as the curvature of the loss is what it is due to, as 1 / N², and rises again
    with N where the rounding of the loss is: in float32 much earlier than in float64. Where a ReLU before the
    weights is silent for the item, all derivatives are 0 and the check says nothing: `is_silent`.
    """

    layer: str
    weight: str
    inverse_steps: np.ndarray
    automatic: dict
    numerical: dict
    difference: dict

    @property
    def is_silent(self):
        """Whether all derivatives are 0; `telling_item` finds an item for which they are not."""
        return not any(derivatives.any() for derivatives in self.automatic.values())

    def best(self, precision):
        """The N with the smallest difference."""
        return int(self.inverse_steps[int(self.difference[precision].argmin())])


def check_gradients(model, x, y, loss=None, layer=None, *, weights=10, inverse_steps=INVERSE_STEPS):
    """A GradientCheck of the loss on the items of x, by the first `weights` weights of a layer's kernel.

    `x` and `y` are what the model and the loss take, with a first axis of items: a single item as x[:1], y[:1].
    `loss` is a Keras loss, its name, or a function of y and the outputs; by default the one the model is compiled
    with, else cross-entropy for whole-numbered y and squared error for all other. Regularisation is left out.
    `layer` is a name, "outer/inner" in a nested model; by default the second layer that has a kernel, or the only
    one. All is done at inference on copies of the model, one for each precision, so the model stays as it is.

    >>> from kerashw.models import mlp
    >>> keras.utils.set_random_seed(0)
    >>> model = mlp(input_shape=(3,), outputs=1, hidden=(4,), activation="tanh")
    >>> check = check_gradients(model, np.ones((1, 3)), np.ones((1, 1)), inverse_steps=(10, 1000))
    >>> check.layer, check.numerical["float64"].shape, bool(check.difference["float64"][1] < 1e-5)
    ('output', (2, 4), True)
    """
    if not weights >= 1:
        raise UsageError(f"weights must be a whole number of at least 1, got {weights!r}.")
    inverse_steps = np.asarray(inverse_steps, "float64")
    if inverse_steps.ndim != 1 or not len(inverse_steps) or not (inverse_steps > 0).all():
        raise UsageError(f"inverse_steps must be numbers above 0, got {inverse_steps.tolist()!r}.")
    check_built(model)
    layer, number = _find(model, layer)
    y = np.asarray(y)
    loss = _loss(model, loss, y)
    automatic, numerical, difference = {}, {}, {}
    for precision in PRECISIONS:
        copy = in_precision(model, precision)
        variable = named_layers(copy)[layer].trainable_variables[number]
        cost = _cost(copy, x, y, loss, precision)
        automatic[precision], numerical[precision] = _derivatives(cost, variable, weights, inverse_steps)
        difference[precision] = np.abs(numerical[precision] - automatic[precision]).max(axis=1)
    return GradientCheck(layer, variable.name, inverse_steps, automatic, numerical, difference)


def telling_item(model, x, y, loss=None, layer=None, *, weights=10):
    """The index of the first item for which the derivatives that `check_gradients` looks at are not all 0.

    >>> from kerashw.models import mlp
    >>> model = mlp(input_shape=(1,), outputs=1, hidden=(1,))
    >>> model.get_layer("dense_1").set_weights([np.ones((1, 1)), np.zeros(1)])
    >>> telling_item(model, np.array([[-1.0], [2.0]]), np.ones((2, 1)))
    1
    """
    check_built(model)
    layer, number = _find(model, layer)
    y = np.asarray(y)
    loss = _loss(model, loss, y)
    copy = in_precision(model, "float64")
    variable = named_layers(copy)[layer].trainable_variables[number]
    for item in range(len(y)):
        one = keras.tree.map_structure(lambda array: np.asarray(array)[item : item + 1], x)
        if _automatic(_cost(copy, one, y[item : item + 1], loss, "float64"), variable, weights).any():
            return item
    raise UsageError(
        f"The first weights of {layer} make no difference for any of {len(y)} items: name another layer, or train the "
        "model first."
    )


def in_precision(model, dtype):
    """A copy of the model that computes in that type throughout, with the same weights.

    >>> from kerashw.models import mlp
    >>> model = mlp(input_shape=(3,), outputs=1, hidden=(4,))
    >>> in_precision(model, "float64")(np.ones((1, 3))).dtype.name
    'float64'
    """
    copy = type(model).from_config(_with_dtype(model.get_config(), dtype))
    if not copy.built:
        copy.build(model.input_shape)
    copy.set_weights(model.get_weights())
    return copy


def _with_dtype(config, dtype):
    """The configuration with every floating-point type or policy in it replaced."""
    if isinstance(config, dict):
        return {
            key: dtype if key == "dtype" and _is_float(value) else _with_dtype(value, dtype)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_with_dtype(one, dtype) for one in config)
    return config


def _is_float(value):
    if isinstance(value, dict):  # a policy: {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}, ...}
        value = value.get("config", {}).get("name", "")
    return isinstance(value, str) and "float" in value


def _find(model, layer):
    """The name of the layer and the number of its kernel among its trainable weights."""
    kernels = {name: _kernel(one) for name, one in named_layers(model).items()}
    kernels = {name: number for name, number in kernels.items() if number is not None}
    if not kernels:
        raise UsageError(f"{model.name} has no layer with a trainable kernel to check.")
    if layer is None:
        layer = list(kernels)[:2][-1]
    if layer not in kernels:
        raise UsageError(f"There is no layer {layer!r} with a trainable kernel, expected one of {', '.join(kernels)}.")
    return layer, kernels[layer]


def _kernel(layer):
    names = [variable.name for variable in layer.trainable_variables]
    return next((number for number, name in enumerate(names) if name.endswith("kernel")), None)


def _loss(model, loss, y):
    if loss is None:
        loss = getattr(model, "loss", None)
    if loss is None:
        if y.dtype.kind not in "iu":
            return keras.losses.MeanSquaredError()
        last = model.layers[-1]
        softmax = isinstance(last, keras.layers.Softmax) or getattr(last, "activation", 0) is keras.activations.softmax
        return keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    if not callable(loss):
        raise UsageError(f"loss must be a Keras loss, its name or a function of y and the outputs, got {loss!r}.")
    return loss


def _cost(model, x, y, loss, precision):
    """A function that gives the loss on the items with the model's weights as they are now."""
    x = keras.tree.map_structure(tf.convert_to_tensor, x)
    y = tf.convert_to_tensor(y)
    is_keras = isinstance(loss, keras.losses.Loss)
    if is_keras or y.dtype.is_floating:
        y = tf.cast(y, precision)

    def cost():
        outputs = model(x, training=False)
        # Called as a whole, a Keras loss would cast to a precision of its own.
        losses = loss.call(y, outputs) if is_keras else loss(y, outputs)
        return tf.reduce_sum(losses) if is_keras and loss.reduction == "sum" else tf.reduce_mean(losses)

    return cost


def _automatic(cost, variable, weights):
    with tf.GradientTape() as tape:
        value = cost()
    slope = tape.gradient(value, variable.value)
    if slope is None:
        raise UsageError(f"The loss does not depend on {variable.path}.")
    return np.asarray(slope, "float64").ravel()[:weights]


def _derivatives(cost, variable, weights, inverse_steps):
    """The derivatives by the first weights, automatic (weights,) and numerical (steps, weights)."""
    automatic = _automatic(cost, variable, weights)
    cost = tf.function(cost, autograph=False)  # many calls that differ in one weight only
    whole = variable.numpy()
    numerical = np.empty((len(inverse_steps), len(automatic)))
    for row, inverse_step in enumerate(inverse_steps):
        for place in range(len(automatic)):
            costs = []
            for sign in (1, -1):
                moved = whole.copy()
                moved.flat[place] += sign / inverse_step
                variable.assign(moved)
                costs.append(float(cost()))
            numerical[row, place] = (costs[0] - costs[1]) * inverse_step / 2
    return automatic, numerical
