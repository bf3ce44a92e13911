"""The update rules of a population are those of Keras's optimizers, step by step."""

import numpy as np
import pytest
import tensorflow as tf

from kerashw.building import make_optimizer
from kerashw.rules import RULES
from kerashw.settings import OPTIMIZERS

STEPS = 6
RATES, MOMENTA = (0.01, 0.1), (0.9, 0.5)  # of two members


def by_keras(optimizer, member, start, gradients):
    import keras

    made = make_optimizer(
        dict(optimizer=optimizer, learning_rate=RATES[member], momentum=MOMENTA[member]), steps=STEPS
    )
    variable = keras.Variable(start[member])
    for gradient in gradients:
        made.apply([tf.constant(gradient[member])], [variable])
    return np.asarray(variable)


def test_there_is_a_rule_for_every_optimizer():
    assert set(RULES) == set(OPTIMIZERS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_members_with_rates_of_their_own_move_as_keras_moves_them(optimizer):
    generator = np.random.default_rng(0)
    start = generator.standard_normal((2, 3, 4)).astype("float32")
    gradients = generator.standard_normal((STEPS, 2, 3, 4)).astype("float32")
    rule, initial = RULES[optimizer]
    rate, momentum = (tf.reshape(tf.constant(numbers), (2, 1, 1)) for numbers in (RATES, MOMENTA))
    weights, slots = tf.constant(start), tuple(tf.fill(start.shape, value) for value in initial)
    for number, gradient in enumerate(gradients, 1):
        change, slots = rule(slots, tf.constant(gradient), rate, momentum, tf.fill((2, 1, 1), float(number)))
        weights += change
    for member in range(2):
        np.testing.assert_allclose(weights[member], by_keras(optimizer, member, start, gradients), rtol=1e-5, atol=1e-6)
