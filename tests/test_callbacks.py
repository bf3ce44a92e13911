"""The callbacks: what they leave in a folder and in TensorBoard, when, of which models, and what they refuse."""

import copy
import io
import json
import warnings

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from kerashw import probes
from kerashw.callbacks import (
    ExportActivations,
    ExportConfusion,
    ExportFeatureMaps,
    ExportFilters,
    ExportPredictions,
    ExportWeights,
)
from kerashw.callbacks.moments import Cadence, is_larger_better
from kerashw.callbacks.tiles import GAP, GREY, as_pictures, matrix, spread, tiled
from kerashw.drawing import redraw
from kerashw.errors import UsageError

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype="uint8")
LABELS = np.arange(12) % 3


def classifier(*, run_eagerly=True):
    """A small compiled model of images, with one convolution, one pooling and one hidden dense layer.

    So few steps are faster without the graph that Keras makes of them.
    """
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(2, 3, activation="relu", name="conv_1")(x)
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(name="pool_1")(x))
    x = layers.Dropout(0.5)(layers.Dense(4, activation="relu", name="dense_1")(x))
    model = keras.Model(inputs, layers.Dense(3, name="output")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


def compiled(model, loss="mse"):
    """The model, ready for a few steps."""
    model.compile("sgd", loss, run_eagerly=True)
    return model


def fit(model, *callbacks, x=IMAGES, y=LABELS, epochs=2, **options):
    return model.fit(x, y, epochs=epochs, verbose=0, batch_size=6, callbacks=list(callbacks), **options)


# name: (kind, arguments for the classifier, names of the pictures at one moment)
KINDS = {
    "weights": (ExportWeights, {}, ["weights"]),
    "filters": (ExportFilters, {}, ["filters.conv_1"]),
    "activations": (ExportActivations, dict(x=IMAGES), ["activations"]),
    "feature_maps": (ExportFeatureMaps, dict(x=IMAGES[:1]), ["feature_maps.conv_1", "feature_maps.pool_1"]),
    "predictions": (ExportPredictions, dict(x=IMAGES, y=LABELS), ["predictions"]),
    "confusion": (ExportConfusion, dict(x=IMAGES, y=LABELS), ["confusion"]),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
# Of what is the same code for all kinds, one that keeps arrays from the beginning, and one that asks the model.
slow_kinds = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind not in ("weights", "predictions")]
some_kinds = pytest.mark.parametrize("kind", ["weights", "predictions", *slow_kinds])


def make(kind, folder=None, **when_and_where):
    made, arguments, _ = KINDS[kind]
    return made(folder, **arguments, **when_and_where)


def pictures(folder):
    """The names of the pictures in a folder; each has its numbers beside it."""
    names = sorted(path.stem for path in folder.glob("*.png"))
    assert names == sorted(path.stem for path in folder.glob("*.json"))
    return names


def numbers(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def events(folder):
    """{(kind of event, tag): [(step, values)]} of all files of a run, in the order of their writing."""
    found = {}
    for path in sorted(folder.glob("events*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                key = value.metadata.plugin_data.plugin_name, value.tag
                found.setdefault(key, []).append((event.step, value.tensor))
    return found


def steps(folder):
    return {key: [step for step, _ in some] for key, some in events(folder).items()}


# --- when


@each_kind
def test_by_default_there_are_pictures_before_training_and_at_its_end(kind, tmp_path):
    fit(classifier(), make(kind, tmp_path))
    names = KINDS[kind][2]
    assert pictures(tmp_path) == sorted(f"{name}.{moment}" for name in names for moment in ("start", "end"))
    for name in names:
        assert "before training" in numbers(tmp_path, f"{name}.start")["title"]
        assert "after epoch 2" in numbers(tmp_path, f"{name}.end")["title"]
        assert redraw(tmp_path / f"{name}.end.json").caption == numbers(tmp_path, f"{name}.end")["caption"]


@each_kind
def test_tensorboard_has_the_same_moments_as_steps(kind, tmp_path):
    fit(classifier(), make(kind, tensorboard=tmp_path), epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == [kind]
    told = steps(tmp_path / kind)
    assert told and set(map(tuple, told.values())) == {(0, 3)}


def test_every_second_epoch_is_shown_where_asked_for(tmp_path):
    fit(classifier(), ExportFilters(tmp_path, at=(), every=2), epochs=5)
    assert pictures(tmp_path) == ["filters.conv_1.epoch_0002", "filters.conv_1.epoch_0004"]


def test_the_end_is_one_step_of_tensorboard_also_where_its_epoch_was_shown(tmp_path):
    fit(classifier(), ExportFilters(tensorboard=tmp_path, every=2), epochs=4)
    assert steps(tmp_path / "filters") == {("images", "filters/conv_1"): [0, 2, 4]}


def test_the_best_epoch_is_shown_as_the_model_was_then(tmp_path):
    """The rate is so large from the second epoch on that the first is the best."""
    kept = []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(probes.filters(model)["conv_1"]))
    spoil = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 if epoch == 0 else 50.0)
    model = classifier()
    export = ExportFilters(tmp_path / "pictures", tensorboard=tmp_path / "logs", at=("best", "end"))
    losses = fit(model, spoil, keep, export, epochs=3).history["loss"]
    assert np.argmin(losses) == 0
    shown = numbers(tmp_path / "pictures", "filters.conv_1.best")
    assert shown["title"] == f"Filters of conv_1, after epoch 1, the best by loss ({losses[0]:.4g})"
    values = np.array(shown["numbers"]["kernels"]["values"])
    np.testing.assert_allclose(values, np.moveaxis(kept[0], 0, -1), rtol=1e-5)
    tags = {("images", "best/filters/conv_1"): [1], ("images", "filters/conv_1"): [3]}
    assert steps(tmp_path / "logs" / "filters") == tags


def test_the_validation_loss_tells_the_best_epoch_where_there_is_one_and_a_named_metric_before_it(tmp_path):
    held = dict(validation_data=(IMAGES, LABELS))
    exports = [ExportFilters(tmp_path / str(name), at="best", monitor=name) for name in (None, "val_accuracy")]
    fit(classifier(), *exports, epochs=1, **held)
    for name, told in ((None, "val_loss"), ("val_accuracy", "val_accuracy")):
        assert f"the best by {told} (" in numbers(tmp_path / str(name), "filters.conv_1.best")["title"]


def test_a_continued_training_counts_its_epochs_on(tmp_path):
    export = ExportFilters(tmp_path / "pictures", tensorboard=tmp_path / "logs")
    fit(classifier(), export, initial_epoch=3, epochs=5)
    assert "before epoch 4" in numbers(tmp_path / "pictures", "filters.conv_1.start")["title"]
    assert list(steps(tmp_path / "logs" / "filters").values()) == [[3, 5]]


def test_a_training_that_is_stopped_early_has_its_end(tmp_path):
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)
    fit(classifier(), stop, ExportFilters(tmp_path), epochs=9)
    assert "after epoch 2" in numbers(tmp_path, "filters.conv_1.end")["title"]


@pytest.mark.parametrize(
    "metric, larger",
    [("val_accuracy", True), ("val_digit_accuracy", True), ("auc", True), ("r2", True), ("loss", False),
     ("val_loss", False), ("mean_squared_error", False), ("digit_mse", False)],
)  # fmt: skip
def test_the_name_of_a_metric_tells_whether_it_is_better_large_or_small(metric, larger):
    assert is_larger_better(metric) is larger
    assert is_larger_better(metric, "min") is False and is_larger_better(metric, "max") is True


def test_a_value_that_is_no_number_is_never_the_best():
    cadence = Cadence(at="best")
    assert cadence.improves("loss", 2.0, None) and cadence.improves("loss", 1.0, 2.0)
    assert not cadence.improves("loss", float("nan"), None) and not cadence.improves("loss", float("nan"), 2.0)
    assert not cadence.improves("loss", 2.0, 2.0)


# --- again and again


@some_kinds
def test_a_callback_and_its_copies_serve_any_number_of_trainings(kind, tmp_path):
    export = make(kind, tensorboard=tmp_path)
    model = classifier()
    for number, callback in enumerate((export, export, copy.deepcopy(export)), 1):
        fit(model, callback, epochs=1)
        assert set(map(tuple, steps(tmp_path / kind).values())) == {(0, 1) * number}
    fit(classifier(), copy.deepcopy(export), epochs=1)  # another model
    assert set(map(tuple, steps(tmp_path / kind).values())) == {(0, 1) * 4}


@some_kinds
def test_a_training_that_failed_leaves_a_callback_that_can_be_copied_and_used(kind, tmp_path):
    def fail(epoch, logs):
        raise RuntimeError("on purpose")

    export = make(kind, tensorboard=tmp_path)
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(classifier(), export, keras.callbacks.LambdaCallback(on_epoch_end=fail))
    fit(classifier(), copy.deepcopy(export), epochs=1)
    fit(classifier(), export, epochs=1)
    assert set(map(tuple, steps(tmp_path / kind).values())) == {(0, 0, 1, 0, 1)}


def test_looking_changes_nothing_of_the_training(tmp_path):
    alone, watched = classifier(), classifier()
    histories = [fit(alone).history]
    at = ("start", "best", "end")
    exports = [make(kind, tensorboard=tmp_path, at=at, every=1) for kind in KINDS]
    histories.append(fit(watched, *exports).history)
    assert histories[0] == histories[1]
    for one, other in zip(alone.get_weights(), watched.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_keras_s_own_tensorboard_does_not_silence_the_pictures(tmp_path):
    """It pauses summaries between the batches that it writes."""
    own = keras.callbacks.TensorBoard(tmp_path / "logs", update_freq=1000, write_graph=False)
    fit(classifier(), own, ExportFilters(tensorboard=tmp_path / "logs"), epochs=1)
    assert list(steps(tmp_path / "logs" / "filters").values()) == [[0, 1]]


# --- of which models


@some_kinds
def test_half_precision_is_no_obstacle(kind, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifier(run_eagerly=False)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv_1").compute_dtype == "float16"
    fit(model, make(kind, tmp_path / "pictures", tensorboard=tmp_path / "logs"))
    assert len(pictures(tmp_path / "pictures")) == 2 * len(KINDS[kind][2])


def unbuilt():
    return compiled(
        keras.Sequential(
            [layers.Conv2D(2, 3, name="conv_1"), layers.MaxPooling2D(name="pool_1"), layers.Flatten(),
             layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")]
        ),
        "sparse_categorical_crossentropy",
    )  # fmt: skip


@each_kind
def test_a_sequential_model_without_an_input_is_shown_as_soon_as_it_has_its_weights(kind, tmp_path):
    model = unbuilt()
    if kind in ("weights", "filters"):  # which know no items to build it with
        with pytest.raises(UsageError, match="no weights yet: .* build it with model.build"):
            fit(model, make(kind, tmp_path))
        model = unbuilt()
        model.build((None, 8, 8, 1))
    fit(model, make(kind, tmp_path))
    assert pictures(tmp_path) == sorted(f"{name}.{at}" for name in KINDS[kind][2] for at in ("start", "end"))


def two_outputs():
    inputs = {"image": keras.Input((8, 8, 1), name="image"), "width": keras.Input((1,), name="width")}
    x = layers.Conv2D(2, 3, name="conv_1")(layers.Rescaling(1 / 255)(inputs["image"]))
    x = layers.Flatten()(x)
    x = layers.Dense(4, name="dense_1")(layers.Concatenate()([x, inputs["width"]]))
    outputs = {"digit": layers.Dense(3, name="digit")(x), "size": layers.Dense(1, name="size")(x)}
    model = keras.Model(inputs, outputs)
    loss = {"digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    model.compile("sgd", loss, metrics={"digit": "accuracy"}, run_eagerly=True)
    return model


def test_a_model_with_several_inputs_and_outputs_is_shown_output_by_output(tmp_path):
    x = {"image": IMAGES, "width": np.ones((12, 1))}
    y = {"digit": LABELS, "size": np.linspace(0, 1, 12)}
    few = {name: values[:1] for name, values in x.items()}
    fit(
        two_outputs(), ExportWeights(tmp_path), ExportActivations(tmp_path, x), ExportFeatureMaps(tmp_path, few),
        ExportConfusion(tmp_path, x, y["digit"], output="digit"),
        ExportPredictions(tmp_path / "digit", x, y["digit"], output="digit", at="best", monitor="digit_accuracy"),
        ExportPredictions(tmp_path / "size", x, y["size"], output="size"), x=x, y=y,
    )  # fmt: skip
    assert pictures(tmp_path) == sorted(
        f"{name}.{at}" for name in ("weights", "activations", "feature_maps.conv_1", "confusion")
        for at in ("start", "end")
    )  # fmt: skip
    assert numbers(tmp_path / "digit", "predictions.best")["figure"] == "predictions"
    assert numbers(tmp_path / "size", "predictions.end")["figure"] == "residuals"


@pytest.mark.slow
def test_a_model_of_keras_applications_is_shown_in_one_line(tmp_path):
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)
    compiled(model, "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).random((2, 32, 32, 3))
    fit(model, ExportFilters(tmp_path, layers="Conv1", at="end"),
        ExportFeatureMaps(tmp_path, x[:1], layers=["Conv1", "block_1_depthwise"], at="end"), x=x, y=np.array([0, 1]),
        epochs=1)  # fmt: skip
    assert pictures(tmp_path) == [
        "feature_maps.Conv1.end", "feature_maps.block_1_depthwise.end", "filters.Conv1.end",
    ]  # fmt: skip


def test_the_layers_of_a_nested_model_have_names_that_serve_as_names_of_files(tmp_path):
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="conv")], name="inner")
    model = keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Flatten(), layers.Dense(3)])
    compiled(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, ExportFilters(tmp_path / "pictures", at="end", tensorboard=tmp_path))
    assert pictures(tmp_path / "pictures") == ["filters.inner.conv.end"]
    assert list(steps(tmp_path / "filters")) == [("images", "filters/inner/conv")]


@pytest.mark.parametrize("rank", [1, 3])
def test_convolutions_over_lines_and_volumes_are_shown_as_pictures(rank, tmp_path):
    conv = {1: layers.Conv1D, 3: layers.Conv3D}[rank]
    x = np.random.default_rng(0).random((2, *(5,) * rank, 2))
    model = keras.Sequential([keras.Input(x.shape[1:]), conv(3, 2, name="conv_1"), layers.Flatten(), layers.Dense(1)])
    compiled(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        exports = ExportFilters(tmp_path, tensorboard=tmp_path), ExportFeatureMaps(tmp_path, x, at="end")
        fit(model, *exports, x=x, y=np.array([0, 1]))
    assert pictures(tmp_path) == [
        "feature_maps.conv_1.item_0.end", "feature_maps.conv_1.item_1.end", "filters.conv_1.end",
        "filters.conv_1.start",
    ]  # fmt: skip


def test_many_layers_are_shared_out_over_several_sheets(tmp_path):
    model = keras.Sequential([keras.Input((2,)), *(layers.Dense(2, name=f"dense_{number}") for number in range(13))])
    compiled(model)
    x = np.ones((2, 2))
    fit(model, ExportWeights(tmp_path, at="end"), ExportActivations(tmp_path, x, at="end"), x=x, y=x)
    assert pictures(tmp_path) == ["activations.1.end", "activations.2.end", "weights.1.end", "weights.2.end"]
    shown = [list(numbers(tmp_path, f"weights.{number}.end")["numbers"]["layers"]) for number in (1, 2)]
    assert [len(some) for some in shown] == [12, 1] and shown[1] == ["dense_12"]


def test_a_model_that_diverged_is_shown(tmp_path):
    model = classifier()
    model.get_layer("output").set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    fit(model, *(make(kind, tmp_path, tensorboard=tmp_path / "logs", at="end") for kind in KINDS), epochs=1)
    assert len(pictures(tmp_path)) == 7
    assert "not finite" in numbers(tmp_path, "weights.end")["caption"]


def test_weights_that_are_constant_or_no_numbers_are_shown(tmp_path):
    model = classifier()
    model.get_layer("conv_1").set_weights([np.zeros((3, 3, 1, 2)), np.full(2, np.nan)])
    model.optimizer.learning_rate = 0.0
    with np.errstate(all="ignore"):
        fit(model, ExportWeights(tmp_path / "pictures", tensorboard=tmp_path), ExportFilters(tmp_path / "pictures"),
            epochs=1)  # fmt: skip
    assert "All weights" in numbers(tmp_path / "pictures", "filters.conv_1.start")["caption"]
    assert ("histograms", "weights/conv_1/kernel") in events(tmp_path / "weights")


# --- what is shown


def test_the_weights_are_compared_with_those_from_which_this_training_began(tmp_path):
    model = classifier()
    first = probes.weights(model)["dense_1"]["kernel"]
    fit(model, ExportWeights(tmp_path))
    start, end = (numbers(tmp_path, f"weights.{at}")["numbers"]["layers"]["dense_1"] for at in ("start", "end"))
    assert "before" not in start and start["mean"] == pytest.approx(first.mean(), rel=1e-4)
    assert end["before_mean"] == start["mean"] != end["mean"]
    fit(model, ExportWeights(tmp_path))
    assert numbers(tmp_path, "weights.end")["numbers"]["layers"]["dense_1"]["before_mean"] == end["mean"]


def test_a_layer_with_several_kernels_has_a_panel_for_each(tmp_path):
    model = keras.Sequential([keras.Input((4, 2)), layers.SimpleRNN(3, name="rnn"), layers.Dense(1, name="output")])
    compiled(model)
    fit(model, ExportWeights(tmp_path / "pictures", tensorboard=tmp_path), x=np.ones((2, 4, 2)),
        y=np.array([0, 1]))  # fmt: skip
    shown = list(numbers(tmp_path / "pictures", "weights.end")["numbers"]["layers"])
    assert shown == ["rnn: kernel", "rnn: recurrent_kernel", "output"]
    assert ("images", "weights/rnn: recurrent_kernel") in events(tmp_path / "weights")


def test_tensorboard_s_picture_of_a_layer_is_the_tiled_filters(tmp_path):
    model = classifier()
    fit(model, ExportWeights(tensorboard=tmp_path))
    ((_, tensor),) = events(tmp_path / "weights")["images", "weights/conv_1"][1:]
    width, height, *encoded = tensor.string_val
    (picture,) = (np.asarray(Image.open(io.BytesIO(one))) for one in encoded)
    np.testing.assert_array_equal(picture, tiled(probes.filters(model)["conv_1"][..., 0], symmetric=True))
    assert (int(height), int(width)) == picture.shape[:2]


def test_activations_are_counted_over_all_items_and_drawn_for_three(tmp_path):
    model = classifier()
    fit(model, ExportActivations(tmp_path / "pictures", IMAGES, tensorboard=tmp_path))
    shown = numbers(tmp_path / "pictures", "activations.end")["numbers"]
    assert shown["inputs"] == ["item 0", "item 1", "item 2"]
    assert shown["inactive"] == pytest.approx({"dense_1": probes.inactive_units(model, IMAGES)["dense_1"]})
    _, tensor = events(tmp_path / "activations")["histograms", "activations/dense_1/values"][-1]
    counts = np.frombuffer(tensor.tensor_content or np.array(tensor.double_val).tobytes()).reshape(-1, 3)[:, 2]
    assert counts.sum() == 12 * 4


def test_single_numbers_are_shown_left_centre_and_right(tmp_path):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(3, "tanh", name="dense_1"), layers.Dense(1)])
    compiled(model)
    x = np.array([[0.4], [-2.0], [3.0], [9.0]])
    fit(model, ExportActivations(tmp_path, x.ravel()), ExportPredictions(tmp_path, x, x.ravel()), x=x, y=x)
    assert numbers(tmp_path, "activations.end")["numbers"]["inputs"] == ["x = -2", "x = 3", "x = 9"]
    curves = numbers(tmp_path, "predictions.end")["numbers"]["curves"]
    assert list(curves) == ["when training began", "after epoch 2"]
    assert list(numbers(tmp_path, "predictions.start")["numbers"]["curves"]) == ["before training"]


