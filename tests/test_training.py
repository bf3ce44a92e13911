"""One training: decided by its seed, scored at the epoch that counts, ended when hopeless or late, and continued."""

import math
import time

import keras
import numpy as np
import pytest

from kerashw.augment import Augment
from kerashw.building import build_model, compile_model, make_optimizer
from kerashw.commands import quiet_tensorflow
from kerashw.models import cnn, mlp
from kerashw.settings import OPTIMIZERS
from kerashw.training import Diverged, Task, train

quiet_tensorflow()  # as the command line does: with it, one seed gives one result

GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(-1, 1, (60, 2)).astype("float32")
LINES = Task(X, (X[:, :1] - 2 * X[:, 1:] + GENERATOR.normal(0, 0.3, (60, 1))).astype("float32"), 1, False)
LABELS = Task(X, (X[:, 0] > X[:, 1]).astype("int64"), 2, True)
IMAGES = Task(GENERATOR.integers(0, 256, (40, 6, 6)).astype("uint8"), np.arange(40) % 3, 3, True)
SMALL = dict(hidden=(4,), learning_rate=0.01, batch_size=16, epochs=3)
AUGMENTED = dict(
    filters=(2,), kernel_size=3, hidden=(4,), dropout=0.3, batch_normalization=True, batch_size=16, epochs=2,
    augment=Augment(rotation=20, width_shift=0.1, brightness=0.2),
)  # fmt: skip
TRAIN, HELD = np.arange(40), np.arange(40, 60)


MADE = {}  # trainings of the table that several tests look at


def trained(settings=SMALL, task=LINES, *, seed=0, held=True, **options):
    """The same training is made once for all tests."""
    key = repr((settings, id(task), seed, held, options))
    if key not in MADE:
        held = HELD if held else None
        MADE[key] = train(
            mlp, settings, task, train_indices=TRAIN, validation_indices=held, seed=seed, **options
        )  # fmt: skip
    return MADE[key]


def weights(one):
    return [array.tolist() for array in one.model.get_weights()]


def compiled(model, settings, task):
    return compile_model(model, settings, is_classification=task.is_classification, steps=1)


def evaluated(one, settings, task, items):
    """The metrics of a trained model on some items, computed anew."""
    return compiled(one.model, settings, task).evaluate(task.x[items], task.y[items], verbose=0, return_dict=True)


# Seeds


def test_the_seed_decides_weights_and_history_whatever_was_trained_before():
    settings = dict(SMALL, dropout=0.3)
    first, other, again = (
        train(mlp, settings, LINES, train_indices=TRAIN, validation_indices=HELD, seed=seed) for seed in (0, 1, 0)
    )
    assert weights(first) == weights(again) and first.history == again.history
    assert weights(first) != weights(other) and first.history["loss"] != other.history["loss"]


def test_every_item_is_seen_once_an_epoch():
    """Nothing is learned, so the mean over an epoch is that over all items, a smaller last batch included."""
    settings = dict(SMALL, batch_size=7, learning_rate=1e-30)
    one = trained(settings, held=False)
    assert one.history["mse"] == pytest.approx([evaluated(one, settings, LINES, TRAIN)["mse"]] * 3, rel=1e-5)


def test_the_data_are_left_as_they_were():
    task = Task(LINES.x.copy(), LINES.y.copy(), 1, False)
    task.x.flags.writeable = task.y.flags.writeable = False  # as those of a data set are
    one = train(mlp, dict(SMALL, batch_size=1000), task, train_indices=TRAIN, seed=0, epochs=1)
    assert one.history["epoch"] == [1], "epochs may be given apart from the settings"
    assert (task.x == LINES.x).all() and (task.y == LINES.y).all()


# The epoch that counts


def test_the_history_has_every_epoch_from_1_with_all_metrics_of_a_regression():
    history = trained().history
    assert history["epoch"] == [1, 2, 3]
    assert set(history) == {"epoch", "loss", "mse", "r2", "val_loss", "val_mse", "val_r2"}
    assert all(len(values) == 3 and all(type(value) is float for value in values) for name, values in history.items()
               if name != "epoch")  # fmt: skip


