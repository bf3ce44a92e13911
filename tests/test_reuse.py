"""Models used again: a training starts as with a new one, nothing is traced twice, and memory does not grow."""

import gc

import keras
import numpy as np
import pytest

from kerashw import reuse
from kerashw.augment import Augment
from kerashw.building import build_model
from kerashw.commands import quiet_tensorflow
from kerashw.models import cnn, mlp
from kerashw.reuse import draw_weights, with_weights
from kerashw.settings import TRAINING, builder_keywords
from kerashw.training import Diverged, Task, train

quiet_tensorflow()  # as the command line does: with it, one seed gives one result

GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(-1, 1, (60, 2)).astype("float32")
LINES = Task(X, (X[:, :1] - 2 * X[:, 1:]).astype("float32"), 1, False)
IMAGES = Task(GENERATOR.integers(0, 256, (60, 6, 6)).astype("uint8"), np.arange(60) % 3, 3, True)
DENSE = dict(
    hidden=(4,), dropout=0.3, batch_normalization=True, normalize=True, l2=0.01, optimizer="adam", learning_rate=0.01,
    batch_size=16, epochs=3,
)  # fmt: skip
CONVOLVED = dict(
    filters=(2,), kernel_size=3, hidden=(4,), dropout=0.3, spatial_dropout=0.2, l2=0.01, optimizer="sgd",
    learning_rate=0.05, momentum=0.9, weight_decay=0.01, schedule="cosine", batch_size=16, epochs=2,
    augment=Augment(rotation=20, width_shift=0.1, brightness=0.2),
)  # fmt: skip
# All that may differ from one training to the next on one model, whatever its builder.
OTHER = dict(learning_rate=0.3, momentum=0.8, weight_decay=0.1, schedule="cosine", batch_size=7, epochs=4, patience=1)
# And what may differ as well because its builder makes of it a penalty on weights or dropout.
NUMBERS = {mlp: dict(l2=0.3, dropout=0.1), cnn: dict(l2=0.2, dropout=0.6, spatial_dropout=(0.5,))}
TRAIN, HELD = np.arange(40), np.arange(40, 60)


@pytest.fixture(autouse=True)
def _none_kept():
    reuse._kept.clear()
    yield
    reuse._kept.clear()


def trained(builder, settings, task, *, seed=0, train_indices=TRAIN, held=HELD, **options):
    options = dict(train_indices=train_indices, validation_indices=held, seed=seed, reuse=True, **options)
    return train(builder, settings, task, **options)


def told(one):
    """All that a training gave, bit by bit, but for its time."""
    state = [array.tobytes() for array in one.last or ()]
    return one.history, one.best_epoch, [array.tobytes() for array in one.model], state


CASES = {
    "dense, dropout and normalizations": (mlp, DENSE, LINES),
    "augmented images": (cnn, CONVOLVED, IMAGES),
    "images in bfloat16": (cnn, dict(CONVOLVED, batch_normalization=True, dtype_policy="mixed_bfloat16"), IMAGES),
}


@pytest.mark.parametrize("name", CASES)
def test_a_training_is_the_same_whatever_its_model_was_used_for_before(name):
    builder, settings, task = CASES[name]
    # Other items, too: what they are normalized by must not stay.
    changed = dict(settings, **OTHER, **NUMBERS[builder])
    other = dict(settings=changed, task=task, seed=1, train_indices=HELD, held=TRAIN)
    apart = told(trained(builder, **other))
    reuse._kept.clear()
    fresh = told(trained(builder, settings, task, keep_last=True))
    assert told(trained(builder, **other)) == apart
    assert len(reuse._kept) == 1, "the test wants one model for both"
    assert told(trained(builder, settings, task, keep_last=True)) == fresh
    assert told(trained(builder, settings, task, seed=1, keep_last=True)) != fresh


def test_a_training_comes_to_what_it_comes_to_without_reuse():
    settings = dict(DENSE, optimizer="rmsprop", momentum=0.5, weight_decay=0.1, schedule="cosine")
    trained(mlp, dict(settings, **OTHER), LINES)
    one = trained(mlp, settings, LINES)
    alone = train(mlp, settings, LINES, train_indices=TRAIN, validation_indices=HELD, seed=0)
    for name, values in alone.history.items():
        assert one.history[name] == pytest.approx(values, rel=1e-4), name
    assert one.best_epoch == alone.best_epoch
    for array, other in zip(one.model, alone.model.get_weights(), strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)


def test_a_model_with_the_weights_of_a_training_answers_as_the_model_that_was_trained():
    far = Task(100 + 5 * LINES.x, LINES.y, 1, False)  # what it is normalized by is no small matter
    one = trained(mlp, DENSE, far)
    alone = train(mlp, DENSE, far, train_indices=TRAIN, validation_indices=HELD, seed=0).model
    model = with_weights(build_model(mlp, DENSE, input_shape=(2,), outputs=1), one.model)
    np.testing.assert_allclose(model(far.x), alone(far.x), rtol=1e-4, atol=1e-5)


