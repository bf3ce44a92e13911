"""Many small trainings at once: each member ends where Keras ends with it alone."""

from dataclasses import replace

import numpy as np
import pytest

from kerashw import models
from kerashw.population import Member, suits, train_in_groups, train_together
from kerashw.training import Diverged, Task, train

TRAIN, HELD = np.arange(0, 45, dtype="int32"), np.arange(45, 60, dtype="int32")
NET = dict(hidden=(6, 4), activation="tanh", learning_rate=0.01, batch_size=8, epochs=3)


@pytest.fixture(scope="module")
def points():
    generator = np.random.default_rng(0)
    x = generator.uniform(-2, 2, (60, 2)).astype("float32")
    y = (np.sin(x.sum(axis=1, keepdims=True)) + 0.1 * generator.standard_normal((60, 1))).astype("float32")
    return Task(x, y, 1, False)


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (60, 5, 5), dtype="uint8")
    return Task(x, (x.mean(axis=(1, 2)) > 127).astype("int64"), 2, True)


def member(seed=0, held=HELD, **settings):
    return Member({**NET, **settings}, TRAIN, held, seed)


def alone(task, one, **how):
    return train(models.mlp, one.settings, task, train_indices=one.train_indices,
                 validation_indices=one.validation_indices, seed=one.seed, **how)  # fmt: skip


def assert_same(together, by_keras):
    assert together.best_epoch == by_keras.best_epoch
    assert together.history.keys() == by_keras.history.keys()
    for name in together.history:
        np.testing.assert_allclose(together.history[name], by_keras.history[name], rtol=2e-4, atol=2e-5)
    for one, other in zip(together.model.get_weights(), by_keras.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5)


# One of each kind of slots; tests/test_rules.py holds the rule of every optimizer to Keras.
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_member_among_others_equals_the_same_model_trained_alone(optimizer, points):
    one = member(1, optimizer=optimizer, momentum=0.8, weight_decay=0.1, l2=0.01)
    # Others differ in every number, need fewer steps or more, and stop at another epoch.
    others = [
        member(2, optimizer=optimizer, batch_size=5, learning_rate=0.1, schedule="cosine"),
        member(3, optimizer=optimizer, batch_size=7, epochs=2, l2=0.1),
    ]
    result, *_ = train_together(models.mlp, [one, *others], points)
    assert_same(result, alone(points, one))


