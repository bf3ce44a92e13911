"""The builders: what they build, what they are called, what they refuse; one table of models for what all share."""

import inspect
import re

import keras
import numpy as np
import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.formats import load_keras
from kerashw.models import cnn, linear, mlp

GREY, COLOUR, ROW = (28, 28), (32, 32, 3), (3,)
AUGMENT = Augment(rotation=20, zoom=0.1, width_shift=0.1, brightness=0.2, horizontal_flip=True)

# name: (builder, shape of an item, outputs, settings)
MODELS = {
    "line": (linear, (1,), 1, {}),
    "polynomial": (linear, (1,), 1, dict(degree=5, scale=5.0)),
    "plane of many inputs": (linear, ROW, 2, dict(degree=2)),
    "mlp of numbers": (mlp, ROW, 1, dict(hidden=(4, 3), activation=("tanh", "softplus"), normalize=True)),
    "mlp without hidden layers": (mlp, ROW, 1, dict(hidden=())),
    "mlp of images": (mlp, (8, 8), 10, dict(hidden=(4,), dropout=0.5, l2=0.1)),
    "mlp of colours, augmented": (mlp, (8, 8, 3), 10, dict(hidden=(4,), augment=AUGMENT)),
    "mlp, leaky and normalised": (mlp, ROW, 1, dict(hidden=(4,), activation="leaky_relu", batch_normalization=True)),
    "mlp from given weights": (
        mlp, ROW, 1, dict(kernel_initializer=dict(class_name="RandomNormal", config=dict(mean=0.0, stddev=1.0)))),
    "cnn": (cnn, GREY, 10, {}),
    "cnn, augmented": (cnn, GREY, 10, dict(filters=(2,), hidden=(4,), augment=AUGMENT)),
    "cnn of colours": (cnn, COLOUR, 10, dict(filters=(2, 3, 4), kernel_size=3, padding="same", hidden=(5,))),
    "cnn of one channel": (cnn, (28, 28, 1), 10, dict(filters=(2,), hidden=())),
    "cnn, everything at once": (
        cnn, COLOUR, 5, dict(
            filters=(2, 3), kernel_size=(5, 3), padding="same", pool=("average", None), pool_size=3, hidden=(6, 5),
            activation="leaky_relu", spatial_dropout=(0.1, 0), conv_dropout=(0, 0.2), dropout=(0.3, 0),
            batch_normalization=True, l2=1e-3, kernel_initializer="he_normal", augment=AUGMENT)),
}  # fmt: skip

each_model = pytest.mark.parametrize("case", MODELS)
each_builder = pytest.mark.parametrize("builder", [linear, mlp, cnn], ids=lambda builder: builder.__name__)


def build(case):
    builder, shape, outputs, settings = MODELS[case]
    return builder(input_shape=shape, outputs=outputs, **settings)


def items(shape, n=4, seed=0):
    generator = np.random.default_rng(seed)
    if len(shape) == 1:
        return generator.normal(size=(n, *shape)).astype("float32")
    return generator.integers(0, 256, (n, *shape), dtype="uint8")


def names(model):
    return [layer.name for layer in model.layers]


def part(model, layer, x):
    """What a layer gives for x at inference."""
    return np.asarray(keras.Model(model.input, model.get_layer(layer).output)(x, training=False))


# --- what holds for every model


@each_model
def test_a_model_takes_its_items_as_files_hold_them_and_gives_one_output_each(case):
    _, shape, outputs, _ = MODELS[case]
    model = build(case)
    assert model.input_shape == (None, *shape) and model.output_shape == (None, outputs)
    assert model.inputs[0].dtype == ("uint8" if len(shape) > 1 else "float32")
    answers = np.asarray(model(items(shape), training=False))
    assert answers.shape == (4, outputs) and np.isfinite(answers).all()


@each_model
def test_the_names_of_layers_are_distinct_and_serve_as_names_of_files(case):
    given = names(build(case))
    assert given[0] == "input" and given[-1] == "output"
    assert len(set(given)) == len(given)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*(_[1-9][0-9]*)?(_[a-z]+)*", name) for name in given)