def test_any_layer_can_be_named_for_its_activations(tmp_path):
    fit(classifier(), ExportActivations(tmp_path, IMAGES[:1], layers=["conv_1", "output"], at="end"))
    shown = numbers(tmp_path, "activations.end")["numbers"]["activations"]
    assert {name: values["shape"] for name, values in shown.items()} == {"conv_1": [1, 72], "output": [1, 3]}


@pytest.mark.parametrize("ending, loss", [
    (lambda x: layers.Dense(3)(x), keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    (lambda x: layers.Dense(3, "softmax")(x), "sparse_categorical_crossentropy"),
    (lambda x: layers.Softmax()(layers.Dense(3)(x)), "sparse_categorical_crossentropy"),
    (lambda x: keras.ops.softmax(layers.Dense(3)(x)), "sparse_categorical_crossentropy"),
])  # fmt: skip
def test_the_confidence_is_a_probability_however_the_model_ends(ending, loss, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, ending(layers.Flatten()(layers.Rescaling(1 / 255)(inputs))))
    compiled(model, loss).optimizer.learning_rate = 0.0
    fit(model, ExportPredictions(tmp_path, IMAGES, LABELS, at="end"), epochs=1)
    given = np.asarray(model(IMAGES, training=False)).astype(float)
    chances = given if loss == "sparse_categorical_crossentropy" else np.asarray(keras.ops.softmax(given))
    shown = numbers(tmp_path, "predictions.end")["numbers"]["confidence"]["values"]
    np.testing.assert_allclose(shown, chances.max(axis=1), rtol=1e-4)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_output_tells_two_classes_apart(activation, tmp_path):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, activation, kernel_initializer="ones")])
    compiled(model, keras.losses.BinaryCrossentropy(from_logits=activation is None)).optimizer.learning_rate = 0.0
    x, y = np.array([[-1.0], [0.2], [0.4], [-3.0]]), np.array([0, 0, 1, 1])
    fit(model, ExportConfusion(tmp_path, x, y, classes=("no", "yes"), at="end"), x=x, y=y)
    shown = numbers(tmp_path, "confusion.end")["numbers"]
    assert shown["counts"]["values"] == [[1, 1], [1, 1]] and shown["classes"] == ["no", "yes"]


