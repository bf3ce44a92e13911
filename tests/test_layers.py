"""What the augmentation does to images, when it does nothing, and what it survives."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerashw.augment import FILL_MODES, Augment
from kerashw.errors import UsageError
from kerashw.layers import Augmentation, affine_matrices, augment_layer

EVERYTHING = Augment(
    rotation=180,
    width_shift=0.5,
    height_shift=0.5,
    zoom=0.5,
    shear=30,
    horizontal_flip=True,
    vertical_flip=True,
    brightness=1,
    fill_value=9,
)


def pictures(n=10, height=8, width=8, channels=(1,), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, *channels)).astype("uint8")


def array(tensor):
    return tensor.numpy() if tf.is_tensor(tensor) else np.asarray(tensor)


def moved(images, fill_mode="constant", fill_value=0, **parameters):
    """The grey images (n, height, width) under the given parameters, not drawn ones."""
    _, height, width = images.shape
    matrices = affine_matrices(height, width, **parameters)
    images = images[..., None].astype("float32")
    options = dict(fill_mode=fill_mode, fill_value=fill_value, data_format="channels_last")
    return array(keras.ops.image.affine_transform(images, matrices, **options))[..., 0]


# The declaration


WRONG = [
    (dict(rotation=181), "Augment: rotation must be from 0 to 180 (degrees), got 181."),
    (dict(rotation=-1), "Augment: rotation must be from 0 to 180 (degrees), got -1."),
    (dict(rotation=True), "Augment: rotation must be from 0 to 180 (degrees), got True."),
    (dict(rotation=(10, 20)), "Augment: rotation must be from 0 to 180 (degrees), got (10, 20)."),
    (dict(width_shift=2), "Augment: width_shift must be from 0 to 1 (a fraction of the width), got 2."),
    (dict(height_shift="a"), "Augment: height_shift must be from 0 to 1 (a fraction of the height), got 'a"),
    (dict(zoom=1), "Augment: zoom must be from 0 to below 1 (a fraction), got 1."),
    (dict(shear=90), "Augment: shear must be from 0 to below 90 (degrees), got 90."),
    (dict(brightness=1.5), "Augment: brightness must be from 0 to 1 (a fraction), got 1.5."),
    (dict(brightness=float("nan")), "Augment: brightness must be from 0 to 1 (a fraction), got nan."),
    (dict(fill_value=256), "Augment: fill_value must be from 0 to 255 (in units of a pixel"),
    (dict(horizontal_flip=1), "Augment: horizontal_flip must be True or False, got 1."),
    (dict(fill_mode="edge"), "Augment: fill_mode must be one of constant, nearest, reflect, wrap, got 'edge"),
    (dict(shift=0.1), "Augment has no knob 'shift'; it has rotation, width_shift, height_shift, zoom, shear"),
]


@pytest.mark.parametrize("maker", [Augment, Augmentation])
@pytest.mark.parametrize("knobs, message", WRONG, ids=[message[9:25] for _, message in WRONG])
def test_a_wrong_knob_is_refused_by_name_with_the_rule(maker, knobs, message):
    with pytest.raises(UsageError) as refused:
        maker(**knobs)
    assert message in str(refused.value)


def test_the_settings_survive_json():
    assert Augment(**json.loads(json.dumps(EVERYTHING.settings()))) == EVERYTHING


def test_the_declaration_loads_without_keras_tensorflow_or_numpy():
    program = "import sys, kerashw.augment; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


# The geometry: given parameters, exact results


@pytest.mark.parametrize("shape", [(7, 7), (8, 8)])
@pytest.mark.parametrize("quarters", [-1, 1, 2])
def test_a_rotation_by_right_angles_is_rot90(shape, quarters):
    images = pictures(3, *shape, channels=())
    turned = moved(images, rotation=[90.0 * quarters] * 3)
    np.testing.assert_allclose(turned, np.rot90(images, quarters, axes=(1, 2)), atol=0.01)


PADS = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("right, down", [(3, 0), (-2, 0), (0, 4), (0, -1), (2, -3)])
def test_a_shift_by_whole_pixels_is_a_roll_with_the_fill(fill_mode, right, down):
    images = pictures(2, 10, 8, channels=())
    options = {"constant_values": 77} if fill_mode == "constant" else {}
    padded = np.pad(images, ((0, 0), (5, 5), (5, 5)), mode=PADS[fill_mode], **options)
    expected = np.roll(padded, (down, right), axis=(1, 2))[:, 5:-5, 5:-5]
    shifts = dict(width_shift=[right / 8] * 2, height_shift=[down / 10] * 2)
    np.testing.assert_allclose(moved(images, fill_mode, 77, **shifts), expected, atol=0.01)


@pytest.mark.parametrize("knob, axis", [("horizontal_flip", 2), ("vertical_flip", 1)])
def test_a_flip_is_a_flip_of_the_images_that_were_drawn(knob, axis):
    images = pictures(2, 6, 9, channels=())
    flipped = moved(images, **{knob: [True, False]})
    np.testing.assert_allclose(flipped[0], np.flip(images, axis)[0], atol=0.01)
    np.testing.assert_allclose(flipped[1], images[1], atol=0.01)


def test_a_positive_shear_leans_the_image_like_italic_type():
    upright = np.zeros((1, 9, 9))
    upright[:, :, 4] = 255
    np.testing.assert_allclose(moved(upright, shear=45), np.fliplr(np.eye(9))[None] * 255, atol=0.01)


def test_a_zoom_above_1_enlarges():
    image = np.zeros((1, 20, 20))
    image[:, 8:12, 8:12] = 255
    assert moved(image, zoom=2).sum() == pytest.approx(4 * image.sum(), rel=0.01)
    assert moved(image, zoom=0.5).sum() == pytest.approx(image.sum() / 4, rel=0.01)


@pytest.mark.parametrize("height, width", [(9, 9), (5, 11)])
@pytest.mark.parametrize(
    "parameters", [dict(rotation=37), dict(zoom=1.7), dict(shear=20), dict(horizontal_flip=True)], ids=str
)
def test_the_centre_of_the_image_stays_where_it_is(height, width, parameters):
    image = np.zeros((1, height, width))
    image[:, height // 2, width // 2] = 255
    assert moved(image, **parameters)[0, height // 2, width // 2] == pytest.approx(255, abs=0.01)


def test_the_shift_comes_after_the_rotation_and_the_flip_before_it():
    images = pictures(1, 8, 8, channels=())
    result = moved(images, rotation=90, width_shift=2 / 8, horizontal_flip=True)
    expected = np.roll(np.rot90(np.flip(images[0], 1)), 2, axis=1)
    np.testing.assert_allclose(result[0, :, 2:], expected[:, 2:], atol=0.01)
    np.testing.assert_allclose(result[0, :, :2], 0, atol=0.01)


def test_parameters_may_be_one_per_image_or_one_for_all():
    mixed = array(affine_matrices(6, 7, rotation=[10, 20], zoom=0.5, vertical_flip=[True, False]))
    single = array(affine_matrices(6, 7, rotation=20, zoom=0.5))
    assert mixed.shape == (2, 8) and single.shape == (1, 8)
    np.testing.assert_allclose(mixed[1], single[0], atol=1e-6)


# The draws


def blobs(n):
    """A soft spot 4 pixels right of and 4 above the centre (10, 10), n times."""
    row, column = np.mgrid[:21, :21]
    spot = 200 * np.exp(-((column - 14) ** 2 + (row - 6) ** 2) / 2)
    return np.repeat(spot[None], n, axis=0).astype("float32")


def offsets(images):
    """How far right of and above the centre the spots stand, in pixels."""
    row, column = np.mgrid[:21, :21]
    mass = images.sum((1, 2))
    return (images * (column - 10)).sum((1, 2)) / mass, (images * (10 - row)).sum((1, 2)) / mass


# knob: (largest value, what was drawn as seen in the images, the middle of the range)
SEEN = {
    "rotation": (40, lambda images: np.degrees(np.arctan2(*offsets(images)[::-1])) - 45, 0),
    "width_shift": (0.2, lambda images: (offsets(images)[0] - 4) / 21, 0),
    "height_shift": (0.2, lambda images: (4 - offsets(images)[1]) / 21, 0),
    "zoom": (0.4, lambda images: np.hypot(*offsets(images)) / np.hypot(4, 4), 1),
    "shear": (30, lambda images: np.degrees(np.arctan((offsets(images)[0] - 4) / 4)), 0),
    "brightness": (0.2, lambda images: images.sum((1, 2)) / blobs(1).sum(), 1),
}


@pytest.mark.parametrize("knob", SEEN)
def test_the_draws_of_a_knob_cover_its_range_evenly_and_no_more(knob):
    most, seen, middle = SEEN[knob]
    drawn = seen(array(Augmentation(**{knob: most}, seed=1)(blobs(600), training=True))) - middle
    assert -1.03 * most < drawn.min() < -0.95 * most
    assert 0.95 * most < drawn.max() < 1.03 * most
    # A uniform draw from [-most, most] has quartiles at half of it; 600 draws leave a deviation of 4 %.
    np.testing.assert_allclose(np.quantile(drawn, [0.25, 0.5, 0.75]) / most, [-0.5, 0, 0.5], atol=0.12)


def test_the_two_flips_are_each_drawn_by_even_chance_and_apart():
    layer = Augmentation(horizontal_flip=True, vertical_flip=True, seed=1)
    right, above = offsets(array(layer(blobs(400), training=True)))
    corners, counts = np.unique((right > 0) * 2 + (above > 0), return_counts=True)
    assert len(corners) == 4
    assert counts.min() > 65 and counts.max() < 135  # 100 expected in each, with a deviation of 9


def test_no_two_images_and_no_two_calls_are_drawn_alike():
    layer = Augmentation(rotation=40, seed=1)
    angles = np.concatenate([SEEN["rotation"][1](array(layer(blobs(20), training=True))) for _ in range(3)])
    assert len(np.unique(angles.round(4))) == 60


def test_all_channels_of_an_image_move_alike():
    images = np.repeat(pictures(4), 3, axis=-1)
    result = array(augment_layer(EVERYTHING, seed=1)(images, training=True))
    np.testing.assert_array_equal(result[..., :1].repeat(3, axis=-1), result)


def test_images_without_a_channel_axis_are_treated_like_grey_ones():
    images = pictures(4)
    grey = array(augment_layer(EVERYTHING, seed=1)(images, training=True))
    plain = array(augment_layer(EVERYTHING, seed=1)(images[..., 0], training=True))
    np.testing.assert_array_equal(plain, grey[..., 0])


def test_uint8_and_float_images_are_treated_alike():
    images = pictures(4)
    whole = array(augment_layer(EVERYTHING, seed=1)(images, training=True))
    real = array(augment_layer(EVERYTHING, seed=1)(images.astype("float32"), training=True))
    np.testing.assert_array_equal(whole, real)


def test_the_draws_of_a_knob_do_not_depend_on_the_others():
    turned = array(Augmentation(rotation=40, seed=1)(blobs(5), training=True))
    both = array(Augmentation(rotation=40, brightness=0.2, seed=1)(blobs(5), training=True))
    factor = both.sum((1, 2), keepdims=True) / turned.sum((1, 2), keepdims=True)
    assert np.ptp(factor) > 0.01
    np.testing.assert_allclose(both, turned * factor, atol=0.01)


def test_the_pixels_stay_between_0_and_255():
    result = array(augment_layer(EVERYTHING, seed=1)(pictures(200), training=True))
    assert result.min() >= 0 and result.max() <= 255
    assert (result == 255).any()  # brightness did reach the end


def test_the_fill_covers_as_much_as_the_shifts_uncover():
    black = np.zeros((800, 10, 10), "uint8")
    result = array(Augmentation(width_shift=0.4, fill_value=100, seed=1)(black, training=True))
    # A shift drawn evenly up to 0.4 of the width uncovers 0.2 of it on average, with a deviation of 0.004.
    assert result.mean() / 100 == pytest.approx(0.2, abs=0.015)
    assert result.min() == 0 and result.max() == 100
    assert result[:, :, 0].mean() == pytest.approx(result[:, :, -1].mean(), rel=0.15)


@pytest.mark.parametrize("fill_mode", [mode for mode in FILL_MODES if mode != "constant"])
def test_the_other_fills_bring_no_colour_of_their_own(fill_mode):
    white = np.full((50, 10, 10), 255, "uint8")
    knobs = dict(rotation=180, width_shift=1, zoom=0.9, shear=40, fill_value=7)
    layer = Augmentation(**knobs, fill_mode=fill_mode, seed=1)
    np.testing.assert_allclose(array(layer(white, training=True)), 255, atol=0.01)


# The seed


def test_the_same_seed_gives_the_same_draws_and_another_others():
    def draw(seed):
        layer = augment_layer(EVERYTHING, seed=seed)
        return [array(layer(pictures(), training=True)) for _ in range(2)]

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))


def test_without_a_seed_the_seed_of_keras_decides():
    def draw(seed):
        keras.utils.set_random_seed(seed)
        return array(augment_layer(EVERYTHING)(pictures(), training=True))

    np.testing.assert_array_equal(draw(3), draw(3))
    assert not np.array_equal(draw(3), draw(4))


# In a model


def small_model(augment=EVERYTHING, dtype=None, **compilation):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = Augmentation(**augment.settings(), dtype=dtype, name="augmentation")(inputs)
    x = keras.layers.Rescaling(1 / 255, dtype=dtype)(x)
    x = keras.layers.Flatten(dtype=dtype)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", dtype="float32", name="output")(x))
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", **compilation)
    return model


def fit(model, epochs=1):
    """Ten images in batches of 4, so that the last batch is a smaller one."""
    options = dict(batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model.fit(pictures(), np.arange(10) % 3, **options).history["loss"]


@pytest.fixture(scope="module")
def trained():
    model = small_model()
    fit(model)
    return model


def plainly(model, images):
    """What the model's Dense layer makes of the images with nothing done to them."""
    kernel, bias = (array(variable.value) for variable in model.get_layer("output").variables)
    scores = np.exp(images.reshape(len(images), -1) / 255 @ kernel + bias)
    return scores / scores.sum(1, keepdims=True)


