"""Batch normalisation in bfloat16 by one operation: what it gives, and where Keras's own is left to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerashw.fused import fused
from kerashw.models import cnn
from kerashw.training import Task, train

IMAGES = Task(np.random.default_rng(3).integers(0, 256, (40, 8, 8)).astype("uint8"), np.arange(40) % 3, 3, True)
MAPS = np.random.default_rng(4).normal(2, 3, (24, 5, 5, 6)).astype("float32")
# Of what a sum weighs its maps by: not independent of them, or no gradient would go through their statistics.
WEIGHT = MAPS**2 / 10 - MAPS + np.random.default_rng(5).normal(size=MAPS.shape).astype("float32")


def model_of(*between, shape=(5, 5, 6), dtype="bfloat16"):
    inputs = x = keras.Input(shape, dtype=dtype)
    for layer in between:
        x = layer(x)
    return keras.Model(inputs, x)


def normalization(**options):
    return layers.BatchNormalization(**{"name": "one", "dtype": "mixed_bfloat16", "momentum": 0.75, **options})


def operations(model, x, **call):
    """The kinds of operations of its graph."""
    graph = tf.function(lambda x: model(x, **call)).get_concrete_function(tf.TensorSpec(x.shape, model.inputs[0].dtype)).graph
    return {operation.type for operation in graph.get_operations()}


def is_fused(model, x=MAPS, training=True):
    return "FusedBatchNormV3" in operations(model, x, training=training)


def stepped(model):
    """Its output for MAPS in training, the gradients of a sum of it, and the weights after it."""
    x = tf.cast(MAPS, "bfloat16")
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = model(x, training=True)
        value = tf.reduce_sum(tf.cast(out, "float32") * WEIGHT)
    gradients = tape.gradient(value, [x, *(one.value for one in model.trainable_variables)])
    arrays = [np.asarray(tf.cast(one, "float32")) for one in (out, *gradients)]
    return [*arrays, *model.get_weights()]


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"axis": 3}, {"epsilon": 9.0}], ids=str)
def test_it_gives_what_keras_gives_but_for_rounding(options):
    ours, keras_own = fused(model_of(normalization(**options))), model_of(normalization(**options))
    assert is_fused(ours) and not is_fused(keras_own)
    for model in (ours, keras_own):
        model.set_weights([np.linspace(0.5, 2, 6) for _ in model.weights])
    for found, expected in zip(stepped(ours), stepped(keras_own), strict=True):
        assert found == pytest.approx(expected, rel=2e-2, abs=2e-2 * float(np.abs(expected).max()))


def test_the_moving_statistics_are_those_of_the_items():
    model = fused(model_of(normalization(momentum=0.0)))
    model(tf.cast(MAPS, "bfloat16"), training=True)
    layer, seen = model.get_layer("one"), np.asarray(tf.cast(tf.cast(MAPS, "bfloat16"), "float32")).reshape(-1, 6)
    assert np.asarray(layer.moving_mean) == pytest.approx(seen.mean(axis=0), rel=1e-4)
    assert np.asarray(layer.moving_variance) == pytest.approx(seen.var(axis=0), rel=1e-4)


def test_a_single_item_of_one_pixel_has_no_variance():
    model = fused(model_of(normalization(momentum=0.0), shape=(1, 1, 6)))
    model(tf.ones((1, 1, 1, 6), "bfloat16"), training=True)
    assert np.asarray(model.get_layer("one").moving_variance).tolist() == [0.0] * 6


def test_outside_of_training_it_is_keras_own():
    model, own = fused(model_of(normalization())), model_of(normalization())
    assert not is_fused(model, training=False)
    assert np.array_equal(*(np.asarray(one(tf.cast(MAPS, "bfloat16"), training=False)) for one in (model, own)))


LEFT = {
    "of float32": (normalization(dtype="float32"),),
    "of float32 on maps in bfloat16": (normalization(dtype="float32", autocast=False),),
    "whose weights are in bfloat16 as well": (normalization(dtype="bfloat16"),),
    "over another axis": (normalization(axis=1),),
    "with renormalisation": (normalization(renorm=True),),
    "synchronised over devices": (normalization(synchronized=True),),
    "frozen": (normalization(trainable=False),),
    "that takes items in float32 as they are": (layers.Conv2D(6, 1, dtype="float32"), normalization(autocast=False)),
    "of vectors": (layers.GlobalAveragePooling2D(dtype="mixed_bfloat16"), normalization()),
    "a class of one's own": (type("Mine", (layers.BatchNormalization,), {})(name="one", dtype="mixed_bfloat16"),),
}


@pytest.mark.parametrize("name", LEFT)
def test_where_the_operation_does_something_else_keras_own_is_left(name):
    assert not is_fused(fused(model_of(*LEFT[name])))


def test_items_that_are_masked_are_left_to_keras():
    layer = fused(model_of(normalization())).get_layer("one")
    x, mask = tf.cast(MAPS, "bfloat16"), np.ones(MAPS.shape[:3], bool)
    mask[:12] = False
    layer(x, training=True, mask=tf.constant(mask))
    seen = np.asarray(tf.cast(x, "float32"))[12:].reshape(-1, 6)
    assert np.asarray(layer.moving_mean) == pytest.approx(0.25 * seen.mean(axis=0), rel=1e-2)


def test_those_of_a_model_within_a_model_are_found():
    assert is_fused(fused(model_of(model_of(normalization()))))


def test_file_and_copy_of_the_model_are_of_keras_own_layers(tmp_path):
    model = fused(model_of(normalization()))
    model.save(tmp_path / "model.keras")
    for other in (keras.models.clone_model(model), keras.models.load_model(tmp_path / "model.keras")):
        assert type(other.get_layer("one")) is layers.BatchNormalization
        assert not is_fused(other)


def test_maps_whose_channels_are_unknown_in_the_graph_are_no_hindrance():
    class Masking(layers.Layer):
        def call(self, inputs):
            return tf.boolean_mask(inputs, tf.reduce_sum(inputs, axis=(0, 1, 2)) < np.inf, axis=3)

        def compute_output_shape(self, input_shape):
            return input_shape

    assert is_fused(fused(model_of(Masking(dtype="bfloat16"), normalization())))


def test_what_a_builder_has_put_in_the_place_of_call_stays():
    layer = normalization()
    model = model_of(layer)
    layer.call = lambda inputs, training=None, mask=None: inputs
    assert not is_fused(fused(model))


@pytest.mark.parametrize("reuse", [False, True])
def test_a_training_in_bfloat16_goes_by_it_and_the_model_that_comes_out_does_not(reuse):
    settings = dict(filters=(4, 8), kernel_size=3, padding="same", hidden=(6,), batch_normalization=True, dropout=0.2,
                    epochs=2, dtype_policy="mixed_bfloat16")  # fmt: skip
    x, trained = IMAGES.x[:8], []

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            trained.append(is_fused(self.model, x))

    options = dict(train_indices=np.arange(20), seed=0, callbacks=[Look()])
    done = train(cnn, settings, IMAGES, reuse=reuse, **options)
    assert trained == [True]
    assert reuse or not is_fused(done.model, x)  # of a model that is used again the weights alone come out