def test_the_chance_of_a_layer_depends_on_the_seed_and_on_its_name():
    model = build_model(cnn, CONVOLVED, input_shape=(6, 6), outputs=3)
    layers = [model.get_layer(name) for name in ("augmentation", "spatial_dropout_1", "dropout_1")]
    states = []
    for seed in (0, 1, 0):
        reuse.draw_chance(model, seed)
        states.append([tuple(np.array(layer.seed_generator.state)) for layer in layers])
    assert states[0] == states[2] and len({*states[0], *states[1]}) == 6


def test_a_layer_with_a_seed_of_its_own_keeps_it():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dropout(0.5, seed=7)(inputs))
    reuse.draw_chance(model, 3)
    assert np.array(model.layers[-1].seed_generator.state).tolist() == [7, 0]


def test_a_training_on_a_used_model_goes_on_where_an_earlier_one_stopped():
    settings = dict(CONVOLVED, batch_normalization=True, schedule="constant")
    whole = trained(cnn, settings, IMAGES, epochs=4, score_epoch="last")
    first = trained(cnn, settings, IMAGES, epochs=2, score_epoch="last", keep_last=True)
    trained(cnn, dict(settings, **OTHER), IMAGES, seed=1)
    rest = trained(cnn, settings, IMAGES, epochs=4, score_epoch="last", initial_epoch=2, start=first.last)
    assert [array.tobytes() for array in rest.model] == [array.tobytes() for array in whole.model]
    assert first.history["val_loss"] + rest.history["val_loss"] == whole.history["val_loss"]


# Tracing


TRACES = []


def counted(x):
    """relu, each of whose traces is counted."""
    TRACES.append(1)
    return keras.ops.relu(x)


def counting(*, input_shape, outputs, units=3):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Dense(units, activation=counted)(inputs)))


def traces(settings, **options):
    """How often a training on the lines traces its model."""
    before = len(TRACES)
    trained(counting, {"batch_size": 16, "epochs": 2, **settings}, LINES, **options)
    return len(TRACES) - before


def test_other_values_items_and_numbers_of_steps_are_not_traced_again():
    assert traces({}) > 0
    for name, value in OTHER.items():
        assert traces({name: value}, seed=1) == 0, name
    assert traces(OTHER) == 0
    assert traces({}, train_indices=np.arange(17), held=np.arange(17, 60)) == 0
    assert traces({"batch_size": 1}) == 0, "40 steps are more than one call of the compiled loop"
    assert traces({"batch_size": 1000}) == 0, "one step"


def graphs():
    """How many graphs each compiled function of the one model that is kept was traced into."""
    (model,) = reuse._kept.values()
    held = [cell.cell_contents for one in (model.train_function, model.test_function) for cell in one.__closure__]
    counts = [one.experimental_get_tracing_count() for one in held if hasattr(one, "experimental_get_tracing_count")]
    assert len(counts) == 2 and min(counts) > 0
    return counts


@pytest.mark.parametrize("name", CASES)
def test_other_penalties_and_dropout_rates_are_not_traced_again(name):
    builder, settings, task = CASES[name]
    trained(builder, settings, task)
    (model,), before = reuse._kept.values(), graphs()
    for number, value in NUMBERS[builder].items():
        trained(builder, {**settings, number: value}, task, seed=1)
        assert list(reuse._kept.values()) == [model] and graphs() == before, number


def test_another_structure_is_traced_and_the_first_is_still_there():
    changes = {}, dict(units=4), dict(optimizer="sgd")
    assert all(traces(change) > 0 for change in changes)
    assert all(traces(change) == 0 for change in changes)


def test_a_diverged_training_leaves_a_model_that_starts_anew():
    settings = dict(DENSE, optimizer="sgd", batch_normalization=False)
    fresh = told(trained(mlp, settings, LINES))
    with pytest.raises(Diverged):
        trained(mlp, dict(settings, learning_rate=1e38), LINES)
    assert len(reuse._kept) == 1
    assert told(trained(mlp, settings, LINES)) == fresh


# What is kept


class Noise(keras.layers.Layer):
    """Draws from a generator that no seed of ours reaches."""

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))

    def compute_output_shape(self, shape):
        return shape


class Counter(keras.layers.Layer):
    def build(self, shape):
        self.total = self.add_weight(shape=(), initializer="zeros", trainable=False, name="total")

    def call(self, x):
        return x