@each_model
def test_two_builds_are_alike_in_structure_and_share_nothing(case):
    first, second = build(case), build(case)
    assert names(first) == names(second)
    assert first.count_params() == second.count_params()
    assert not {id(one) for one in first.variables} & {id(one) for one in second.variables}
    before = [np.asarray(weight) for weight in second.weights]
    for weight in first.trainable_weights:
        weight.assign(weight + 1)
    assert all((one == np.asarray(now)).all() for one, now in zip(before, second.weights))


@each_model
def test_the_seed_of_keras_decides_the_weights(case):
    built = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        built.append(build(case).get_weights())
    assert all((one == other).all() for one, other in zip(*built))


@each_model
def test_a_model_comes_uncompiled_and_is_the_same_at_every_inference(case):
    model = build(case)
    assert not model.compiled
    x = items(MODELS[case][1])
    assert (np.asarray(model(x, training=False)) == np.asarray(model(x, training=False))).all()


@each_model
def test_a_saved_model_comes_back_with_the_same_answers_and_names(case, tmp_path):
    model = build(case)
    x = items(MODELS[case][1])
    model.save(tmp_path / "model.keras")
    loaded = load_keras(tmp_path / "model.keras")
    assert names(loaded) == names(model)
    np.testing.assert_array_equal(loaded(x, training=False), model(x, training=False))


@each_builder
def test_a_builder_takes_everything_by_name_and_has_a_default_for_all_that_the_data_do_not_decide(builder):
    parameters = inspect.signature(builder).parameters
    assert all(one.kind is one.KEYWORD_ONLY for one in parameters.values())
    assert [name for name, one in parameters.items() if one.default is one.empty] == ["input_shape", "outputs"]
    with pytest.raises(TypeError):
        builder((3,), 1)


# --- structure


def test_the_layers_of_a_cnn_are_numbered_in_their_order():
    model = cnn(input_shape=GREY, outputs=10, filters=(2, 3), hidden=(8, 4))
    assert [name for name in names(model) if name.startswith(("conv", "pool", "dense", "output"))] == [
        "conv_1", "pool_1", "conv_2", "pool_2", "dense_1", "dense_2", "output",
    ]  # fmt: skip


def test_the_outputs_are_plain_numbers_without_an_activation():
    for case in MODELS:
        assert build(case).get_layer("output").activation in (keras.activations.linear, None)


def test_a_line_is_two_numbers_and_a_polynomial_one_more_for_each_degree():
    assert linear(input_shape=(1,), outputs=1).count_params() == 2
    assert linear(input_shape=(1,), outputs=1, degree=5).count_params() == 6


def test_a_polynomial_is_one_of_the_scaled_input():
    model = linear(input_shape=(1,), outputs=1, degree=3, scale=5.0)
    np.testing.assert_allclose(part(model, "powers", np.array([[10.0]], "float32")), [[2.0, 4.0, 8.0]])


@pytest.mark.parametrize("padding, sides", [("valid", (28, 14, 10, 5)), ("same", (32, 16, 16, 8))])
def test_padding_same_keeps_the_size_that_valid_loses(padding, sides):
    model = cnn(input_shape=COLOUR, outputs=10, padding=padding)
    assert tuple(model.get_layer(name).output.shape[1] for name in ("conv_1", "pool_1", "conv_2", "pool_2")) == sides


@pytest.mark.parametrize(
    "pool, kinds",
    [
        ("max", {"pool_1": "MaxPooling2D", "pool_2": "MaxPooling2D"}),
        ("average", {"pool_1": "AveragePooling2D", "pool_2": "AveragePooling2D"}),
        (("max", "average"), {"pool_1": "MaxPooling2D", "pool_2": "AveragePooling2D"}),
        (("max", None), {"pool_1": "MaxPooling2D"}),
        ((None, "max"), {"pool_2": "MaxPooling2D"}),
        (None, {}),
    ],
)
def test_pooling_is_of_one_kind_for_all_convolutions_or_of_one_for_each(pool, kinds):
    model = cnn(input_shape=GREY, outputs=10, pool=pool)
    assert {layer.name: type(layer).__name__ for layer in model.layers if layer.name.startswith("pool")} == kinds


