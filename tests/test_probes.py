"""What is found inside of models of every make: weights, filters, activations, feature maps, silent units."""

import keras
import numpy as np
import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.models import cnn, linear, mlp
from kerashw.probes import (
    activation_profiles,
    activations,
    feature_maps,
    filters,
    inactive_units,
    left_centre_right,
    named_layers,
    weights,
)

layers = keras.layers


def images(n=5, shape=(16, 16), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype("uint8")


def numbers(n=5, features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, features)).astype("float32")


def sequential():
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh", name="one"), layers.Dense(2, name="two")])


def unbuilt():
    return keras.Sequential([layers.Dense(4, "tanh", name="one"), layers.Dense(2, name="two")])


def nested():
    inner = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="normalization"),
         layers.ReLU(name="relu")],
        name="inner",
    )  # fmt: skip
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = inner(layers.Rescaling(1 / 255, name="scale")(layers.RandomFlip(name="flip")(inputs)))
    x = layers.GlobalAveragePooling2D(name="mean")(x * 2.0)
    return keras.Model(inputs, layers.Dense(3, name="output")(x))


def two_inputs():
    image, number = keras.Input((16, 16), name="image"), keras.Input((3,), name="number")
    x = layers.Concatenate(name="both")([layers.Flatten(name="flat")(image), number])
    x = layers.Dense(4, "relu", name="hidden")(x)
    return keras.Model([image, number], [layers.Dense(2, name="a")(x), layers.Dense(1, name="b")(x)])


def dict_of_inputs():
    given = {"z": keras.Input((2,), name="z"), "a": keras.Input((3,), name="a")}
    x = layers.Concatenate(name="both")([given["z"], given["a"]])
    return keras.Model(given, layers.Dense(2, name="output")(x))


def half():
    with_policy = dict(dtype="mixed_float16")
    inputs = keras.Input((3,))
    x = layers.Dense(4, "relu", name="one", **with_policy)(inputs)
    return keras.Model(inputs, layers.Dense(2, name="two", dtype="mixed_bfloat16")(x))


class Shaken(layers.Layer):
    """A layer of one's own that holds layers which differ in training, and says nothing of training itself."""

    def __init__(self, **options):
        super().__init__(**options)
        self.flip, self.dropout = layers.RandomFlip(), layers.Dropout(0.5)

    def call(self, x):
        return self.dropout(self.flip(x))


def shaken():
    inputs = keras.Input((16, 16, 3))
    x = layers.Flatten(name="flat")(Shaken(name="shaken")(inputs))
    return keras.Model(inputs, layers.Dense(2, name="output")(x))


def shared():
    dense = layers.Dense(3, "relu", name="twice")
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Add(name="sum")([dense(inputs), dense(dense(inputs))]))


def recurrent():
    inputs = keras.Input((7, 3))
    sequence, *_ = layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="output")(sequence))


