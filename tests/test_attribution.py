"""What an answer rests on, and what excites a unit most: against arithmetic, completeness and the derivatives."""

import keras
import numpy as np
import pytest

from kerashw.errors import UsageError
from kerashw.models import cnn, mlp
from kerashw.probes import (
    activations,
    grad_cam,
    integrated_gradients,
    maximal_inputs,
    receptive_fields,
    saliency,
    scores,
)

layers = keras.layers


def images(n=4, shape=(16, 16), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype("uint8")


def small_cnn(**settings):
    keras.utils.set_random_seed(3)
    return cnn(input_shape=(16, 16), outputs=4, **dict(dict(filters=(3, 4), kernel_size=3, hidden=(8,)), **settings))


def linear_net(kernel, ending=None):
    """One dense layer of given weights, with a function at its end."""
    model = keras.Sequential([keras.Input((len(kernel),)), layers.Dense(len(kernel[0]), ending, use_bias=False)])
    model.layers[0].set_weights([np.array(kernel, "float32")])
    return model


KERNEL = [[1.0, -2.0], [3.0, 0.5]]


def separate_softmax():
    model = linear_net(KERNEL)
    return keras.Model(model.inputs, layers.Softmax(name="softmax")(model.outputs[0]))


def separate_activation():
    model = linear_net(KERNEL)
    return keras.Model(model.inputs, layers.Activation("softmax", name="softmax")(model.outputs[0]))


def nested_classifier():
    inner = small_cnn()
    inputs = keras.Input((16, 16), dtype="uint8", name="image")
    return keras.Model(inputs, layers.Dense(3, "softmax", name="classes")(inner(inputs)))


def coloured():
    keras.utils.set_random_seed(0)
    return cnn(input_shape=(12, 10, 3), outputs=3, filters=(4,), kernel_size=3, padding="same", hidden=())


def half():
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return small_cnn()
    finally:
        keras.config.set_dtype_policy("float32")


# name: (model, items)
MODELS = {
    "cnn": (small_cnn, images()),
    "cnn, normalised": (lambda: small_cnn(batch_normalization=True, dropout=0.5), images()),
    "mlp of images": (lambda: mlp(input_shape=(16, 16), outputs=4, hidden=(8,)), images()),
    "colours": (coloured, images(shape=(12, 10, 3))),
    "one item": (small_cnn, images(1)),
    "regression": (lambda: mlp(input_shape=(3,), outputs=1, activation="tanh"), np.ones((2, 3), "float32")),
    "softmax at the end": (lambda: linear_net(KERNEL, "softmax"), np.ones((2, 2), "float32")),
    "nested": (nested_classifier, images()),
}

each_model = pytest.mark.parametrize("case", MODELS)
ENDINGS = {
    "logits": lambda: linear_net(KERNEL),
    "softmax inside": lambda: linear_net(KERNEL, "softmax"),
    "sigmoid inside": lambda: linear_net(KERNEL, "sigmoid"),
    "a softmax layer": separate_softmax,
    "an activation layer": separate_activation,
}


# Saliency and integrated gradients


@pytest.mark.parametrize("case", ENDINGS)
def test_the_score_is_the_logit_however_the_model_ends(case):
    model, x = ENDINGS[case](), np.array([[2.0, 1.0], [-50.0, 50.0]])
    np.testing.assert_allclose(scores(model, x), x @ np.array(KERNEL))
    np.testing.assert_allclose(saliency(model, x, y=0), [[1, 3], [1, 3]])
    np.testing.assert_allclose(saliency(model, x), [[1, 3], [2, 0.5]])  # of the class predicted
    np.testing.assert_allclose(integrated_gradients(model, x, y=[1, 0]), [[-4, 0.5], [-50, 150]])


@each_model
def test_attributions_have_the_shape_of_the_items_and_are_finite(case):
    build, x = MODELS[case]
    model = build()
    for found in (saliency(model, x), integrated_gradients(model, x, steps=3, batch_size=2)):
        assert found.shape == x.shape and np.isfinite(found).all() and found.any()


@each_model
def test_integrated_gradients_add_up_to_the_difference_of_the_scores(case):
    build, x = MODELS[case]
    model = build()
    chosen = scores(model, x).argmax(axis=1)
    difference = (scores(model, x) - scores(model, np.zeros_like(x)))[np.arange(len(x)), chosen]
    found = integrated_gradients(model, x, steps=100).reshape(len(x), -1).sum(axis=1)
    np.testing.assert_allclose(found, difference, rtol=0.01, atol=0.005)


def test_a_baseline_of_ones_own_takes_the_place_of_zero():
    model, x, baseline = small_cnn(), images(), np.full((16, 16), 128)
    difference = (scores(model, x) - scores(model, baseline[None].astype("uint8")))[:, 2]
    found = integrated_gradients(model, x, y=2, baseline=baseline, steps=100).sum(axis=(1, 2))
    np.testing.assert_allclose(found, difference, rtol=0.01, atol=0.005)
    assert not integrated_gradients(model, x[:1], y=2, baseline=x[0]).any()


def test_saliency_is_the_slope_that_a_small_change_of_a_pixel_shows():
    keras.utils.set_random_seed(0)
    model = mlp(input_shape=(4, 4), outputs=3, hidden=(6,), activation="tanh")
    x = images(1, (4, 4))
    found = saliency(model, x, y=1)[0]
    for pixel in np.ndindex(4, 4):
        near = np.repeat(x, 2, axis=0).astype("int32")
        near[(0, *pixel)] = max(near[(0, *pixel)] - 1, 0)
        near[(1, *pixel)] = min(near[(1, *pixel)] + 1, 255)
        low, high = scores(model, near.astype("uint8"))[:, 1]
        assert abs(high - low) / (near[1] - near[0])[pixel] == pytest.approx(found[pixel], rel=0.02, abs=1e-6)


def test_half_precision_gives_nearly_the_attributions_of_single_precision():
    full, coarse = small_cnn(), half()
    coarse.set_weights(full.get_weights())
    one, other = (integrated_gradients(model, images(), y=0) for model in (full, coarse))
    assert np.abs(one - other).max() < 0.05 * np.abs(one).max()
    assert grad_cam(coarse, images()).dtype == "float32"


def test_of_several_inputs_each_gets_its_share():
    first, second = keras.Input((2,), name="first"), keras.Input((3,), name="second")
    both = layers.Concatenate()([first, second])
    model = keras.Model([first, second], layers.Dense(1, kernel_initializer="ones")(both))
    x = [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0, 5.0]])]
    one, other = integrated_gradients(model, x, baseline=[0.0, np.ones(3)])
    np.testing.assert_allclose(one, [[1, 2]])
    np.testing.assert_allclose(other, [[2, 3, 4]])