@pytest.mark.parametrize(
    "settings",
    [
        dict(schedule="cosine", optimizer="sgd", momentum=0.9),
        pytest.param(dict(batch_size=1000), marks=pytest.mark.slow),
        dict(patience=1, learning_rate=0.5, optimizer="sgd", epochs=8),
        dict(activation=("relu", "leaky_relu")),
        pytest.param(dict(hidden=()), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_setting_means_the_same_as_in_fit(settings, points):
    one = member(4, **settings)
    (result,) = train_together(models.mlp, [one], points)
    assert_same(result, alone(points, one))


def test_pictures_and_classes_work_as_well(pictures):
    one = member(5, optimizer="adam")
    (result,) = train_together(models.mlp, [one], pictures)
    assert_same(result, alone(pictures, one))


def test_without_validation_items_the_last_weights_count(points):
    one = member(6, held=None)
    (result,) = train_together(models.mlp, [one], points)
    assert_same(result, alone(points, one))
    assert result.best_epoch == 3 and "val_loss" not in result.history


def test_the_score_of_the_last_epoch_can_count(points):
    one = member(7, learning_rate=0.3, epochs=5)
    (result,) = train_together(models.mlp, [one], points, score_epoch="last")
    assert result.best_epoch == 5
    assert_same(result, alone(points, one, score_epoch="last"))


def test_the_model_evaluates_to_the_score_of_its_best_epoch(points):
    (result,) = train_together(models.mlp, [member(8, learning_rate=0.2, epochs=12)], points)
    answers = result.model.predict(points.x[HELD], verbose=0)
    assert np.mean((answers - points.y[HELD]) ** 2) == pytest.approx(min(result.history["val_mse"]), rel=1e-4)


def test_a_member_that_diverges_harms_no_other(points):
    healthy = member(9)
    wild = member(10, optimizer="adam", learning_rate=1e30)
    first, second = train_together(models.mlp, [wild, healthy], points)
    assert isinstance(first, Diverged) and "epoch" in str(first)
    assert_same(second, alone(points, healthy))


def test_results_do_not_depend_on_who_else_is_in_the_loop(points):
    some = [member(seed, dropout=0.1 * seed, batch_size=4 + seed) for seed in range(1, 4)]
    whole = train_together(models.mlp, some, points)
    for one, result in zip(some, whole):
        (single,) = train_together(models.mlp, [one], points)
        np.testing.assert_allclose(single.history["loss"], result.history["loss"], rtol=1e-5)


def test_dropout_drops_its_share_anew_at_every_step_and_for_every_member():
    import tensorflow as tf

    from kerashw.loop import _uniform

    drawn = _uniform(tf.constant([1, 2]), tf.constant([[0.0], [0.0]]), 0, (2, 50, 40)).numpy()
    later = _uniform(tf.constant([1, 2]), tf.constant([[1.0], [1.0]]), 0, (2, 50, 40)).numpy()
    assert abs(drawn.mean() - 0.5) < 0.02 and abs(drawn.var() - 1 / 12) < 0.01
    for one, other in ((drawn[0], drawn[1]), (drawn[0], later[0]), (drawn[0, :-1], drawn[0, 1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.08
    assert drawn.min() >= 0 and drawn.max() < 1


def test_dropout_changes_training_and_is_off_in_validation(points):
    (result,) = train_together(models.mlp, [member(11, dropout=0.5, learning_rate=1e-9, epochs=2)], points)
    first, second = result.history["val_mse"]
    assert first == pytest.approx(second, rel=1e-5)  # such a rate leaves the weights as they were
    first, second = result.history["mse"]
    assert first != pytest.approx(second, rel=1e-5)


def test_a_training_goes_on_where_it_stood(points):
    whole = member(12, optimizer="adam", dropout=0.2, epochs=6)
    (uninterrupted,) = train_together(models.mlp, [whole], points)
    (half,) = train_together(models.mlp, [Member(whole.settings, TRAIN, HELD, 12, epochs=3)], points, keep_last=True)
    rest = Member(whole.settings, TRAIN, HELD, 12, epochs=6, initial_epoch=3, start=half.last)
    (continued,) = train_together(models.mlp, [rest], points)
    assert continued.history["epoch"] == [4, 5, 6]
    np.testing.assert_allclose(continued.history["val_mse"], uninterrupted.history["val_mse"][3:], rtol=1e-5)


def test_a_deadline_cuts_between_epochs_and_says_so(points):
    results = train_together(models.mlp, [member(13, epochs=100_000)], points, deadline=0.0)
    assert results[0].cut and 0 < len(results[0].history["epoch"]) < 100_000


def test_members_of_several_structures_come_back_in_their_order(points):
    some = [member(seed, hidden=(2 + seed % 2,)) for seed in range(4)]
    results = train_together(models.mlp, some, points)
    for one, result in zip(some, results):
        assert result.model.get_layer("dense_1").units == one.settings["hidden"][0]
    assert_same(results[-1], alone(points, some[-1]))


@pytest.mark.parametrize("together", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_training_below_a_bar_ends_there_and_one_above_goes_on(points, together):
    one = member(14, epochs=8)
    whole = alone(points, one)
    reached = whole.history["val_mse"]
    for bars, epoch in ((((2, 1e9), (4, min(reached[:4]) * 0.9)), 4), (((2, 1e9), (4, min(reached[:4]) * 1.1)), None)):
        if together:
            (result,) = train_together(models.mlp, [replace(one, bars=bars)], points)
        else:
            result = alone(points, one, bars=bars)
        assert result.pruned == epoch and result.history["epoch"] == list(range(1, (epoch or 8) + 1))
        np.testing.assert_allclose(result.history["val_mse"], reached[: epoch or 8], rtol=2e-4)


def test_groups_are_the_same_whichever_members_are_wanted(points):
    some = [member(seed, hidden=(2 + seed % 2,)) for seed in range(6)]
    whole = dict((tuple(places), results) for places, results in train_in_groups(models.mlp, some, points))
    part = dict((tuple(places), results) for places, results in train_in_groups(models.mlp, some, points, wanted={3}))
    ((places, results),) = part.items()
    assert 3 in places and places in whole
    for one, other in zip(results, whole[places]):
        assert one.history == other.history


def test_a_group_that_fails_harms_no_other(points):
    bad = replace(member(2, hidden=(3,)), start=[np.zeros(1)])  # a state of nothing
    with pytest.raises(ValueError):
        train_together(models.mlp, [member(1), bad], points)


def test_only_small_chains_of_dense_layers_suit():
    assert suits(models.mlp(input_shape=(1,), outputs=1), 100)
    assert suits(models.linear(input_shape=(1,), outputs=1), 100)
    assert not suits(models.linear(input_shape=(1,), outputs=1, degree=3), 100)
    assert not suits(models.mlp(input_shape=(28, 28), outputs=10), 60_000)
    assert not suits(models.mlp(input_shape=(1,), outputs=1, batch_normalization=True), 100)
    assert not suits(models.cnn(input_shape=(28, 28), outputs=10), 100)


def test_a_training_that_is_cut_before_the_mean_begins_keeps_its_latest_weights(points):
    planned = replace(member(3, held=None, epochs=2_000), average=0.1)
    (cut,) = train_together(models.mlp, [planned], points, deadline=0.0)
    done = len(cut.history["epoch"])
    assert cut.cut and done < 1_800
    (whole,) = train_together(models.mlp, [member(3, held=None, epochs=done)], points)
    for one, other in zip(cut.model.get_weights(), whole.model.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_groups_that_have_not_begun_at_the_deadline_are_left_out_but_for_the_first(points):
    found = train_together(models.mlp, [member(1, hidden=(units,)) for units in range(2, 8)], points, deadline=0.0)
    assert sum(one is not None for one in found) == 1
