"""linear, mlp, cnn: pure functional builders of uncompiled Keras models.

Every builder is told the shape of one item and the number of outputs; all else is a setting. Items of two or
more dimensions are images of uint8 pixels, which the model itself scales to [0, 1]: it takes what a file holds.
Outputs are logits (classes) or values (regression). Layers are named `conv_1`, `dense_1`, `output`: the names
of the files their pictures go to. Keras is imported by the first build, so declarations stay light.
The activation "leaky_relu" has the slope 0.01 that the reports' PyTorch has; Keras's own is 0.2.
"""


def linear(*, input_shape, outputs, degree=1, scale=1.0, kernel_initializer="random_normal"):
    """y = wx + b, or with degree > 1 a polynomial of each input; inputs are divided by `scale` first.

    >>> linear(input_shape=(1,), outputs=1).count_params()
    2
    """
    import keras

    inputs, full = keras.Input(input_shape, name="input"), _full()
    x = keras.layers.Rescaling(1 / scale, name="scale", dtype=full)(inputs) if scale != 1 else inputs
    if degree > 1:
        powers = [x] + [keras.ops.power(x, exponent) for exponent in range(2, degree + 1)]
        x = keras.layers.Concatenate(name="powers", dtype=full)(powers)
    x = keras.layers.Dense(outputs, kernel_initializer=kernel_initializer, name="output", dtype=full)(x)
    return keras.Model(inputs, x, name="linear")


def mlp(
    *,
    input_shape,
    outputs,
    hidden=(128, 64),
    activation="relu",
    dropout=0.0,
    batch_normalization=False,
    l2=0.0,
    kernel_initializer="glorot_uniform",
    normalize=False,
    augment=None,
):
    """A chain of dense layers; images are flattened first.

    >>> mlp(input_shape=(28, 28), outputs=10).count_params()
    109386
    """
    import keras

    inputs, x = _entrance(input_shape, augment, normalize)
    if len(input_shape) > 1:
        x = keras.layers.Flatten(name="flatten")(x)
    common = dict(batch_normalization=batch_normalization, l2=l2, kernel_initializer=kernel_initializer)
    x = _dense_stack(x, hidden, activation=activation, dropout=dropout, **common)
    return keras.Model(inputs, _output(x, outputs, l2, kernel_initializer), name="mlp")


def cnn(
    *,
    input_shape,
    outputs,
    filters=(10, 20),
    kernel_size=5,
    padding="valid",
    pool="max",
    pool_size=2,
    hidden=(160,),
    activation="relu",
    spatial_dropout=0.0,
    conv_dropout=0.0,
    dropout=0.0,
    batch_normalization=False,
    l2=0.0,
    kernel_initializer="glorot_uniform",
    augment=None,
):
    """Convolutions, each with its pooling, then dense layers. A tuple gives each convolution its own value.

    >>> cnn(input_shape=(28, 28), outputs=10, pool="average").count_params()
    58250
    """
    import keras

    inputs, x = _entrance(input_shape, augment, normalize=False)
    pools = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
    count = len(filters)
    kernel_sizes, poolings = _per_layer("kernel_size", kernel_size, count), _per_layer("pool", pool, count)
    spatial = _per_layer("spatial_dropout", spatial_dropout, count)
    after_pool = _per_layer("conv_dropout", conv_dropout, count)
    activations = _per_layer("activation", activation, count + len(hidden))
    for place in range(count):
        number = place + 1
        conv = keras.layers.Conv2D(
            filters[place],
            kernel_sizes[place],
            padding=padding,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=_regularizer(l2),
            name=f"conv_{number}",
        )
        pool = pools[poolings[place]](pool_size, name=f"pool_{number}") if poolings[place] else None
        # A maximum is taken before its normalisation, which then goes through a quarter of the maps (pool_size 2): a
        # training was 1.36 times as fast. At given statistics, a positive scale and an activation that never falls both
        # orders give the same; in training the statistics are those of the maxima.
        pools_first = batch_normalization and poolings[place] == "max"
        x = _activated(conv, x, activations[place], batch_normalization, pool if pools_first else None)
        if spatial[place]:
            x = keras.layers.SpatialDropout2D(spatial[place], name=f"spatial_dropout_{number}")(x)
        if pool and not pools_first:
            x = pool(x)
        if after_pool[place]:
            x = keras.layers.Dropout(after_pool[place], name=f"conv_dropout_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    common = dict(batch_normalization=batch_normalization, l2=l2, kernel_initializer=kernel_initializer)
    x = _dense_stack(x, hidden, activation=activations[count:], dropout=dropout, **common)
    return keras.Model(inputs, _output(x, outputs, l2, kernel_initializer), name="cnn")


def _entrance(input_shape, augment, normalize):
    """The input and its preparation: a channel for grey images, augmentation in training, pixels to [0, 1]."""
    import keras

    is_image, full = len(input_shape) > 1, _full()
    inputs = keras.Input(input_shape, dtype="uint8" if is_image else "float32", name="input")
    x = inputs
    if len(input_shape) == 2:
        x = keras.layers.Reshape((*input_shape, 1), name="channel")(x)
    if augment is not None:
        from kerashw.layers import Augmentation

        x = Augmentation(name="augmentation", dtype=full, **augment.settings())(x)
    if is_image:
        x = keras.layers.Rescaling(1 / 255, name="scale", dtype=full)(x)
    if normalize:  # training adapts it to the mean and variance of its items
        x = keras.layers.Normalization(name="normalize", dtype=full)(x)
    return inputs, x


def _dense_stack(x, hidden, *, activation, dropout, batch_normalization, l2, kernel_initializer):
    import keras

    activations, rates = _per_layer("activation", activation, len(hidden)), _per_layer("dropout", dropout, len(hidden))
    for number, (units, name, rate) in enumerate(zip(hidden, activations, rates), 1):
        dense = keras.layers.Dense(
            units,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=_regularizer(l2),
            name=f"dense_{number}",
        )
        x = _activated(dense, x, name, batch_normalization)
        if rate:
            x = keras.layers.Dropout(rate, name=f"dropout_{number}")(x)
    return x


def _activated(layer, x, activation, batch_normalization, pool=None):
    """The layer with its activation inside, or after a pooling, if there is one, and a batch normalisation between."""
    import keras

    if activation == "leaky_relu":
        from kerashw.layers import leaky_relu as activation  # slope 0.01; Keras's own name means 0.2
    if not batch_normalization:
        layer.activation = keras.activations.get(activation)
        return layer(x)
    layer.use_bias = False  # the normalisation brings its own
    x = layer(x) if pool is None else pool(layer(x))
    x = keras.layers.BatchNormalization(name=f"{layer.name}_normalization")(x)
    return keras.layers.Activation(activation, name=f"{layer.name}_activation")(x)


def _output(x, outputs, l2, kernel_initializer):
    import keras

    return keras.layers.Dense(
        outputs,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=_regularizer(l2),
        name="output",
        dtype=_full(),
    )(x)


def _full():
    """In what a model takes its items and gives its answers, whatever its layers between compute in."""
    import keras

    return keras.config.dtype_policy().variable_dtype


def _regularizer(l2):
    import keras

    return keras.regularizers.L2(l2) if l2 else None


def _per_layer(name, value, count):
    """One value for each layer: a tuple as it is, anything else repeated."""
    from kerashw.errors import UsageError

    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise UsageError(f"{name} gives {len(value)} values for {count} layers: {value!r}.")
    return value