AUGMENT = Augment(rotation=20, horizontal_flip=True, brightness=0.5)
# name: (model, a batch for it)
MODELS = {
    "line": (lambda: linear(input_shape=(3,), outputs=1, degree=2), numbers()),
    "mlp": (lambda: mlp(input_shape=(16, 16), outputs=4, hidden=(5, 3), dropout=0.5), images()),
    "cnn, augmented and normalised": (
        lambda: cnn(input_shape=(16, 16), outputs=4, filters=(2, 3), kernel_size=3, hidden=(5,), augment=AUGMENT,
                    batch_normalization=True, spatial_dropout=0.5), images()),
    "sequential": (sequential, numbers()),
    "sequential before its first call": (unbuilt, numbers()),
    "nested": (nested, images(shape=(16, 16, 3))),
    "two inputs": (two_inputs, [images().astype("float32"), numbers()]),
    "two inputs by name": (two_inputs, {"number": numbers(), "image": images()}),
    "a dict of inputs": (dict_of_inputs, {"a": numbers(), "z": numbers(features=2)}),
    "half precision": (half, numbers()),
    "layers within a layer": (shaken, images(shape=(16, 16, 3))),
    "a layer used twice": (shared, numbers()),
    "recurrent": (recurrent, np.zeros((5, 7, 3), "float32")),
    "one item": (sequential, numbers(n=1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def mobile():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=5)


# What holds for every model


@pytest.mark.parametrize("case", MODELS)
def test_the_last_activations_are_the_answers_of_the_model(case):
    build, x = MODELS[case]
    model = build()
    found = list(activations(model, x, batch_size=2).values())
    answers = keras.tree.flatten(model(x, training=False))
    for answer in answers:
        assert any(one.shape == answer.shape and np.allclose(one, answer, atol=1e-5) for one in found)


# The layers of a nested model have no tensors in the graph of the outer one.
@pytest.mark.parametrize("case", [case for case in MODELS if case != "nested"])
def test_every_layer_answers_as_in_a_model_that_ends_there(case):
    build, x = MODELS[case]
    model = build()
    found = activations(model, x, batch_size=3)
    for name, array in found.items():
        expected = keras.Model(model.inputs, keras.tree.flatten(model.get_layer(name).output)[0])
        given = [x[one.name] for one in model.inputs] if isinstance(x, dict) else x if isinstance(x, list) else [x]
        np.testing.assert_allclose(array, np.asarray(expected(given, training=False), "float32"), atol=1e-5)


@pytest.mark.parametrize("case", MODELS)
def test_probing_leaves_the_model_as_it_is_and_answers_alike_again(case):
    build, x = MODELS[case]
    model = build()
    first = activations(model, x)
    kept = [np.asarray(variable) for variable in model.variables]
    second = activations(model, x, batch_size=1)
    assert list(first) == list(second) == list(named_layers(model))
    for name, array in first.items():
        np.testing.assert_allclose(second[name], array, atol=1e-5 * max(1, np.abs(array).max()))
    assert all((one == np.asarray(now)).all() for one, now in zip(kept, model.variables))


@pytest.mark.parametrize("case", MODELS)
def test_weights_are_those_of_the_model_none_missing(case):
    build, x = MODELS[case]
    model = build()
    activations(model, x)  # builds what is not built
    found = weights(model)
    assert sum(array.size for own in found.values() for array in own.values()) == model.count_params()
    assert all(own for own in found.values())


@pytest.mark.parametrize("case", MODELS)
def test_shares_of_inactive_units_are_shares_of_hidden_layers(case):
    build, x = MODELS[case]
    shares = inactive_units(build(), x)
    assert all(0 <= share <= 1 for share in shares.values())
    assert not set(shares) & {"output", "two", "a", "b"}


# Weights and filters


def test_weights_are_copies_that_training_does_not_change():
    model = sequential()
    before = weights(model)["one"]["kernel"]
    model.get_layer("one").kernel.assign(np.zeros((3, 4)))
    assert before.any() and not weights(model)["one"]["kernel"].any()


def test_weights_of_one_name_within_a_layer_are_told_apart():
    inputs = keras.Input((4, 6))
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    found = weights(keras.Model(inputs, attention(inputs, inputs)))["attention"]
    assert {"query/kernel", "key/kernel", "value/kernel"} <= set(found)
    assert found["query/kernel"].shape == (6, 2, 3)


def test_a_model_without_weights_yet_is_refused():
    with pytest.raises(UsageError, match="has no weights yet"):
        weights(unbuilt())


CONVOLUTIONS = {
    "1-D": (layers.Conv1D(4, 3), (8, 2), (4, 3, 2)),
    "2-D": (layers.Conv2D(4, (3, 2)), (8, 8, 5), (4, 3, 2, 5)),
    "3-D": (layers.Conv3D(2, 2), (4, 4, 4, 3), (2, 2, 2, 2, 3)),
    "in groups": (layers.Conv2D(4, 3, groups=2), (8, 8, 6), (4, 3, 3, 3)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 3), (6, 3, 3, 1)),
    "depthwise 1-D": (layers.DepthwiseConv1D(3), (8, 3), (3, 3, 1)),
    "separable": (layers.SeparableConv2D(4, 3, depth_multiplier=2), (8, 8, 3), (4, 3, 3, 3)),
    "separable 1-D": (layers.SeparableConv1D(4, 3), (8, 2), (4, 3, 2)),
    "transposed": (layers.Conv2DTranspose(4, 3), (8, 8, 5), (4, 3, 3, 5)),
    "over time": (layers.TimeDistributed(layers.Conv2D(4, 3)), (2, 8, 8, 5), (4, 3, 3, 5)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_filters_of_every_convolution_come_first_and_their_channels_last(case):
    layer, shape, expected = CONVOLUTIONS[case]
    layer = type(layer).from_config({**layer.get_config(), "name": "conv"})
    found = filters(keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)]))
    assert list(found) == ["conv"] and found["conv"].shape == expected


