"""The update rules of Keras's optimizers on plain tensors, so that every row can have its own rate and momentum.

A rule takes the slots, the gradient, and per row the rate, the momentum and the number of this step from 1; it
gives what to add to the weights, and the new slots. The constants are Keras's defaults; tests hold each rule to
Keras's own optimizer.
"""

import tensorflow as tf

EPSILON = 1e-7
BETA_1, BETA_2 = 0.9, 0.999


def sgd(slots, gradient, rate, momentum, step):
    """Slots: velocity."""
    (velocity,) = slots
    velocity = momentum * velocity - rate * gradient
    return velocity, (velocity,)


def rmsprop(slots, gradient, rate, momentum, step, rho=0.9):
    """Slots: mean square, velocity."""
    square, velocity = slots
    square = rho * square + (1 - rho) * gradient**2
    velocity = momentum * velocity + rate * gradient * tf.math.rsqrt(square + EPSILON)
    return -velocity, (square, velocity)


def adam(slots, gradient, rate, momentum, step):
    """Slots: mean, mean square."""
    mean, square = slots
    mean += (gradient - mean) * (1 - BETA_1)
    square += (gradient**2 - square) * (1 - BETA_2)
    rate = rate * tf.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
    return -rate * mean / (tf.sqrt(square) + EPSILON), (mean, square)


def adamax(slots, gradient, rate, momentum, step):
    """Slots: mean, largest."""
    mean, largest = slots
    mean += (gradient - mean) * (1 - BETA_1)
    largest = tf.maximum(BETA_2 * largest, tf.abs(gradient))
    return -rate / (1 - BETA_1**step) * mean / (largest + EPSILON), (mean, largest)


def nadam(slots, gradient, rate, momentum, step):
    """Slots: mean, mean square, product of the momentum's schedule (the same in all places of a row)."""
    mean, square, product = slots
    now, then = (BETA_1 * (1 - 0.5 * 0.96**number) for number in (step, step + 1))
    product = product * now
    mean += (gradient - mean) * (1 - BETA_1)
    square += (gradient**2 - square) * (1 - BETA_2)
    ahead = then * mean / (1 - product * then) + (1 - now) * gradient / (1 - product)
    return -rate * ahead / (tf.sqrt(square / (1 - BETA_2**step)) + EPSILON), (mean, square, product)


def adagrad(slots, gradient, rate, momentum, step):
    """Slots: sum of squares."""
    (total,) = slots
    total += gradient**2
    return -rate * gradient * tf.math.rsqrt(total + EPSILON), (total,)


def adadelta(slots, gradient, rate, momentum, step, rho=0.95):
    """Slots: mean square of gradients, mean square of steps."""
    square, moved = slots
    square = rho * square + (1 - rho) * gradient**2
    step = -tf.sqrt(moved + EPSILON) * gradient * tf.math.rsqrt(square + EPSILON)
    moved = rho * moved + (1 - rho) * step**2
    return rate * step, (square, moved)


# name: (rule, the value each of its slots starts from)
RULES = {
    "sgd": (sgd, (0.0,)),
    "rmsprop": (rmsprop, (0.0, 0.0)),
    "adam": (adam, (0.0, 0.0)),
    "adamw": (adam, (0.0, 0.0)),
    "adamax": (adamax, (0.0, 0.0)),
    "nadam": (nadam, (0.0, 0.0, 1.0)),
    "adagrad": (adagrad, (0.1,)),
    "adadelta": (adadelta, (0.0, 0.0)),
}