def test_one_hot_rows_are_labels(tmp_path):
    model = classifier()
    for name, y in (("whole", LABELS), ("rows", np.eye(3)[LABELS]), ("column", LABELS[:, None].astype("float32"))):
        fit(model, ExportConfusion(tmp_path / name, IMAGES, y, at="start"), epochs=1)
        model = classifier()
    counts = [numbers(tmp_path / name, "confusion.start")["numbers"]["counts"] for name in ("whole", "rows", "column")]
    assert counts[0] == counts[1] == counts[2] and np.sum(counts[0]["values"]) == 12


def test_items_of_numbers_with_classes_have_a_sheet_too(tmp_path):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    compiled(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).random((3, 5))
    fit(model, ExportPredictions(tmp_path, x, [0, 1, 0], classes=("a", "b"), at="end"), x=x, y=np.array([0, 1, 0]))
    assert numbers(tmp_path, "predictions.end")["numbers"]["actual"] == ["a", "b", "a"]


def test_a_footer_stands_below_every_picture(tmp_path):
    fit(classifier(), ExportFilters(tmp_path, footer="STAND-IN DATA"), ExportConfusion(
        tmp_path, IMAGES, LABELS, footer="STAND-IN DATA", tensorboard=tmp_path / "logs"))  # fmt: skip
    assert {numbers(tmp_path, name)["footer"] for name in pictures(tmp_path)} == {"STAND-IN DATA"}
    _, tensor = events(tmp_path / "logs" / "confusion")["images", "confusion"][-1]
    shown = np.asarray(Image.open(io.BytesIO(tensor.string_val[2])))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(tmp_path / "confusion.end.png").convert("RGB")))