def test_kernels_and_pools_have_the_sizes_given():
    model = cnn(input_shape=GREY, outputs=10, filters=(2, 3), kernel_size=(5, 3), pool_size=3)
    assert [model.get_layer(name).kernel_size for name in ("conv_1", "conv_2")] == [(5, 5), (3, 3)]
    assert model.get_layer("pool_1").pool_size == (3, 3)


@pytest.mark.parametrize(
    "builder, settings, told",
    [
        (mlp, dict(hidden=(4, 4), activation=("relu",)), "activation gives 1 values for 2 layers"),
        (mlp, dict(hidden=(4,), dropout=(0.1, 0.2)), "dropout gives 2 values for 1 layers"),
        (cnn, dict(kernel_size=(5, 5, 5)), "kernel_size gives 3 values for 2 layers"),
        (cnn, dict(pool=("max",)), "pool gives 1 values for 2 layers"),
        (cnn, dict(spatial_dropout=(0.5,)), "spatial_dropout gives 1 values for 2 layers"),
        (cnn, dict(conv_dropout=(0.5, 0, 0)), "conv_dropout gives 3 values for 2 layers"),
        (cnn, dict(activation=("relu", "relu")), "activation gives 2 values for 3 layers"),
        (cnn, dict(dropout=(0.5, 0.5)), "dropout gives 2 values for 1 layers"),
    ],
)
def test_a_tuple_of_the_wrong_length_is_refused_by_name(builder, settings, told):
    with pytest.raises(UsageError, match=told):
        builder(input_shape=GREY, outputs=10, **settings)


# --- pixels, activations, regularisation


@pytest.mark.parametrize("builder", [mlp, cnn])
@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_pixels_of_uint8_are_scaled_within_the_model(builder, shape):
    model = builder(input_shape=shape, outputs=10)
    x = np.zeros((2, *shape), "uint8")
    x[1] = 255
    scaled = part(model, "scale", x)
    assert scaled[0].max() == 0 and scaled[1].min() == pytest.approx(1) == scaled[1].max()


def test_numbers_are_not_scaled():
    assert "scale" not in names(mlp(input_shape=ROW, outputs=1))


@pytest.mark.parametrize(
    "case, layer",
    [("mlp, leaky and normalised", "dense_1_activation"), ("cnn, everything at once", "conv_1_activation")],
)
def test_leaky_relu_has_the_slope_of_the_reports_after_a_normalisation(case, layer):
    np.testing.assert_allclose(build(case).get_layer(layer).activation(np.array([-1.0, 2.0])), [-0.01, 2.0])


@pytest.mark.parametrize("builder, layer", [(mlp, "dense_1"), (cnn, "conv_1"), (cnn, "dense_1")])
def test_leaky_relu_has_the_slope_of_the_reports_inside_a_layer(builder, layer):
    model = builder(input_shape=GREY, outputs=10, activation="leaky_relu")
    np.testing.assert_allclose(model.get_layer(layer).activation(np.array([-1.0, 2.0])), [-0.01, 2.0])


def test_every_layer_can_have_its_own_activation():
    model = cnn(input_shape=GREY, outputs=10, activation=("tanh", "softplus", "relu"))
    own = [model.get_layer(name).activation for name in ("conv_1", "conv_2", "dense_1")]
    assert own == [keras.activations.tanh, keras.activations.softplus, keras.activations.relu]


def test_l2_adds_the_squares_of_all_kernels_and_of_no_bias():
    model = cnn(input_shape=GREY, outputs=10, l2=0.1)
    squares = sum(float(np.square(weight).sum()) for weight in model.get_weights() if weight.ndim > 1)
    assert len(model.losses) == 4
    assert float(sum(model.losses)) == pytest.approx(0.1 * squares, rel=1e-5)
    assert not cnn(input_shape=GREY, outputs=10).losses


