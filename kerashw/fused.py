"""Batch normalisation of maps in bfloat16 by TensorFlow's one operation for it; Keras puts it together from a dozen.

Most of the dozen go through all the maps, in float32. In a step of `mnist_best`'s net, whose seven convolutions are
normalised, they took longer than the convolutions, which bfloat16 makes short.
"""

import types


def fused(model):
    """The model, which from now on trains its batch normalisations of maps in bfloat16 by one operation each.

    Layers, weights and configs stay Keras's own, and so does all that is done outside of training. What comes out of a
    layer in training is the same but for the rounding to bfloat16, and its moving mean and variance follow as they did.

    >>> import keras
    >>> inputs = keras.Input((4, 4, 3), dtype="bfloat16")
    >>> outputs = keras.layers.BatchNormalization(dtype="mixed_bfloat16")(inputs)
    >>> model = fused(keras.Model(inputs, outputs))
    >>> model(keras.ops.ones((2, 4, 4, 3), "bfloat16"), training=True).dtype
    tf.bfloat16
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            fused(layer)
        elif type(layer) is keras.layers.BatchNormalization and _is_of_maps(layer) and "call" not in vars(layer):
            layer.call = types.MethodType(_call, layer)  # of this layer alone: its class is that of everybody's layers
    return model


def _is_of_maps(layer):
    """Whether it is what the operation does: images with their channels last, each batch by its own statistics."""
    spec = layer.input_spec
    if spec is None or spec.ndim != 4 or layer.axis not in (-1, 3):
        return False
    is_mixed = layer.compute_dtype == "bfloat16" and layer.variable_dtype == "float32"
    return is_mixed and not layer.renorm and not layer.synchronized


def _call(layer, inputs, training=None, mask=None):
    """`call` of a batch normalisation, its statistics and output from one operation."""
    import tensorflow as tf

    if not training or not layer.trainable or mask is not None or inputs.dtype != tf.bfloat16:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    channels = layer.moving_mean.shape[0]
    # The statistics that it takes are for inference alone.
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.ones(channels) if layer.gamma is None else tf.convert_to_tensor(layer.gamma),
        offset=tf.zeros(channels) if layer.beta is None else tf.convert_to_tensor(layer.beta),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(inputs) / channels, "float32")
    # It gives the estimate for a population, Keras keeps that of the items themselves; of a single one some give NaN.
    variance = tf.math.multiply_no_nan(variance, (count - 1) / count)
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + found * (1 - layer.momentum))
    return outputs