# --- tiles


def test_tiles_share_one_scale_around_zero():
    picture = tiled([[[-2.0]], [[0.0]], [[1.0]], [[2.0]]], symmetric=True, columns=2)
    side = (len(picture) - GAP) // 2
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    assert (corners[1] > 240).all()  # zero is white
    assert corners[0, 2] > corners[0, 0] and corners[3, 0] > corners[3, 2]  # blue below, red above
    assert (picture[side : side + GAP] == GREY).all() and (corners[2] != corners[3]).any()


def test_tiles_of_one_value_or_of_none_are_drawn():
    assert (tiled(np.full((1, 2, 2), np.nan), symmetric=False) == GREY).all()
    assert len(np.unique(tiled(np.full((1, 2, 2), 7.0), symmetric=False).reshape(-1, 3), axis=0)) == 1


def test_a_large_matrix_is_cut_and_a_small_one_enlarged():
    assert matrix(np.zeros((2000, 3000))).shape == (512, 512, 3)
    assert matrix(np.zeros((2, 4))).shape == (256, 512, 3)


def test_the_slices_of_a_volume_stand_side_by_side():
    volume = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    assert spread(volume)[0, ..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


@pytest.mark.parametrize(
    "item, shape",
    [((8, 8), (8, 8)), ((8, 8, 1), (8, 8)), ((8, 8, 3), (8, 8, 3)), ((8, 8, 5), (8, 8)), ((5,), (1, 5)),
     ((2, 3, 4, 1), (3, 8))],
)  # fmt: skip
def test_every_input_becomes_a_grey_or_a_coloured_picture(item, shape):
    values = np.random.default_rng(0).normal(size=(2, *item))
    found = as_pictures([], [values])
    assert found.shape == (2, *shape) and found.dtype == np.uint8
    assert found.max() > found.min()


def test_pixels_stay_as_they_are_and_other_values_are_stretched():
    np.testing.assert_array_equal(as_pictures([], [IMAGES]), IMAGES[..., 0])
    np.testing.assert_array_equal(as_pictures([], [np.array([[[-1.0, 0.0, 1.0]]])]), [[[0, 128, 255]]])
    np.testing.assert_array_equal(as_pictures([], [np.full((1, 2, 2), 3.0)]), np.zeros((1, 2, 2)))


# --- what is refused, where it enters


@pytest.mark.parametrize(
    "arguments, told",
    [
        ({}, "no place to write to"),
        (dict(folder=3), "folder must be the path"),
        (dict(folder="p", tensorboard=True), "tensorboard must be the path"),
        (dict(folder="p", at="middle"), "at names 'middle'"),
        (dict(folder="p", at=("start", 5)), "at names 5"),
        (dict(folder="p", at=()), "nothing would ever be shown"),
        (dict(folder="p", every=0), "every must be a whole number"),
        (dict(folder="p", every=True), "every must be a whole number"),
        (dict(folder="p", every=1.5), "every must be a whole number"),
        (dict(folder="p", at="best", mode="up"), "mode must be 'auto', 'min' or 'max'"),
        (dict(folder="p", at="best", monitor="gain"), "say mode='max' or 'min'"),
        (dict(folder="p", monitor="loss"), "best epoch, which is not asked for"),
        (dict(folder="p", layers=()), "layers is empty"),
    ],
)
def test_what_a_callback_cannot_do_is_refused_when_it_is_made(arguments, told):
    with pytest.raises(UsageError, match=told):
        ExportFilters(**arguments)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        ExportWeights(tmp_path / "file")


@pytest.mark.parametrize("made", [ExportActivations, ExportFeatureMaps, ExportPredictions, ExportConfusion])
def test_items_that_are_missing_are_asked_for(made):
    with pytest.raises(UsageError, match=f"{made.__name__} needs x"):
        made("pictures")


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: ExportFilters("p", layers="conv_2"), "no layer 'conv_2' here. Did you mean 'conv_1'"),
        (lambda: ExportActivations("p", IMAGES, layers="dense"), "no layer 'dense'"),
        (lambda: ExportActivations("p", IMAGES[:, :4]), "takes items of shape"),
        (lambda: ExportFeatureMaps("p", IMAGES[0]), "takes items of shape"),
        (lambda: ExportFeatureMaps("p", np.zeros((17, 8, 8))), "give at most 16"),
        (lambda: ExportFeatureMaps("p", IMAGES[:0]), "no items"),
        (lambda: ExportConfusion("p", IMAGES, LABELS[:3]), "12 items and y has shape"),
        (lambda: ExportConfusion("p", IMAGES, LABELS + 1), "from 1 to 3, expected labels"),
        (lambda: ExportConfusion("p", IMAGES, LABELS, classes="ab"), "2 names, but the output tells 3"),
        (lambda: ExportConfusion("p", IMAGES, LABELS, output="other"), "no output 'other', expected one of output"),
        (lambda: ExportPredictions("p", IMAGES, LABELS / 2), "expected 3 values for each item"),
        (lambda: ExportFilters("p", at="best", monitor="val_accuracy"), "which this training does not have"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_before_or_at_the_first_epoch(make, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=told):
        fit(classifier(), make())
    assert not (tmp_path / "p").exists()


def test_a_model_without_convolutions_is_told_what_to_use_instead():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    compiled(model)
    x = np.ones((2, 2))
    for callback, told in (
        (ExportFilters("p"), "use ExportWeights"),
        (ExportFeatureMaps("p", x), "use ExportActivations"),
        (ExportActivations("p", x), "no hidden dense layer"),
    ):
        with pytest.raises(UsageError, match=told):
            fit(model, callback, x=x, y=x[:, 0])


def test_of_several_outputs_one_has_to_be_named():
    x = {"image": IMAGES, "width": np.ones((12, 1))}
    y = {"digit": LABELS, "size": np.ones(12)}
    with pytest.raises(UsageError, match="say output=... with one of digit, size"):
        fit(two_outputs(), ExportConfusion("p", x, LABELS), x=x, y=y)
