"""Finite differences against automatic differentiation, in two precisions, for models and losses of every make."""

import keras
import numpy as np
import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.gradcheck import INVERSE_STEPS, check_gradients, in_precision, telling_item
from kerashw.models import cnn, mlp

layers = keras.layers


def numbers(n=1, features=3):
    return np.random.default_rng(0).normal(size=(n, features)).astype("float32")


def images(n=1):
    return np.random.default_rng(0).integers(0, 256, (n, 12, 12)).astype("uint8")


def smooth(**settings):
    keras.utils.set_random_seed(0)
    return mlp(input_shape=(3,), outputs=2, **dict(dict(hidden=(5, 4), activation="tanh"), **settings))


def small_cnn():
    keras.utils.set_random_seed(0)
    return cnn(input_shape=(12, 12), outputs=3, filters=(2, 3), kernel_size=3, hidden=(4,), activation="softplus",
               pool="average", batch_normalization=True, dropout=0.5, l2=0.1, augment=Augment(rotation=20))  # fmt: skip


def with_softmax():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh", name="one"), layers.Dense(3, "softmax", name="two")]
    )


def nested():
    inner = smooth(hidden=(4,))
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(2, name="end")(inner(inputs * 2.0)))


def half():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = layers.Dense(4, "tanh", name="one", dtype="mixed_float16")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="two", dtype="mixed_bfloat16")(x))


def double():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,), dtype="float64")
    x = layers.Dense(4, "tanh", dtype="float64")(inputs)
    return keras.Model(inputs, layers.Dense(2, dtype="float64")(x))


def two_inputs():
    first, second = keras.Input((3,), name="first"), keras.Input((12, 12), name="second")
    x = layers.Concatenate()([first, layers.Flatten()(layers.Rescaling(1 / 255)(second))])
    return keras.Model([first, second], layers.Dense(2)(layers.Dense(3, "tanh")(x)))


class CubicLoss(keras.losses.Loss):
    """A loss of one's own, which takes no dtype."""

    def __init__(self):
        super().__init__(name="cubic")

    def call(self, y, outputs):
        return keras.ops.mean(keras.ops.abs(outputs - y) ** 3, axis=-1)


VALUES, LABEL = np.array([[0.5, -1.0]], "float32"), np.array([1])
# name: (model, x, y, loss)
CASES = {
    "squared error": (smooth, numbers(), VALUES, None),
    "cross-entropy of logits": (smooth, numbers(), LABEL, None),
    "cross-entropy after softmax": (with_softmax, numbers(), LABEL, None),
    "a convolution with all there is": (small_cnn, images(), LABEL, None),
    "nested": (nested, numbers(), VALUES, None),
    "half precision": (half, numbers(), VALUES, None),
    "double precision": (double, numbers(), VALUES, None),
    "two inputs": (two_inputs, [numbers(), images()], VALUES, None),
    "a loss by name": (smooth, numbers(), VALUES, "log_cosh"),
    "a sum": (smooth, numbers(), VALUES, keras.losses.MeanSquaredError(reduction="sum")),
    "a loss of one's own": (smooth, numbers(), VALUES, CubicLoss()),
    "a function": (smooth, numbers(), VALUES, lambda y, outputs: (outputs - y) ** 2),
    "several items": (smooth, numbers(4), np.array([0, 1, 1, 0]), None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_both_ways_agree_in_double_precision_and_less_so_in_single(case):
    build, x, y, loss = CASES[case]
    check = check_gradients(build(), x, y, loss, inverse_steps=(10, 1000, 100_000), weights=4)
    single, double = check.difference["float32"], check.difference["float64"]
    size = max(np.abs(check.automatic["float64"]).max(), 1e-6)
    assert not check.is_silent
    # The error falls as the square of the step; of a square, central differences are exact at once.
    assert double[1] < 1e-4 * size and double[1] < max(double[0] / 100, 1e-11 * size)
    assert single[2] > 100 * double[2]  # rounding
    np.testing.assert_allclose(check.automatic["float32"], check.automatic["float64"], rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("case", CASES)
def test_the_model_stays_as_it_is(case):
    build, x, y, loss = CASES[case]
    model = build()
    before, names = model.get_weights(), [layer.name for layer in model.layers]
    check_gradients(model, x, y, loss, inverse_steps=(10,), weights=2)
    assert all((one == now).all() for one, now in zip(before, model.get_weights(), strict=True))
    assert [layer.name for layer in model.layers] == names and not model.compiled


def test_an_error_in_the_loss_leaves_the_model_as_it_is():
    model = smooth()
    before = model.get_weights()

    def failing(y, outputs):
        raise ArithmeticError("no loss today")

    with pytest.raises(ArithmeticError, match="no loss today"):
        check_gradients(model, numbers(), VALUES, failing)
    assert all((one == now).all() for one, now in zip(before, model.get_weights()))


def test_the_steps_and_weights_are_those_of_the_report():
    assert INVERSE_STEPS == (1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000, 100_000, 500_000)
    check = check_gradients(smooth(), numbers(), LABEL)
    assert check.layer == "dense_2" and check.weight == "kernel"
    assert check.inverse_steps.tolist() == list(INVERSE_STEPS)
    for precision in ("float32", "float64"):
        assert check.numerical[precision].shape == (12, 10)
        expected = np.abs(check.numerical[precision] - check.automatic[precision]).max(axis=1)
        np.testing.assert_array_equal(check.difference[precision], expected)


def test_the_difference_falls_then_rises_by_rounding_and_in_double_precision_later():
    check = check_gradients(smooth(), numbers(), LABEL)
    for precision in ("float32", "float64"):
        difference = check.difference[precision]
        assert difference[0] > 100 * difference.min() and difference[-1] > 3 * difference.min()
    assert check.best("float32") < check.best("float64")
    assert check.difference["float64"].min() < 1e-3 * check.difference["float32"].min()


def test_of_fewer_weights_than_asked_for_all_are_taken():
    check = check_gradients(mlp(input_shape=(1,), outputs=1, hidden=(2,)), numbers(1, 1), np.ones((1, 1)))
    assert check.automatic["float64"].shape == (2,)


def test_the_derivative_of_a_known_loss_is_that_of_the_arithmetic():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, name="only")])
    model.layers[0].set_weights([np.array([[2.0], [3.0]])])
    check = check_gradients(model, np.array([[1.0, -1.0]]), np.array([[1.0]]), inverse_steps=(100,))
    assert check.layer == "only"  # where there is no second one
    np.testing.assert_allclose(check.automatic["float64"], [-4, 4])  # 2 (2 - 3 - 1) x
    np.testing.assert_allclose(check.numerical["float64"][0], [-4, 4], rtol=1e-10)