MINE = {
    "a layer of one's own": lambda x: Noise()(x),
    "a variable of one's own": lambda x: Counter()(x),
    "a lambda": lambda x: keras.layers.Lambda(lambda value: value + 1)(x),
    "a recurrent layer": lambda x: keras.layers.LSTM(2)(x[:, None]),
    "a model in the model": lambda x: build_model(mlp, dict(hidden=(3,)), input_shape=(2,), outputs=2)(x),
    "a layer in a layer": lambda x: keras.layers.TimeDistributed(Noise())(x[:, None])[:, 0],
    "layers in a layer": lambda x: keras.layers.MultiHeadAttention(1, 2)(x[:, None], x[:, None])[:, 0],
}


@pytest.mark.parametrize("name", MINE)
def test_a_model_is_not_kept_if_its_state_may_not_all_be_known(name):
    inputs = keras.Input((2,))
    reuse.keep(name, keras.Model(inputs, MINE[name](inputs)))
    assert reuse.take(name) is None


def noisy(*, input_shape, outputs):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(Noise()(inputs)))


def test_a_model_that_is_not_kept_is_built_anew_with_the_same_result():
    first, again = (told(trained(noisy, dict(batch_size=16, epochs=1), LINES)) for _ in range(2))
    assert first == again and not reuse._kept


def nameless(*, input_shape, outputs):
    kinds = keras.layers
    return keras.Sequential([
        keras.Input(input_shape), kinds.GaussianNoise(0.1), kinds.Dense(4), kinds.LayerNormalization(),
        kinds.BatchNormalization(), kinds.Dropout(0.2), kinds.Dense(outputs),
    ])  # fmt: skip


def test_a_chain_of_keras_layers_without_names_is_kept_and_starts_as_if_built_anew():
    settings = dict(batch_size=16, epochs=2)
    fresh = told(trained(nameless, settings, LINES))
    trained(nameless, settings, LINES, seed=1)
    assert len(reuse._kept) == 1 and told(trained(nameless, settings, LINES)) == fresh


def test_layers_without_names_are_called_the_same_whatever_was_built_before():
    names = [
        [layer.name for layer in build_model(counting, {}, input_shape=(2,), outputs=1).layers] for _ in range(2)
    ]
    assert names[0] == names[1]


def test_only_a_few_models_are_kept_and_those_used_last():
    model = build_model(mlp, dict(hidden=(2,)), input_shape=(1,), outputs=1)
    for number in range(reuse.MODELS):
        reuse.keep(number, model)
    reuse.keep(0, reuse.take(0))
    reuse.keep("more", model)
    assert reuse.take(1) is None
    assert all(reuse.take(key) is model for key in (0, "more", 2, 3))


def test_models_are_let_go_when_their_parameters_are_too_many(monkeypatch):
    model = build_model(mlp, dict(hidden=(2,)), input_shape=(1,), outputs=1)
    monkeypatch.setattr(reuse, "PARAMETERS", 2 * model.count_params())
    for number in range(3):
        reuse.keep(number, model)
    assert reuse.take(0) is None and reuse.take(1) is reuse.take(2) is model
    monkeypatch.setattr(reuse, "PARAMETERS", model.count_params() - 1)
    reuse.keep("large", model)
    assert reuse.take("large") is None


def key(builder=mlp, task=LINES, **settings):
    own = {name: settings[name] for name in builder_keywords(builder) if name in settings}
    model = build_model(builder, own, input_shape=task.x.shape[1:], outputs=task.outputs)
    return reuse.structure(builder, {**TRAINING, **settings}, task, model)


@pytest.mark.parametrize("one, other", [
    (dict(hidden=(4,)), dict(hidden=(4, 4))),
    (dict(activation="relu"), dict(activation="tanh")),
    (dict(l2=0), dict(l2=0.2)),
    (dict(dropout=0), dict(dropout=0.2)),
    (dict(dropout=(0.2, 0.0)), dict(dropout=(0.0, 0.2))),
    (dict(dropout=0.2), dict(dropout=1.0)),
    (dict(optimizer="adam"), dict(optimizer="adamw")),
    (dict(dtype_policy=None), dict(dtype_policy="mixed_bfloat16")),
    (dict(kernel_initializer=dict(class_name="RandomNormal", config=dict(stddev=1.0))),
     dict(kernel_initializer=dict(class_name="RandomNormal", config=dict(stddev=2.0)))),
    (dict(builder=cnn, task=IMAGES, filters=(2,), kernel_size=3, augment=None),
     dict(builder=cnn, task=IMAGES, filters=(2,), kernel_size=3, augment=Augment(rotation=1))),
])  # fmt: skip
def test_what_a_model_is_built_from_tells_structures_apart(one, other):
    assert key(**one) == key(**one) != key(**other)
    assert len({key(**one), key(**one), key(**other)}) == 2


