"""Items reach a training in batches: in the order that is asked for, all of them, and without waiting for anything."""

import numpy as np
import pytest
import tensorflow as tf

from kerashw.batches import EVALUATION_BATCH, batches, epoch_order, in_order

X = np.arange(10, dtype="uint8")[:, None]
Y = 10 * np.arange(10)


def listed(dataset):
    """The x of each batch as lists, and all y in one."""
    some = [(x.numpy()[:, 0].tolist(), y.numpy().tolist()) for x, y in dataset]
    return [x for x, _ in some], [one for _, y in some for one in y]


def test_batches_have_the_order_that_the_variable_has_when_an_epoch_begins():
    order = tf.Variable([3, 1, 4, 5, 9], dtype="int32")
    dataset = batches(X, Y, order, batch_size=2)
    assert listed(dataset) == ([[3, 1], [4, 5], [9]], [30, 10, 40, 50, 90])
    order.assign([9, 5, 4, 1, 3])
    assert listed(dataset) == ([[9, 5], [4, 1], [3]], [90, 50, 40, 10, 30])
    assert len(dataset) == 3


def test_an_epoch_has_an_order_of_its_own_that_its_seed_alone_decides():
    first, again, second, other = (epoch_order(*one, np.arange(50)).tolist() for one in [(1, 0), (1, 0), (1, 1), (2, 0)])
    assert first == again and sorted(first) == sorted(second) == [*range(50)]
    assert first != second and first != other and second != other


def test_evaluation_has_the_chosen_items_in_their_own_order():
    many = np.arange(EVALUATION_BATCH + 2, dtype="int64")
    xs, ys = listed(in_order(many[:, None], many, many[::-1]))
    assert [len(x) for x in xs] == [EVALUATION_BATCH, 2] and ys == many[::-1].tolist()


@pytest.mark.parametrize("make", [
    lambda: batches(X, Y, tf.Variable([0, 1], dtype="int32"), batch_size=1), lambda: in_order(X, Y, np.arange(2)),
], ids=["training", "evaluation"])  # fmt: skip
def test_no_epoch_waits_for_the_thread_that_would_tune_its_pipeline(make):
    """That thread sleeps for as long as an epoch took, and the end of an epoch waits for it."""
    assert make().options().autotune.enabled is False