def test_the_history_has_loss_and_accuracy_of_classes():
    assert set(trained(task=LABELS).history) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}


# A rate at which this data set jumps about, so that the last epoch is not the best.
RESTLESS = dict(hidden=(4,), optimizer="sgd", learning_rate=0.7, batch_size=4, epochs=12)


def test_the_weights_are_those_of_the_epoch_with_the_least_error():
    one = trained(RESTLESS, seed=3)
    scores = one.history["val_mse"]
    assert one.best_epoch == scores.index(min(scores)) + 1 < 12, "the test wants the best epoch before the last"
    assert one.at_best()["val_mse"] == min(scores)
    assert evaluated(one, RESTLESS, LINES, HELD)["mse"] == pytest.approx(min(scores), rel=1e-5)


def test_the_weights_are_those_of_the_epoch_with_the_highest_accuracy():
    one = trained(RESTLESS, LABELS, seed=1)
    scores = one.history["val_accuracy"]
    assert one.best_epoch == scores.index(max(scores)) + 1 < 12
    assert evaluated(one, RESTLESS, LABELS, HELD)["accuracy"] == pytest.approx(one.at_best()["val_accuracy"])


def test_score_epoch_last_keeps_the_last_weights():
    one = trained(RESTLESS, seed=3, score_epoch="last")
    assert one.best_epoch == 12 and one.at_best()["val_mse"] == one.history["val_mse"][-1] > min(one.history["val_mse"])
    assert evaluated(one, RESTLESS, LINES, HELD)["mse"] == pytest.approx(one.history["val_mse"][-1], rel=1e-5)


def test_without_validation_items_the_last_epoch_counts():
    one = trained(dict(SMALL, optimizer="adam"), held=False)
    assert one.best_epoch == 3 and set(one.history) == {"epoch", "loss", "mse", "r2"}


def test_patience_ends_a_training_that_no_longer_improves():
    whole = trained(RESTLESS, seed=3)
    patient = trained(dict(RESTLESS, patience=2), seed=3)
    scores = whole.history["val_mse"]
    stop = next(
        epoch for epoch in range(3, 13) if min(scores[: epoch - 2]) <= min(scores[epoch - 2 : epoch])
    )  # fmt: skip
    assert patient.history["epoch"] == list(range(1, stop + 1)) and stop < 12
    assert patient.history["val_mse"] == scores[:stop]
    assert patient.at_best()["val_mse"] == min(scores[:stop])


# Optimizers


def with_optimizer(optimizer, **changes):
    return dict(SMALL, hidden=(), optimizer=optimizer, learning_rate=30.0 if optimizer == "adadelta" else 0.05, **changes)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_takes_every_setting(optimizer, schedule):
    settings = dict(optimizer=optimizer, learning_rate=0.01, momentum=0.5, weight_decay=0.1, schedule=schedule)
    made = make_optimizer(settings, steps=10)
    assert type(made).__name__.lower() == optimizer and made.weight_decay == 0.1
    assert getattr(made, "momentum", 0.5) == 0.5


def test_momentum_changes_the_training():
    losses = [trained(with_optimizer("sgd", **more), held=False).history["loss"] for more in ({}, dict(momentum=0.9))]
    assert losses[0] != losses[1]


def test_weight_decay_takes_a_fraction_of_every_weight_away_at_each_step():
    """Where all is zero there is nothing to learn, so that decay is all that happens in 30 steps."""
    task = Task(LINES.x * 0, LINES.y * 0, 1, False)
    settings = dict(hidden=(), learning_rate=0.1, batch_size=4, epochs=3)
    free, *decayed = (
        train(mlp, dict(settings, **more), task, train_indices=TRAIN, seed=0).model.get_weights()[0]
        for more in ({}, dict(optimizer="sgd", weight_decay=0.5), dict(optimizer="adamw", weight_decay=0.5))
    )
    for one in decayed:
        assert one == pytest.approx(free * (1 - 0.1 * 0.5) ** 30, rel=1e-3)