def test_of_several_outputs_one_is_asked_about():
    inputs = keras.Input((2,))
    outputs = [layers.Dense(1, kernel_initializer=start, name=start)(inputs) for start in ("ones", "zeros")]
    model, x = keras.Model(inputs, outputs), np.ones((1, 2))
    with pytest.raises(UsageError, match="say output=... with one of ones, zeros"):
        saliency(model, x)
    assert saliency(model, x, output="ones").tolist() == [[1, 1]]
    assert saliency(model, x, output="zeros").tolist() == [[0, 0]]


REFUSED = [
    (dict(y=4), "y names classes from 4 to 4, expected 0 to 3"),
    (dict(y=[0, 1]), "one for each of 4 items"),
    (dict(y=0.5), "as whole numbers; got 0.5"),
    (dict(output="dense_1"), "There is no output 'dense_1', expected one of output"),
    (dict(batch_size=0), "batch_size must be a whole number of at least 1, got 0"),
]


@pytest.mark.parametrize("asked, told", REFUSED, ids=[told[:20] for _, told in REFUSED])
@pytest.mark.parametrize("probe", [saliency, integrated_gradients, grad_cam])
def test_what_cannot_be_attributed_is_refused(probe, asked, told):
    with pytest.raises(UsageError, match=told):
        probe(small_cnn(), images(), **asked)


def test_whole_numbers_that_are_looked_up_have_no_derivative():
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), layers.Embedding(5, 2), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(UsageError, match="no derivative by an input"):
        saliency(model, np.array([[0, 1, 2]]))


# Grad-CAM


def corner_watcher():
    """Class 0 rests on brightness, seen by the first of two channels; class 1 on its opposite."""
    inputs = keras.Input((12, 12), dtype="uint8")
    x = layers.Rescaling(1 / 255)(layers.Reshape((12, 12, 1))(inputs))
    x = layers.Conv2D(1, 1, kernel_initializer="ones", activation="relu", name="bright")(x)
    x = layers.AveragePooling2D(2, name="pool")(x)
    model = keras.Model(inputs, layers.Dense(2, name="output")(layers.GlobalAveragePooling2D()(x)))
    model.get_layer("output").set_weights([np.array([[1.0, -1.0]], "float32"), np.zeros(2)])
    return model