def test_the_loss_of_a_compiled_model_is_taken_unless_another_is_given():
    model = smooth()
    model.compile(loss="mean_absolute_error")
    own = check_gradients(model, numbers(), VALUES).automatic["float64"]
    given = check_gradients(smooth(), numbers(), VALUES, "mean_absolute_error").automatic["float64"]
    squared = check_gradients(model, numbers(), VALUES, "mean_squared_error").automatic["float64"]
    np.testing.assert_allclose(own, given)
    assert np.abs(own - squared).max() > 1e-3


def test_another_layer_can_be_named():
    model = nested()
    inner = next(layer.name for layer in model.layers if isinstance(layer, keras.Model))
    assert check_gradients(model, numbers(), VALUES, layer="end", inverse_steps=(10,)).layer == "end"
    assert check_gradients(model, numbers(), VALUES, inverse_steps=(10,)).layer == f"{inner}/output"


def test_a_silent_relu_makes_a_silent_check_and_another_item_is_found():
    model = mlp(input_shape=(2,), outputs=1, hidden=(1,))
    model.get_layer("dense_1").set_weights([np.ones((2, 1)), np.zeros(1)])
    x, y = np.array([[-1.0, -1], [-2, 0], [1, 2]]), np.ones((3, 1))
    assert check_gradients(model, x[:1], y[:1], inverse_steps=(100,)).is_silent
    assert telling_item(model, x, y) == 2
    assert not check_gradients(model, x[2:], y[2:], inverse_steps=(100,)).is_silent
    with pytest.raises(UsageError, match="make no difference for any of 2 items"):
        telling_item(model, x[:2], y[:2])


@pytest.mark.parametrize("build", [smooth, small_cnn, with_softmax, nested, half, double], ids=lambda b: b.__name__)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_copy_in_another_precision_computes_in_it_throughout_and_answers_alike(build, precision):
    model = build()
    x = images(2) if build is small_cnn else numbers(2)
    copy = in_precision(model, precision)
    answers = copy(x, training=False)
    assert answers.dtype.name == precision
    assert {variable.dtype for variable in copy.trainable_variables} == {precision}
    np.testing.assert_allclose(answers, model(x, training=False), atol=0.02 if build is half else 1e-5)
    assert not {id(one) for one in copy.variables} & {id(one) for one in model.variables}


REFUSED = [
    (dict(layer="dense_3"), "There is no layer 'dense_3' .* expected one of dense_1, dense_2, output"),
    (dict(weights=0), "weights must be a whole number of at least 1, got 0"),
    (dict(inverse_steps=(1, 0)), r"inverse_steps must be numbers above 0, got \[1.0, 0.0\]"),
    (dict(inverse_steps=()), "inverse_steps must be numbers above 0"),
    (dict(loss=3), "loss must be a Keras loss, its name or a function"),
]


@pytest.mark.parametrize("asked, told", REFUSED, ids=[told[:20] for _, told in REFUSED])
def test_what_cannot_be_checked_is_refused(asked, told):
    with pytest.raises(UsageError, match=told):
        check_gradients(smooth(), numbers(), VALUES, **asked)


def test_a_model_that_is_not_built_or_has_no_kernel_is_refused():
    with pytest.raises(UsageError, match="has no weights yet"):
        check_gradients(keras.Sequential([layers.Dense(1)]), numbers(), VALUES)
    with pytest.raises(UsageError, match="no layer with a trainable kernel"):
        check_gradients(keras.Sequential([keras.Input((3,)), layers.ReLU()]), numbers(), numbers())