def test_without_weight_decay_adamw_is_adam():
    adam, adamw = (trained(with_optimizer(name), held=False) for name in ("adam", "adamw"))
    assert weights(adam) == weights(adamw)


def test_a_cosine_schedule_ends_near_zero():
    model = trained(dict(SMALL, schedule="cosine"), held=False).model
    assert int(model.optimizer.iterations.numpy()) == 3 * 3
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


def test_a_cosine_schedule_falls_from_the_learning_rate_over_the_whole_training():
    settings = dict(SMALL, schedule="cosine")
    rate = make_optimizer(settings, steps=8)._learning_rate
    assert [float(rate(step)) for step in (0, 4, 8)] == pytest.approx([0.01, 0.005, 0.0], abs=1e-9)


# Hopeless and late


def test_an_absurd_learning_rate_diverges():
    settings = dict(SMALL, hidden=(8, 8), optimizer="sgd", learning_rate=1e30, batch_size=4)
    with pytest.raises(Diverged, match=r"loss was (nan|inf) after epoch \d"):
        trained(settings)


def test_a_deadline_in_the_past_still_leaves_a_trained_model():
    one = trained(dict(SMALL, epochs=1000), deadline=time.monotonic() - 1)
    assert one.cut and one.history["epoch"] == [1] and math.isfinite(one.at_best()["val_mse"])


def test_a_deadline_cuts_a_training_short():
    one = trained(dict(SMALL, epochs=100_000), deadline=time.monotonic() + 1.5)
    assert one.cut and 1 <= len(one.history["epoch"]) < 100_000
    assert one.history["epoch"] == list(range(1, len(one.history["epoch"]) + 1))


def test_a_training_that_ends_in_time_is_not_cut():
    assert not trained().cut


# Continued as Hyperband does


CONTINUED = {
    "adam and dropout": (mlp, dict(SMALL, optimizer="adam", dropout=0.4, normalize=True), LINES),
    "momentum, augmented images": (cnn, dict(AUGMENTED, optimizer="sgd", momentum=0.9), IMAGES),
}