def test_grad_cam_shows_where_the_class_is_seen():
    image = np.zeros((1, 12, 12), "uint8")
    image[0, :4, 8:] = 255
    found = grad_cam(corner_watcher(), image, y=0)
    assert found.shape == (1, 12, 12) and found.max() == 1
    np.testing.assert_array_equal(found[0] > 0, image[0] > 0)
    coarse = grad_cam(corner_watcher(), image, y=0, layer="pool")
    assert coarse[0, :4, 8:].min() > 0.5 and not coarse[0, 6:, :6].any()


def test_grad_cam_is_zero_where_nothing_speaks_for_the_class():
    bright = np.full((2, 12, 12), 255, "uint8")
    assert not grad_cam(corner_watcher(), bright, y=1).any()
    assert not grad_cam(corner_watcher(), np.zeros((1, 12, 12), "uint8"), y=0).any()


@pytest.mark.parametrize("case", ["cnn", "cnn, normalised", "colours", "nested", "one item"])
def test_grad_cam_has_the_size_of_the_images_and_runs_from_0_to_1(case):
    build, x = MODELS[case]
    found = grad_cam(build(), x, batch_size=3)
    assert found.shape == x.shape[:3]
    assert found.min() >= 0 and set(found.max(axis=(1, 2)).round(6)) <= {0, 1}


def test_grad_cam_takes_the_last_convolution_after_its_activation():
    model = small_cnn(batch_normalization=True)
    np.testing.assert_array_equal(grad_cam(model, images()), grad_cam(model, images(), layer="conv_2_activation"))


