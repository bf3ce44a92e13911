"""The optimizer whose numbers may change moves weights as Keras's own do, and is traced once."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerashw.building import make_optimizer
from kerashw.optimizers import Adjustable
from kerashw.settings import OPTIMIZERS, TRAINING

STEPS = 6
GENERATOR = np.random.default_rng(0)
START = GENERATOR.standard_normal((3, 4)).astype("float32")
GRADIENTS = GENERATOR.standard_normal((STEPS, 3, 4)).astype("float32")
OTHER = dict(TRAINING, learning_rate=0.3, momentum=0.2, weight_decay=0.4, schedule="cosine")


def asked(momentum, weight_decay, schedule, learning_rate=0.02):
    return dict(
        TRAINING, learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay, schedule=schedule
    )  # fmt: skip


NUMBERS = [asked(*numbers) for numbers in itertools.product((0.0, 0.9), (0.0, 0.1), ("constant", "cosine"))]


def moved(optimizer, variable):
    """The variable after every step; it starts where all do."""
    variable.assign(START)
    steps = []
    for gradient in GRADIENTS:
        optimizer.apply([tf.constant(gradient)], [variable])
        steps.append(np.array(variable))
    return np.stack(steps)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_weights_move_as_with_keras_whatever_the_numbers_and_what_was_done_before(kind):
    """One optimizer, told new numbers each time, against a new one of Keras's for each."""
    variable = keras.Variable(START)
    ours = Adjustable(kind)
    ours.adjust(OTHER, 3)
    moved(ours, variable)
    for settings in NUMBERS:
        ours.restart()
        ours.adjust(settings, STEPS)
        theirs = make_optimizer(dict(settings, optimizer=kind), STEPS)
        expected = moved(theirs, keras.Variable(START))
        np.testing.assert_allclose(moved(ours, variable), expected, rtol=1e-6, atol=1e-6, err_msg=str(settings))


def test_other_numbers_move_weights_otherwise():
    variable, ends = keras.Variable(START), []
    ours = Adjustable("sgd")
    for settings in (*NUMBERS, asked(0.9, 0.1, "cosine", learning_rate=0.03)):
        ours.build([variable])
        ours.restart()
        ours.adjust(settings, STEPS)
        ends.append(moved(ours, variable)[-1].tobytes())
    assert len(set(ends)) == len(NUMBERS) + 1


def test_new_numbers_are_not_traced_again():
    variable, ours, traces = keras.Variable(START), Adjustable("rmsprop"), []
    ours.build([variable])

    @tf.function
    def step(gradient):
        traces.append(1)
        ours.apply([gradient], [variable])

    for settings in NUMBERS:
        ours.adjust(settings, STEPS)
        step(tf.constant(GRADIENTS[0]))
    assert len(traces) == 1


def test_the_rate_falls_along_a_cosine_and_stays_at_zero():
    ours = Adjustable("sgd")
    ours.adjust(asked(0.0, 0.0, "cosine", learning_rate=0.01), steps=8)
    rates = []
    for step in (0, 4, 8, 9):
        ours.iterations.assign(step)
        rates.append(float(ours.learning_rate))
    assert rates == pytest.approx([0.01, 0.005, 0.0, 0.0], abs=1e-9)


def test_the_numbers_are_no_part_of_the_state():
    """So a training may go on from it with another rate."""
    variable, ours = keras.Variable(START), Adjustable("adam")
    ours.build([variable])
    assert [tuple(one.shape) for one in ours.variables] == [(), (3, 4), (3, 4)]


def test_an_embedding_is_trained_as_with_keras():
    """Its gradient comes in slices, two of them for one row here."""
    items, ends = tf.constant([[0, 2], [2, 1]]), []
    settings = asked(0.0, 0.1, "constant")
    ours = Adjustable("sgd")
    ours.adjust(settings, STEPS)
    for optimizer in (ours, make_optimizer(dict(settings, optimizer="sgd"), STEPS)):
        layer = keras.layers.Embedding(4, 3, weights=[np.ones((4, 3), "float32")])
        layer.build(items.shape)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(items) ** 2)
            optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        ends.append(np.array(layer.trainable_variables[0]))
    np.testing.assert_allclose(*ends, rtol=1e-6)