def serve_folder(folder):
    loaded = tf.saved_model.load(folder)  # its functions die with it, so the answer keeps it
    return lambda images: loaded.serve(images)


def serve_exported(model, folder):
    model.export(folder, verbose=False)
    return serve_folder(folder)


def serve_archive(endpoint):
    def serve(model, folder):
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", endpoint(model), [tf.TensorSpec((None, 8, 8, 1), "uint8")])
        archive.write_out(folder, verbose=False)
        return serve_folder(folder)

    return serve


def serve_litert(model, folder):
    path = f"{folder}.tflite"
    model.export(path, format="litert", verbose=False)
    interpreter = tf.lite.Interpreter(model_path=path)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()

    def serve(images):
        interpreter.resize_tensor_input(entry["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(exit_["index"])

    return serve


def serve_saved(model, folder):
    model.save(f"{folder}.keras")
    return keras.models.load_model(f"{folder}.keras")


def serve_extracted(model, folder):
    extractor = keras.Model(model.inputs, model.get_layer("augmentation").output)
    return lambda images: plainly(model, array(extractor([images])))


WAYS = {
    "called": lambda model, folder: model,
    "called with training=False": lambda model, folder: lambda images: model(images, training=False),
    "called in a tf.function": lambda model, folder: tf.function(lambda images: model(images)),
    "predicted": lambda model, folder: lambda images: model.predict(images, batch_size=4, verbose=0),
    "predicted on a batch": lambda model, folder: model.predict_on_batch,
    "called without state": lambda model, folder: lambda images: model.stateless_call(
        model.trainable_variables, model.non_trainable_variables, images
    )[0],
    "a feature extractor": serve_extracted,
    "a Sequential of its layers": lambda model, folder: keras.Sequential(model.layers),
    "saved and loaded": serve_saved,
    "exported": serve_exported,
    "an archive of the model": serve_archive(lambda model: model),
    "an archive of model.call": serve_archive(lambda model: model.call),
    "exported as LiteRT": serve_litert,
}


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("way", WAYS)
def test_right_after_fit_the_layer_is_inert_when(way, trained, tmp_path):
    fit(trained)
    serve = WAYS[way](trained, str(tmp_path / "model"))
    for n in (10, 1):
        images = pictures(n, seed=n)
        np.testing.assert_allclose(array(serve(images)), plainly(trained, images), atol=1e-5)


def brightness_meter():
    """A model whose loss, where all pixels are 100, is by how many per cent the brightness strays from 1."""
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = Augmentation(brightness=0.5, seed=1)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(x))
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_absolute_error")
    return model


def test_fit_augments_anew_each_epoch_and_evaluate_does_not():
    model = brightness_meter()
    images, targets = np.full((40, 8, 8, 1), 100, "uint8"), np.full((40, 1), 100.0)
    options = dict(validation_data=(images, targets), batch_size=16, epochs=3, verbose=0)
    history = model.fit(images, targets, **options).history
    assert all(15 < loss < 35 for loss in history["loss"])  # 25 expected: half of the farthest, 50
    assert len(set(history["loss"])) == 3
    assert history["val_loss"] == [0, 0, 0]
    assert model.evaluate(images, targets, verbose=0) == 0
    assert model.train_on_batch(images, targets) > 15


def test_the_same_seed_of_keras_gives_the_same_training():
    assert fit(small_model(), epochs=2) == fit(small_model(), epochs=2)


def test_with_all_knobs_zero_the_images_are_only_cast():
    images = pictures()
    result = Augmentation()(images, training=True)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_array_equal(array(result), images)


def test_the_layer_keeps_the_shape_and_gives_its_compute_dtype():
    layer = Augmentation(rotation=20, dtype="mixed_bfloat16")
    for shape in ((None, 28, 28, 1), (None, 28, 28), (None, None, None, 3), (5, 4, 6, 2)):
        output = layer(keras.KerasTensor(shape, dtype="uint8"))
        assert (output.shape, output.dtype) == (shape, "bfloat16")
        assert layer.compute_output_shape(shape) == shape


@pytest.mark.parametrize("shape", [(28, 28), (2, 3, 28, 28, 1)])
def test_images_of_another_rank_are_refused_with_the_shape(shape):
    with pytest.raises(UsageError, match=r"got images of shape \(.*28.*expected \(n, height, width\)"):
        Augmentation(rotation=20)(np.zeros(shape, "uint8"))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_any_number_of_images_will_do_where_the_model_leaves_the_shape_open(n):
    layer = augment_layer(EVERYTHING, seed=1)
    signature = [tf.TensorSpec((None, None, None, 1), "uint8")]
    open_shape = tf.function(lambda images: layer(images, training=True), input_signature=signature)
    eager = augment_layer(EVERYTHING, seed=1)(pictures(n, 7, 9), training=True)
    assert eager.shape == (n, 7, 9, 1)
    np.testing.assert_allclose(array(open_shape(pictures(n, 7, 9))), array(eager), atol=0.01)


def test_the_configuration_makes_the_same_layer_again():
    layer = Augmentation(**EVERYTHING.settings(), seed=4, name="vary", dtype="mixed_bfloat16")
    again = Augmentation.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()
    assert (again.augment, again.seed, again.name, again.compute_dtype) == (EVERYTHING, 4, "vary", "bfloat16")
    drawn, redrawn = (array(each(pictures(), training=True)) for each in (layer, again))
    np.testing.assert_array_equal(drawn, redrawn)


def test_a_saved_model_comes_back_whole_in_safe_mode_and_trains_on(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    layer = loaded.get_layer("augmentation")
    assert keras.saving.get_registered_name(type(layer)) == "kerashw>Augmentation"
    assert type(layer) is Augmentation and layer.augment == EVERYTHING
    assert np.isfinite(fit(loaded)).all()


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions_differ_only_by_the_rounding_of_the_result(dtype):
    layer = Augmentation(**EVERYTHING.settings(), seed=1, dtype=dtype)
    fractions = (pictures(50) / 1.1).astype("float32")
    single = augment_layer(EVERYTHING, seed=1)(fractions, training=True)
    other = layer(fractions, training=True)
    assert keras.backend.standardize_dtype(other.dtype) == layer.compute_dtype
    np.testing.assert_array_equal(array(other), array(tf.cast(single, layer.compute_dtype)))
    np.testing.assert_array_equal(array(layer(pictures())).astype("uint8"), pictures())


def test_a_model_in_mixed_precision_trains():
    assert np.isfinite(fit(small_model(dtype="mixed_bfloat16"))).all()


def test_keras_is_told_that_xla_cannot_compile_the_layer():
    assert small_model(jit_compile="auto").jit_compile is False
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model = small_model(jit_compile=True)
    assert np.isfinite(fit(model)).all()


def test_xla_compiles_the_inert_layer():
    images = pictures()
    inert = tf.function(augment_layer(EVERYTHING), jit_compile=True)
    np.testing.assert_array_equal(array(inert(images)), images)


def test_the_layer_works_inside_a_tf_data_map():
    layer = augment_layer(EVERYTHING, seed=1)
    images = tf.data.Dataset.from_tensor_slices(pictures()).batch(4)
    varied = images.map(lambda batch: layer(batch, training=True))
    first, second = (np.concatenate([array(batch) for batch in varied]) for _ in range(2))
    assert first.shape == (10, 8, 8, 1) and first.dtype == "float32"
    assert all(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    np.testing.assert_array_equal(np.concatenate([array(batch) for batch in images.map(layer)]), pictures())
