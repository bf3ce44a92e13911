"""Dropout and penalties on weights whose rates and factors are variables: a compiled model serves any of their values.

Keras writes these numbers into the graph, so that each new value is traced and compiled again. What comes out here
is, bit by bit, what Keras's own layers and regularizers give.
"""

import json

import keras
import tensorflow as tf
from keras import ops

DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)
PENALTIES = keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2


def configuration(model):
    """All that makes the model's graph, as JSON: its config, without the numbers that `adjust` can set.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.25, name="dropout")])
    >>> '"rate": "adjustable"' in configuration(model)
    True
    """
    return json.dumps(json.loads(model.to_json(), object_hook=_without_numbers), sort_keys=True)


def adjustable(model):
    """The model, over the same weights, with numbers that `adjust` can set; the one that was given is used up.

    A rate of 0 or 1 and a factor of 0 stay as they are: Keras leaves out what belongs to them.
    """
    for variable in model.weights:
        regularizer = variable.regularizer
        if type(regularizer) in PENALTIES and any(regularizer.get_config().values()):
            variable.regularizer = AdjustablePenalty(regularizer)
    if any(map(_is_adjustable, model.layers)):
        model = keras.models.clone_model(
            model, clone_function=lambda layer: AdjustableDropout(layer) if _is_adjustable(layer) else layer
        )
    return model


def adjust(model, plain):
    """The adjustable model, from now on with the numbers of a plain one that has the same structure.

    >>> def net(rate, l2):
    ...     inputs = keras.Input((3,))
    ...     dense = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(l2), name="dense")
    ...     return keras.Model(inputs, keras.layers.Dropout(rate, name="dropout")(dense(inputs)))
    >>> model = adjust(adjustable(net(0.2, 0.1)), net(0.3, 0.4))
    >>> float(model.get_layer("dropout").rate)
    0.3
    """
    regularizers = {variable.path: variable.regularizer for variable in plain.weights}
    for variable in model.weights:
        if isinstance(variable.regularizer, AdjustablePenalty):
            variable.regularizer.adjust(regularizers[variable.path])
    for layer in model.layers:
        if isinstance(layer, AdjustableDropout):
            layer.rate.assign(plain.get_layer(layer.name).rate)
    return model


class AdjustablePenalty(keras.regularizers.Regularizer):
    """What Keras's L1, L2 or L1L2 gives, with factors that are variables.

    >>> penalty = AdjustablePenalty(keras.regularizers.L2(0.5))
    >>> penalty.adjust(keras.regularizers.L2(2.0))
    >>> float(penalty(ops.array([1.0, 2.0])))
    10.0
    """

    def __init__(self, regularizer):
        # In single precision, as Keras takes a factor whatever the precision of the weight.
        self._factors = {
            name: tf.Variable(factor, trainable=False) for name, factor in regularizer.get_config().items() if factor
        }

    def adjust(self, regularizer):
        """From now on the factors of this one hold."""
        for name, factor in self._factors.items():
            factor.assign(getattr(regularizer, name))

    def __call__(self, x):
        sums = {"l1": lambda: ops.sum(ops.absolute(x)), "l2": lambda: ops.sum(ops.square(x))}
        return sum(tf.cast(factor, x.dtype) * sums[name]() for name, factor in self._factors.items())


class AdjustableDropout(keras.layers.Layer):
    """What one of Keras's dropout layers gives, under its name, with a rate that is a variable.

    The rate is not among `variables`: these hold what a training has come to.
    """

    def __init__(self, layer):
        super().__init__(name=layer.name, dtype=layer.dtype_policy, trainable=layer.trainable)
        self.seed_generator = keras.random.SeedGenerator(layer.seed)
        # In double precision as the number is in Keras: it is rounded once, to the precision of the inputs.
        self.rate = tf.Variable(layer.rate, dtype="float64", trainable=False)
        self.supports_masking = True
        # Spatial: channels as a whole, wherever their axis is.
        self._is_spatial = type(layer) is not keras.layers.Dropout
        self._channels_first = getattr(layer, "data_format", None) == "channels_first"
        self._noise_shape = layer.noise_shape

    def call(self, inputs, training=False):
        if not training:
            return inputs
        draws = keras.random.uniform(self._shape(inputs), dtype=inputs.dtype, seed=self.seed_generator)
        scaled = inputs * tf.cast(1 / (1 - self.rate), inputs.dtype)
        return ops.where(draws >= tf.cast(self.rate, inputs.dtype), scaled, ops.zeros((), inputs.dtype))

    def _shape(self, inputs):
        """The shape of the draws: a 1 where one draw serves a whole axis."""
        whole = ops.shape(inputs)
        if self._is_spatial:
            places = (1,) * (len(whole) - 2)
            return (*whole[:2], *places) if self._channels_first else (whole[0], *places, whole[-1])
        if self._noise_shape is None:
            return whole
        return tuple(size if own is None else own for own, size in zip(self._noise_shape, whole, strict=True))

    def compute_output_shape(self, input_shape):
        return input_shape


def _is_adjustable(layer):
    return type(layer) in DROPOUTS and 0 < layer.rate < 1


def _without_numbers(told):
    """A part of a config; the innermost come first."""
    kind, config = told.get("class_name"), told.get("config")
    if told.get("module") == "keras.layers" and kind in [one.__name__ for one in DROPOUTS]:
        config["rate"] = "adjustable" if 0 < config["rate"] < 1 else config["rate"]
    for name, regularizer in told.items():
        # That of a layer's activity belongs to no variable.
        if name.endswith("_regularizer") and name != "activity_regularizer" and isinstance(regularizer, dict):
            if regularizer["class_name"] in [one.__name__ for one in PENALTIES]:
                factors = regularizer["config"]
                factors.update({one: "adjustable" for one, factor in factors.items() if factor})
    return told