@pytest.mark.parametrize("case", ["2-D", "depthwise", "separable"])
def test_a_filter_laid_on_a_patch_gives_the_answer_of_the_layer(case):
    layer, shape, _ = CONVOLUTIONS[case]
    layer = type(layer).from_config({**layer.get_config(), "name": "conv"})
    model = keras.Sequential([keras.Input(shape), layer])
    height, width = filters(model)["conv"].shape[1:3]
    patch = np.zeros((1, *shape), "float32")
    patch[:, :height, :width] = np.random.default_rng(0).normal(size=(1, height, width, shape[-1]))
    answer = activations(model, patch)["conv"][0, 0, 0]
    inside = patch[0, :height, :width]
    for number, one in enumerate(filters(model)["conv"]):
        seen = inside[..., [number // 2]] if case == "depthwise" else inside
        assert (one * seen).sum() == pytest.approx(answer[number], abs=1e-5)


def test_a_model_without_convolutions_has_no_filters():
    assert filters(sequential()) == {}


def test_nested_layers_are_named_by_their_way():
    model = nested()
    assert list(named_layers(model)) == [
        "flip", "scale", "inner/conv", "inner/normalization", "inner/relu", "mean", "output",
    ]  # fmt: skip
    assert filters(model)["inner/conv"].shape == (4, 3, 3, 3)
    assert set(weights(model)["inner/normalization"]) == {"gamma", "beta", "moving_mean", "moving_variance"}


def test_an_application_of_keras_is_looked_into_like_any_model(mobile):
    x = images(2, (32, 32, 3))
    assert filters(mobile)["expanded_conv_depthwise"].shape == (32, 3, 3, 1)
    assert len(weights(mobile)) == sum(bool(layer.weights) for layer in mobile.layers)
    found = activations(mobile, x, ["block_3_expand_relu", "predictions"])
    assert found["block_3_expand_relu"].shape == (2, 8, 8, 144)
    np.testing.assert_allclose(found["predictions"], mobile(x.astype("float32"), training=False), atol=1e-6)
    assert feature_maps(mobile, x)["Conv1"].min() >= 0  # after its normalisation and ReLU


# Activations


def test_chosen_layers_come_in_the_order_asked_and_a_nested_model_as_a_whole():
    model = nested()
    found = activations(model, images(shape=(16, 16, 3)), ["output", "inner"])
    assert list(found) == ["output", "inner"]
    np.testing.assert_array_equal(found["inner"], activations(model, images(shape=(16, 16, 3)))["inner/relu"])


def test_a_wrong_name_is_refused_with_the_right_ones():
    with pytest.raises(UsageError) as refused:
        activations(mlp(input_shape=(3,), outputs=1, hidden=(4,)), numbers(), ["dense_2"])
    assert str(refused.value) == "There is no layer 'dense_2' here. Did you mean 'dense_1'? There are: dense_1, output."


REFUSED = [
    (sequential, np.zeros((2, 4)), r"x has shape \(2, 4\), but input .* takes items of shape \(3\)"),
    (sequential, np.zeros(3), r"a single item as x\[None\]"),
    (sequential, np.zeros((0, 3)), "x holds no items"),
    (two_inputs, np.zeros((2, 3)), "x must be a list of 2 arrays, one for each of image, number"),
    (two_inputs, {"image": np.zeros((2, 16, 16))}, "expected an array for each of image, number"),
    (two_inputs, [np.zeros((2, 16, 16)), np.zeros((3, 3))], "x holds 2, 3 items"),
]


@pytest.mark.parametrize("build, x, told", REFUSED, ids=[told[:24] for *_, told in REFUSED])
def test_items_the_model_cannot_take_are_refused_with_what_it_takes(build, x, told):
    with pytest.raises(UsageError, match=told):
        activations(build(), x)


def test_a_model_without_a_graph_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UsageError, match="without a graph of layers"):
        activations(Own(), numbers())


def test_images_may_come_with_or_without_their_channel():
    model = cnn(input_shape=(16, 16), outputs=2, filters=(2,), kernel_size=3)
    with_channel, without = (activations(model, x)["output"] for x in (images()[..., None], images()))
    np.testing.assert_array_equal(with_channel, without)


def test_feature_maps_are_those_of_convolutions_and_poolings_after_their_activation():
    model = cnn(input_shape=(16, 16), outputs=2, filters=(2, 3), kernel_size=3, batch_normalization=True, pool="average")
    found = feature_maps(model, images())
    assert {name: array.shape for name, array in found.items()} == {
        "conv_1": (5, 14, 14, 2), "pool_1": (5, 7, 7, 2), "conv_2": (5, 5, 5, 3), "pool_2": (5, 2, 2, 3),
    }  # fmt: skip
    np.testing.assert_array_equal(found["conv_1"], activations(model, images())["conv_1_activation"])


def test_a_feature_map_is_that_of_the_maxima_where_these_are_normalised():
    model = cnn(input_shape=(16, 16), outputs=2, filters=(2, 3), kernel_size=3, batch_normalization=True)
    found, answers = feature_maps(model, images()), activations(model, images())
    for number in (1, 2):
        assert found[f"conv_{number}"].min() >= 0
        for name in ("conv", "pool"):
            np.testing.assert_array_equal(found[f"{name}_{number}"], answers[f"conv_{number}_activation"])


def test_units_whose_maxima_are_normalised_are_inactive_where_their_activation_is():
    model = cnn(input_shape=(16, 16), outputs=2, filters=(2,), kernel_size=3, hidden=(), batch_normalization=True)
    model.get_layer("conv_1_normalization").beta.assign([-100.0, 1.0])
    assert inactive_units(model, images()) == {"conv_1": 0.5}


def test_profiles_are_of_the_hidden_dense_layers_after_their_activation():
    model = mlp(input_shape=(1,), outputs=1, hidden=(8, 4), activation="sigmoid", batch_normalization=True)
    found = activation_profiles(model, left_centre_right([[-4.0], [4.0], [0.1]]))
    assert {name: array.shape for name, array in found.items()} == {"dense_1": (3, 8), "dense_2": (3, 4)}
    assert all((array > 0).all() and (array < 1).all() for array in found.values())


@pytest.mark.parametrize(
    "x, expected",
    [([[3.0], [-4.0], [0.5], [1.0]], [-4, 0.5, 3]), ([2.0], [2, 2, 2]), ([[1.0], [2.0]], [1, 1, 2])],
)
def test_left_centre_and_right_are_taken_from_the_data(x, expected):
    chosen = left_centre_right(x)
    assert chosen.shape == (3, 1) and chosen.ravel().tolist() == expected


@pytest.mark.parametrize("x", [np.zeros((3, 2)), np.zeros((0, 1))])
def test_left_centre_and_right_need_one_number_per_item(x):
    with pytest.raises(UsageError, match="expected one number per item"):
        left_centre_right(x)


# Silent units


def dense_with(kernel, activation="relu"):
    model = mlp(input_shape=(2,), outputs=1, hidden=(len(kernel[0]),), activation=activation)
    model.get_layer("dense_1").set_weights([np.array(kernel, "float32"), np.zeros(len(kernel[0]))])
    return model


def test_a_dead_unit_is_counted_as_inactive():
    assert inactive_units(dense_with([[1, 0, -1], [1, 0, -1]]), np.ones((3, 2))) == {"dense_1": pytest.approx(2 / 3)}


def test_a_unit_that_speaks_for_one_item_only_is_active():
    assert inactive_units(dense_with([[1, -1], [1, -1]]), np.array([[1.0, 1], [1, 1], [-1, -1]])) == {"dense_1": 0}


def test_a_dead_layer_is_inactive_as_a_whole():
    assert inactive_units(dense_with([[-1, -1], [-1, -1]]), np.ones((3, 2))) == {"dense_1": 1}


def test_the_measure_of_near_zero_is_the_layers_own_scale():
    small, large = (dense_with(np.array([[1, 0.02], [1, 0.02]]) * scale) for scale in (1e-3, 1e3))
    for model in (small, large):
        assert inactive_units(model, np.ones((2, 2)), threshold=0.01) == {"dense_1": 0}
        assert inactive_units(model, np.ones((2, 2)), threshold=0.05) == {"dense_1": 0.5}


def test_negative_activations_count_as_much_as_positive_ones():
    assert inactive_units(dense_with([[-1, 1], [-1, 0]], "tanh"), np.ones((2, 2))) == {"dense_1": 0}


def test_a_unit_of_a_convolution_is_a_channel_at_all_its_positions():
    model = cnn(input_shape=(16, 16), outputs=2, filters=(3,), kernel_size=3, hidden=())
    kernel = np.zeros((3, 3, 1, 3), "float32")
    kernel[..., 1] = 1
    model.get_layer("conv_1").set_weights([kernel, np.zeros(3)])
    assert inactive_units(model, images(), batch_size=2) == {"conv_1": pytest.approx(2 / 3)}


@pytest.mark.parametrize("threshold", [-0.1, 1, float("nan")])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(UsageError, match="threshold must be from 0 to below 1"):
        inactive_units(sequential(), numbers(), threshold=threshold)


def test_a_model_of_a_class_of_one_s_own_within_a_graph_is_one_layer():
    class Block(keras.Model):
        def __init__(self):
            super().__init__(name="block")
            self.inner = keras.layers.Dense(3, name="inner")

        def call(self, x):
            return self.inner(x)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="output")(Block()(inputs)))
    assert list(activations(model, np.ones((2, 4), "float32"))) == ["block", "output"]