@pytest.mark.slow
def test_grad_cam_works_on_an_application_and_on_sequences():
    keras.utils.set_random_seed(0)
    mobile = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=5)
    x = images(2, (64, 64, 3))
    assert grad_cam(mobile, x).shape == (2, 64, 64)
    np.testing.assert_array_equal(grad_cam(mobile, x), grad_cam(mobile, x, layer="out_relu"))
    sequence = keras.Sequential(
        [keras.Input((9, 2)), layers.Conv1D(3, 3), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    )
    assert grad_cam(sequence, np.ones((4, 9, 2))).shape == (4, 9)


@pytest.mark.parametrize(
    "build, layer, told",
    [
        (lambda: mlp(input_shape=(16, 16), outputs=2), None, "has no convolution: name a layer"),
        (small_cnn, "dense_1", "dense_1 gives .* expected a map with 2 axes and channels"),
        (small_cnn, "conv_3", "There is no layer 'conv_3' here. Did you mean 'conv_"),
    ],
)
def test_grad_cam_needs_a_layer_with_a_map(build, layer, told):
    with pytest.raises(UsageError, match=told):
        grad_cam(build(), images(), layer=layer)


# Maximal inputs


@pytest.mark.parametrize("layer", ["conv_1", "conv_2", "dense_1", "output"])
def test_a_maximal_input_excites_its_unit_more_than_any_image_or_the_start(layer):
    model = small_cnn()
    found = maximal_inputs(model, layer, steps=100)
    assert found.inputs.min() >= 0 and found.inputs.max() <= 255 and found.inputs.dtype == "float32"
    assert (found.reached > found.start).all()
    answers = activations(model, found.inputs.round().astype("uint8"), layer)[layer]
    for unit, answer, reached in zip(found.units, answers, found.reached):
        middle = float(answer[..., unit][tuple(size // 2 for size in answer.shape[:-1])])
        assert middle == pytest.approx(reached, abs=0.02 * max(1.0, float(reached)))
    random = activations(model, images(30), layer)[layer]
    random = random if random.ndim == 2 else random[:, random.shape[1] // 2, random.shape[2] // 2]
    assert (found.reached >= random.max(axis=0)).all()


def test_the_maximal_input_of_a_linear_unit_is_bright_where_its_weights_are_positive():
    model = linear_net([[2.0, -1.0], [-1.0, 2.0], [1.0, 1.0]])
    found = maximal_inputs(model, model.layers[0].name, value_range=(-1, 1), l2=0)
    np.testing.assert_allclose(found.inputs, [[1, -1, 1], [-1, 1, 1]], atol=1e-5)
    np.testing.assert_allclose(found.reached, [4, 4], atol=1e-4)


def test_a_silent_relu_is_awakened():
    model = small_cnn(hidden=())
    kernel, _ = model.get_layer("conv_1").get_weights()
    model.get_layer("conv_1").set_weights([kernel, -0.1 - kernel.sum(axis=(0, 1, 2)) / 2])  # silent for grey
    found = maximal_inputs(model, "conv_1", steps=60)
    assert not found.start.any() and (found.reached > 0).all()


def test_only_the_field_of_the_middle_unit_is_shaped_and_the_rest_fades_to_grey():
    model = small_cnn()
    found = maximal_inputs(model, "conv_1", units=[0], steps=200, jitter=0)
    (top, bottom), (left, right) = receptive_fields(model)["conv_1"].box((7, 7))
    outside = np.ones((16, 16), bool)
    outside[top : bottom + 1, left : right + 1] = False
    # Total variation draws neighbours along; two pixels further there is none of it left.
    outside[top - 2 : bottom + 3, left - 2 : right + 3] = False
    assert np.abs(found.inputs[0] - 127.5)[outside].max() < 12.8  # the noise it began with is 0.05 of the range
    assert np.abs(found.inputs[0] - 127.5)[top : bottom + 1, left : right + 1].max() > 100


def test_the_mean_over_all_positions_can_be_followed():
    found = maximal_inputs(small_cnn(), "conv_2", steps=60, position="all")
    model = small_cnn()
    means = activations(model, found.inputs.round().astype("uint8"), "conv_2")["conv_2"].mean(axis=(1, 2))
    np.testing.assert_allclose(means[np.arange(4), np.arange(4)], found.reached, atol=0.02)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides_and_the_other_units_do_not(seed):
    model = small_cnn()
    one = maximal_inputs(model, "conv_2", steps=10, seed=seed)
    again = maximal_inputs(model, "conv_2", units=[2], steps=10, seed=seed)
    other = maximal_inputs(model, "conv_2", units=[2], steps=10, seed=seed + 1)
    np.testing.assert_allclose(one.inputs[2], again.inputs[0], atol=0.01)
    assert np.abs(one.inputs[2] - other.inputs[0]).max() > 1


def test_total_variation_smooths_and_l2_keeps_near_the_middle():
    def roughness(inputs):
        return np.abs(np.diff(inputs, axis=1)).mean() + np.abs(np.diff(inputs, axis=2)).mean()

    model = small_cnn()
    plain, smooth, calm = (
        maximal_inputs(model, "output", steps=60, jitter=0, total_variation=variation, l2=l2).inputs
        for variation, l2 in ((0, 0), (1, 0), (0, 2))
    )
    assert roughness(smooth) < 0.8 * roughness(plain)
    assert np.abs(calm - 127.5).mean() < 0.8 * np.abs(plain - 127.5).mean()


def test_a_softmax_output_of_a_nested_model_has_maximal_inputs_too():
    model = nested_classifier()
    found = maximal_inputs(model, "classes", steps=20)
    assert found.inputs.shape == (3, 16, 16) and (found.reached > found.start).all()
    inner = next(layer.name for layer in model.layers if isinstance(layer, keras.Model))
    assert maximal_inputs(model, f"{inner}/conv_1", steps=5).inputs.shape == (3, 16, 16)


MISTAKES = [
    (dict(layer="dense_2"), "There is no layer 'dense_2' here. Did you mean 'dense_1'"),
    (dict(units=[8]), "dense_1 has no unit 8, expected 0 to 7"),
    (dict(steps=0), "steps must be a whole number of at least 1, got 0"),
    (dict(jitter=-1), "jitter must be a whole number of at least 0, got -1"),
    (dict(position=3), "position must be 'centre' or 'all', got 3"),
    (dict(value_range=(1, 0)), r"value_range must be \(low, high\) with low below high"),
]


@pytest.mark.parametrize("asked, told", MISTAKES, ids=[told[:20] for _, told in MISTAKES])
def test_what_cannot_be_climbed_is_refused(asked, told):
    with pytest.raises(UsageError, match=told):
        maximal_inputs(small_cnn(), **dict(dict(layer="dense_1", steps=2), **asked))


def test_inputs_that_are_no_images_need_a_range():
    with pytest.raises(UsageError, match="give value_range"):
        maximal_inputs(mlp(input_shape=(3,), outputs=1), "dense_1")