@pytest.mark.parametrize("name", [
    "adam and dropout", pytest.param("momentum, augmented images", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_continued_training_equals_the_uninterrupted_one(name):
    builder, settings, task = CONTINUED[name]
    indices, held = np.arange(30), np.arange(30, 40)
    options = dict(train_indices=indices, validation_indices=held, seed=0, score_epoch="last")
    whole = train(builder, settings, task, epochs=4, **options)
    first = train(builder, settings, task, epochs=2, keep_last=True, **options)
    rest = train(builder, settings, task, epochs=4, initial_epoch=2, start=first.last, **options)
    assert rest.history["epoch"] == [3, 4] and rest.best_epoch == 4
    assert weights(rest) == weights(whole)
    for metric in ("loss", "val_loss"):
        assert first.history[metric] + rest.history[metric] == whole.history[metric]


def test_a_training_goes_on_from_its_last_epoch_though_an_earlier_one_was_best():
    first = trained(RESTLESS, seed=3, keep_last=True)
    last = trained(RESTLESS, seed=3, score_epoch="last")
    assert first.best_epoch < 12 and weights(first) != weights(last)
    kept = first.last[: len(last.model.variables)]
    assert [array.tolist() for array in kept] == [np.asarray(one).tolist() for one in last.model.variables]


def test_nothing_is_kept_unless_asked_for():
    assert trained().last is None


# What metrics mean


def test_mse_is_the_mean_squared_error_and_r2_what_it_explains():
    one = trained()
    errors = LINES.y[HELD] - one.model.predict(LINES.x[HELD], verbose=0)
    assert one.at_best()["val_mse"] == pytest.approx(float((errors**2).mean()), rel=1e-5)
    variance = ((LINES.y[HELD] - LINES.y[HELD].mean()) ** 2).mean()
    assert one.at_best()["val_r2"] == pytest.approx(float(1 - (errors**2).mean() / variance), rel=1e-4)


def test_l2_is_part_of_the_loss_but_not_of_mse():
    best = trained(dict(SMALL, l2=0.1)).at_best()
    assert best["val_loss"] > best["val_mse"] + 1e-3


def test_normalize_learns_the_mean_and_the_variance_of_the_training_items_alone():
    task = Task(LINES.x * [3, 0.1] + [100, -5], LINES.y, 1, False)
    model = trained(dict(SMALL, normalize=True), task).model
    layer = model.get_layer("normalize")
    assert np.asarray(layer.mean).ravel() == pytest.approx(task.x[TRAIN].mean(axis=0), rel=1e-4)
    assert np.asarray(layer.variance).ravel() == pytest.approx(task.x[TRAIN].var(axis=0), rel=1e-2)


# In which numbers


MIXED = {
    "images": (cnn, IMAGES, dict(AUGMENTED, dropout=0.0, epochs=3)),
    "normalised numbers": (mlp, LINES, dict(SMALL, normalize=True)),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_training_in_bfloat16_gives_a_model_in_float32_that_answers_nearly_as_it_did(name):
    builder, task, settings = MIXED[name]
    items = dict(train_indices=np.arange(30), validation_indices=np.arange(30, 40), seed=0, score_epoch="last")
    mixed = train(builder, dict(settings, dtype_policy="mixed_bfloat16"), task, **items)
    assert {layer.compute_dtype for layer in mixed.model.layers[1:]} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    full = train(builder, settings, task, **items)
    assert mixed.history["loss"] != full.history["loss"]  # they did compute otherwise,
    assert mixed.history["loss"] == pytest.approx(full.history["loss"], rel=0.05)  # and came to much the same
    anew = evaluated(mixed, settings, task, items["validation_indices"])
    assert anew["loss"] == pytest.approx(mixed.at_best()["val_loss"], rel=0.05)


def with_random_features(*, input_shape, outputs):
    """A builder that draws what is no weight."""
    inputs = keras.Input(input_shape)
    x = keras.ops.cos(keras.ops.matmul(inputs, np.random.normal(size=(input_shape[0], 32)).astype("float32")))
    x = keras.layers.Dense(8, activation="relu", name="dense_1")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="output", dtype="float32")(x))


def test_what_a_builder_draws_is_the_same_in_training_and_in_the_model_that_comes_out():
    settings, held = dict(learning_rate=0.02, epochs=20, dtype_policy="mixed_bfloat16"), np.arange(40, 60)
    one = train(with_random_features, settings, LABELS, train_indices=TRAIN, validation_indices=held, seed=3)
    anew = evaluated(one, settings, LABELS, held)
    assert anew["loss"] == pytest.approx(one.at_best()["val_loss"], rel=0.05)


def test_a_training_in_the_numbers_of_keras_gives_the_model_that_was_trained():
    one = train(mlp, dict(SMALL, dtype_policy="float32"), LINES, train_indices=TRAIN, seed=0)
    assert one.model.optimizer.iterations > 0


def test_within_a_mixed_model_items_and_answers_stay_float32():
    model = build_model(cnn, AUGMENTED, input_shape=(6, 6), outputs=3, dtype_policy="mixed_bfloat16")
    found = {layer.name: layer.compute_dtype for layer in model.layers}
    assert found["augmentation"] == found["scale"] == found["output"] == "float32"
    assert found["conv_1"] == found["dense_1"] == "bfloat16"


def test_a_policy_that_a_person_has_set_is_in_force_again_after_a_training():
    held = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        one = train(mlp, dict(SMALL, dtype_policy="float32", epochs=1), LINES, train_indices=TRAIN, seed=0)
        assert one.model.get_layer("dense_1").compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy(held)