@pytest.mark.parametrize("one, other", [
    (dict(l2=0.1), dict(l2=0.2)),
    (dict(dropout=0.1), dict(dropout=0.2)),
    (dict(dropout=0.1), dict(dropout=(0.2, 0.3))),
    (dict(learning_rate=0.1), dict(learning_rate=0.2, batch_size=7, epochs=3, momentum=0.5)),
])  # fmt: skip
def test_numbers_that_a_compiled_model_can_be_told_are_no_structure(one, other):
    assert key(**one) == key(**other)


def bent(*, input_shape, outputs, slope=0.5, penalty=0.1):
    """Holds a number where no config has it."""
    inputs = keras.Input(input_shape)
    layer = keras.layers.Dense(
        outputs, activation=lambda x: slope * x, kernel_regularizer=keras.regularizers.L2(penalty)
    )
    return keras.Model(inputs, layer(inputs))


def scaled(*, input_shape, outputs, factor=0.5):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(inputs * factor))


def active(*, input_shape, outputs, penalty=0.5):
    """A penalty on outputs, which is no number of ours."""
    inputs = keras.Input(input_shape)
    return keras.Model(
        inputs, keras.layers.Dense(outputs, activity_regularizer=keras.regularizers.L2(penalty))(inputs)
    )


@pytest.mark.parametrize("builder, setting", [
    (bent, "slope"), pytest.param(scaled, "factor", marks=pytest.mark.slow),
    pytest.param(active, "penalty", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_number_of_ones_own_is_structure(builder, setting):
    assert key(builder) == key(builder) != key(builder, **{setting: 0.7})
    settings = dict(batch_size=16, epochs=2)
    fresh = told(trained(builder, {**settings, setting: 0.7}, LINES))
    reuse._kept.clear()
    assert told(trained(builder, settings, LINES)) != fresh
    assert told(trained(builder, {**settings, setting: 0.7}, LINES)) == fresh


def test_a_model_with_a_function_of_ones_own_has_all_its_settings_as_structure():
    assert key(bent, penalty=0.1) == key(bent, penalty=0.1) != key(bent, penalty=0.2)


# Memory


def resident():
    """Megabytes of memory this process has now."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_trainings():
    """A training that compiles anew takes 2 MB and more, for ever."""
    settings = dict(hidden=(8,), batch_size=20, epochs=1)

    def some(number):
        for seed in range(number):
            numbers = dict(learning_rate=0.01 / (seed + 1), weight_decay=0.001 * seed, l2=0.01 / (seed + 1))
            trained(mlp, dict(settings, **numbers, dropout=0.5 / (seed + 1)), LINES, seed=seed)
        gc.collect()
        return resident()

    before = some(10)
    assert some(40) - before < 40 * 0.3


# What a builder sets itself


def with_lstm(*, input_shape, outputs):
    inputs = keras.Input(input_shape)
    x = keras.layers.LSTM(3, name="lstm")(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="output")(x))


def with_pretrained(*, input_shape, outputs):
    inputs = keras.Input(input_shape)
    frozen, tuned = keras.layers.Dense(2, name="frozen"), keras.layers.Dense(2, name="tuned")
    x = tuned(frozen(inputs))
    frozen.set_weights([np.eye(input_shape[0], 2), np.zeros(2)])
    tuned.set_weights([np.full((2, 2), 0.5), np.ones(2)])
    frozen.trainable = False
    return keras.Model(inputs, keras.layers.Dense(outputs, name="output")(x))


def started(builder, seed, shape=(4,)):
    """{layer: its weights} as a training of that seed begins."""
    model = draw_weights(build_model(builder, {}, input_shape=shape, outputs=1), seed)
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def test_weights_that_a_builder_gave_values_of_its_own_start_with_these():
    one, other = started(with_pretrained, 1), started(with_pretrained, 2)
    for found in (one, other):
        assert found["frozen"][0].tolist() == np.eye(4, 2).tolist()
        assert found["tuned"][0].tolist() == [[0.5, 0.5]] * 2 and found["tuned"][1].tolist() == [1, 1]
    assert not np.array_equal(one["output"][0], other["output"][0])


def test_the_forget_gate_of_an_lstm_starts_open_and_its_recurrent_weights_by_the_seed():
    (kernel, recurrent, bias), (_, other, _) = (started(with_lstm, seed, (5, 2))["lstm"] for seed in (1, 2))
    assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert not np.array_equal(recurrent, other)


@pytest.mark.parametrize("layer", [keras.layers.DepthwiseConv2D(2), keras.layers.SeparableConv2D(3, 2)])
def test_kernels_of_every_kind_of_convolution_are_drawn_by_the_seed(layer):
    model = keras.Sequential([keras.Input((5, 5, 2)), layer])
    one, again, other = ([*map(np.copy, draw_weights(model, seed).get_weights())] for seed in (1, 1, 2))
    for first, second, third in zip(one, again, other):
        assert np.array_equal(first, second)
        assert first.ndim == 1 or not np.array_equal(first, third)  # a bias is 0
