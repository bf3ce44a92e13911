"""Dropout and penalties with numbers that can be set give what Keras's own give, bit by bit."""

import keras
import numpy as np
import pytest

from kerashw.regularization import AdjustableDropout, AdjustablePenalty, adjust, adjustable, configuration

X = np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype("float32")

DROPOUTS = {
    "each value": (keras.layers.Dropout, X, {}),
    "each value of a vector": (keras.layers.Dropout, X[:, 0, 0], {}),
    "a shape of noise": (keras.layers.Dropout, X, dict(noise_shape=(None, 4, 1, None))),
    "channels of series": (keras.layers.SpatialDropout1D, X[:, 0], {}),
    "channels of images": (keras.layers.SpatialDropout2D, X, {}),
    "channels first": (keras.layers.SpatialDropout2D, X, dict(data_format="channels_first")),
    "channels of volumes": (keras.layers.SpatialDropout3D, X[..., None], {}),
    "half precision": (keras.layers.Dropout, X, dict(dtype="mixed_float16")),
    "double precision": (keras.layers.Dropout, X, dict(dtype="float64")),
}


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.999])
def test_dropout_draws_and_scales_as_keras_does(name, rate):
    kind, x, options = DROPOUTS[name]
    theirs = kind(rate, seed=3, **options)
    ours = AdjustableDropout(kind(0.5, seed=3, **options))
    ours.rate.assign(rate)
    for _ in range(2):  # the second call has draws of its own
        np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))
    np.testing.assert_array_equal(ours(x), theirs(x))
    assert ours(x).dtype == theirs(x).dtype


KINDS = {
    "l1": (keras.regularizers.L1(0.5), keras.regularizers.L1(0.3)),
    "l2": (keras.regularizers.L2(0.5), keras.regularizers.L2(0.3)),
    "both": (keras.regularizers.L1L2(0.5, 0.25), keras.regularizers.L1L2(0.3, 0.7)),
    "both, the second alone": (keras.regularizers.L1L2(0, 0.25), keras.regularizers.L1L2(0, 0.7)),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_penalty_is_that_of_keras(name, dtype):
    first, then = KINDS[name]
    weights = keras.ops.cast(X[0], dtype)
    ours = AdjustablePenalty(first)
    np.testing.assert_array_equal(ours(weights), first(weights))
    ours.adjust(then)
    np.testing.assert_array_equal(ours(weights), then(weights))


def net(rate=0.3, l2=0.1, kind=keras.layers.Dropout):
    regularizer = keras.regularizers.L2(l2)  # one for several weights
    inputs = keras.Input((6,), name="input")
    x = keras.layers.Dense(5, kernel_regularizer=regularizer, bias_regularizer=regularizer, name="first")(inputs)
    x = keras.layers.Add(name="sum")([kind(rate, name="left")(x), kind(0.5, name="right")(x)])
    return keras.Model(inputs, keras.layers.Dense(2, kernel_regularizer=regularizer, name="last")(x), name="net")


def test_an_adjustable_model_has_the_same_weights_in_the_same_order():
    plain = net()
    names, weights = [layer.name for layer in plain.layers], plain.weights
    model = adjustable(plain)
    assert [layer.name for layer in model.layers] == names and model.name == "net"
    assert all(one is other for one, other in zip(model.weights, weights, strict=True))
    assert len(model.variables) == len(plain.variables)
    assert sum(isinstance(layer, AdjustableDropout) for layer in model.layers) == 2


def test_numbers_of_another_model_are_carried_over():
    model, other = adjustable(net()), net(rate=0.7, l2=0.2)
    before = sum(model.losses)
    other.set_weights(model.get_weights())
    adjust(model, other)
    assert float(sum(model.losses)) == float(sum(other.losses)) != float(before)
    assert [float(model.get_layer(name).rate) for name in ("left", "right")] == [0.7, 0.5]


def test_a_chain_is_made_adjustable():
    chain = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2), keras.layers.Dropout(0.3, name="dropout")])
    model = adjustable(chain)
    assert isinstance(model.get_layer("dropout"), AdjustableDropout)
    assert model.output_shape == (None, 2) and len(model.weights) == 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_dropped_and_all_dropped_are_left_to_keras(rate):
    assert type(adjustable(net(rate)).get_layer("left")) is keras.layers.Dropout


@pytest.mark.parametrize("changes, are_same", [
    (dict(rate=0.4), True), (dict(l2=0.7), True), (dict(rate=0.0), False), (dict(rate=1.0), False),
    (dict(l2=0.0), False), (dict(kind=keras.layers.GaussianDropout), False),
])  # fmt: skip
def test_configurations_are_the_same_but_for_numbers_that_can_be_set(changes, are_same):
    assert (configuration(net(**changes)) == configuration(net())) == are_same


def test_the_strength_of_noise_is_part_of_a_configuration():
    kinds = {configuration(net(rate, kind=keras.layers.GaussianDropout)) for rate in (0.3, 0.4)}
    assert len(kinds) == 2