def test_batch_normalisation_stands_between_each_layer_and_its_activation_and_brings_the_bias():
    model = cnn(input_shape=GREY, outputs=10, batch_normalization=True, pool=("max", "average"))
    for name, pools in {"conv_1": ["pool_1"], "conv_2": [], "dense_1": []}.items():
        place = names(model).index(name)
        expected = [name, *pools, f"{name}_normalization", f"{name}_activation"]
        assert names(model)[place : place + len(expected)] == expected
        assert not model.get_layer(name).use_bias
        assert model.get_layer(name).activation is keras.activations.linear
    assert model.get_layer("output").use_bias
    assert "output_normalization" not in names(model)


def test_a_maximum_before_its_normalisation_is_at_given_statistics_the_same_as_after_it():
    model = cnn(input_shape=GREY, outputs=10, batch_normalization=True)
    conv, pool = model.get_layer("conv_1"), model.get_layer("pool_1")
    normalization, activation = (model.get_layer(f"conv_1_{name}") for name in ("normalization", "activation"))
    normalization.moving_mean.assign(np.linspace(-1, 1, normalization.moving_mean.shape[0]))
    maps = keras.Model(model.inputs, conv.output)(items(GREY))
    np.testing.assert_allclose(
        activation(normalization(pool(maps))), pool(activation(normalization(maps))), rtol=1e-5, atol=1e-6
    )


def test_dropout_stands_where_its_rate_is_above_0_and_nowhere_else():
    model = cnn(
        input_shape=GREY, outputs=10, hidden=(8, 8), spatial_dropout=(0, 0.5), conv_dropout=(0.25, 0), dropout=(0, 0.3)
    )
    rates = {layer.name: layer.rate for layer in model.layers if "dropout" in layer.name}
    assert rates == {"spatial_dropout_2": 0.5, "conv_dropout_1": 0.25, "dropout_2": 0.3}
    assert names(model).index("conv_2") < names(model).index("spatial_dropout_2") < names(model).index("pool_2")
    assert names(model).index("pool_1") < names(model).index("conv_dropout_1") < names(model).index("conv_2")


def test_dropout_and_augmentation_work_in_training_only():
    x = items(GREY)
    for settings in (dict(augment=AUGMENT), dict(dropout=0.5)):
        model = cnn(input_shape=GREY, outputs=10, **settings)
        calm = np.asarray(model(x, training=False))
        assert (np.asarray(model(x, training=False)) == calm).all()
        assert (np.asarray(model(x, training=True)) != calm).any()


@pytest.mark.parametrize("builder", [mlp, cnn])
def test_augmentation_comes_before_the_scaling_and_adds_no_parameters(builder):
    plain, augmented = (builder(input_shape=GREY, outputs=10, augment=augment) for augment in (None, AUGMENT))
    assert names(augmented).index("augmentation") < names(augmented).index("scale")
    assert "augmentation" not in names(plain)
    assert augmented.count_params() == plain.count_params()
    augmented.set_weights(plain.get_weights())
    np.testing.assert_array_equal(augmented(items(GREY), training=False), plain(items(GREY), training=False))


def test_zero_weights_give_zero_outputs():
    model = mlp(input_shape=ROW, outputs=2, kernel_initializer="zeros")
    assert not np.asarray(model(items(ROW), training=False)).any()


@pytest.mark.parametrize(
    "builder, shape, outputs, settings, count",
    [
        (mlp, ROW, 1, dict(hidden=()), 3 + 1),
        (mlp, ROW, 1, dict(hidden=(4,), batch_normalization=True), 3 * 4 + 4 * 4 + 4 + 1),
        (cnn, COLOUR, 7, dict(filters=(2,), kernel_size=3, hidden=()), 3 * 9 * 2 + 2 + 15 * 15 * 2 * 7 + 7),
        (cnn, (28, 28, 1), 10, dict(pool="average"), 58_250),
        (cnn, GREY, 10, dict(pool="average"), 58_250),
        (mlp, GREY, 10, {}, 109_386),
    ],
)
def test_the_number_of_parameters_is_that_of_the_arithmetic(builder, shape, outputs, settings, count):
    assert builder(input_shape=shape, outputs=outputs, **settings).count_params() == count
