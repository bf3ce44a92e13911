"""The compiled loop of a population: epochs and steps of all members of one structure at once, under XLA.

It knows tensors alone: `kerashw.population` brings the members in and takes the results out. The small weights of a
member lie in one row, one variable after the other: their update is then one operation instead of one for each,
which compiles faster and runs faster. A large kernel has a row of its own, which spares copying it.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import keras
import tensorflow as tf

from kerashw.rules import RULES


def structure_of(model):
    """What members must have in common: the layers with their sizes, but not their rates and factors."""
    own = ("name", "rate", "seed", "kernel_regularizer", "kernel_initializer", "bias_initializer", "dtype")
    return tuple(
        (type(layer).__name__, repr({key: value for key, value in layer.get_config().items() if key not in own}))
        for layer in model.layers
    )


@dataclass(frozen=True, eq=False)
class Shape:
    """A model's layers as a program sees them; two of one structure are equal, so that they share the program."""

    model: object
    structure: tuple = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "structure", structure_of(self.model))

    def __eq__(self, other):
        return self.structure == other.structure

    def __hash__(self):
        return hash(self.structure)


LARGE = 4096  # weights of a variable that has a row of its own


def rows_of(model):
    """The trainable variables that share a row, for each row."""
    variables = model.trainable_variables
    small = [variable for variable in variables if math.prod(variable.shape) < LARGE]
    large = [[variable] for variable in variables if math.prod(variable.shape) >= LARGE]
    return [small, *large] if small else large


class State(NamedTuple):
    """All that changes in a training; every array has its members along the first axis."""

    weights: tuple  # rows, (members, weights in it) each
    slots: tuple  # of the optimizer, each like `weights`
    steps: tf.Tensor  # (members, 1): steps done
    best_weights: tuple  # or, where nothing is held out to judge by, the mean of those after the last epochs
    best_score: tf.Tensor  # (members,), the higher the better
    waited: tf.Tensor  # (members,): epochs since the best
    running: tf.Tensor  # (members,): neither diverged nor out of patience


class Fixed(NamedTuple):
    """What each member brings and keeps; (members,) unless it says otherwise."""

    rate: tf.Tensor  # (members, 1), as the next four
    momentum: tf.Tensor
    decay: tf.Tensor
    cosine: tf.Tensor  # whether the rate falls to 0 over `total_steps`
    total_steps: tf.Tensor
    factors: tuple  # of L2, each like the weights; empty if no member has any
    drop_rates: tf.Tensor  # (members, dropout layers)
    seeds: tf.Tensor
    sizes: tf.Tensor  # training items
    batch_sizes: tf.Tensor
    epochs: tf.Tensor
    mean_from: tf.Tensor  # the first epoch, from 0, whose weights count in the mean
    patience: tf.Tensor
    held: tf.Tensor  # (members, most): validation items, padded
    held_sizes: tf.Tensor
    spread: tf.Tensor  # (members, outputs): squared deviations of the training targets, for R2
    held_spread: tf.Tensor  # the same of the validation targets
    objective: tf.Tensor  # the column of the history that decides which epoch is best; -1 for none
    sign: tf.Tensor  # 1 where more is better, -1 where less is


@functools.lru_cache(maxsize=64)
def program(shape, optimizer, wide, in_step, is_classification, outputs):
    """The compiled loop over epochs and steps for one structure.

    `in_step` says that all members have as many steps in an epoch, so that none has to wait for the others.
    """
    layers = shape.model.layers
    rule = RULES[optimizer][0]
    rows = rows_of(shape.model)

    def apart(weights):
        """{place of a variable in the model: its weights}, (members, weights) each."""
        parts = {}
        for variables, row in zip(rows, weights):
            split = tf.split(row, [math.prod(variable.shape) for variable in variables], axis=1)
            parts.update(zip(map(id, variables), split))
        return [parts[id(variable)] for variable in shape.model.trainable_variables]

    def forward(weights, x, drop=None):
        weights, dropouts = iter(apart(weights)), 0
        members = x.shape[0]
        x = tf.cast(x, shape.model.inputs[0].dtype)  # as Keras does where a model takes floats and the items are pixels
        for layer in layers:
            if isinstance(layer, keras.layers.Dense):
                x = tf.matmul(x, tf.reshape(next(weights), (members, -1, layer.units)))
                x = layer.activation(x + next(weights)[:, tf.newaxis] if layer.use_bias else x)
            elif isinstance(layer, keras.layers.Dropout):
                x = x if drop is None else drop(dropouts, x)
                dropouts += 1
            elif not isinstance(layer, keras.layers.InputLayer):
                merged = layer(tf.reshape(x, (-1, *x.shape[2:])))
                x = tf.reshape(merged, (members, -1, *merged.shape[1:]))
        return x

    def gradients_of(weights, x, y, inside, size, fixed, drop):
        """(loss of each member's batch, what its metric adds up, gradients)."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss, added = _losses(forward(weights, x, drop), y, is_classification)
            loss = tf.reduce_sum(tf.where(inside, loss, 0.0), axis=1) / tf.maximum(size, 1.0)
            loss += _penalty(weights, fixed.factors)
        added = tf.reduce_sum(tf.where(inside[..., tf.newaxis], added, 0.0), axis=1)
        return loss, added, tape.gradient(loss, weights)

    def step(data, order, fixed, number, weights, slots, steps, total, sums):
        """One batch of every member: what changes in an epoch, after it."""
        columns = tf.range(wide)
        places = number * fixed.batch_sizes[:, tf.newaxis] + columns
        inside = (columns < fixed.batch_sizes[:, tf.newaxis]) & (places < fixed.sizes[:, tf.newaxis])
        chosen = tf.gather(order, tf.minimum(places, order.shape[1] - 1), batch_dims=1)
        size = tf.reduce_sum(tf.cast(inside, tf.float32), axis=1)

        def drop(which, x):
            chance = fixed.drop_rates[:, which][:, tf.newaxis, tf.newaxis]
            return tf.where(_uniform(fixed.seeds, steps, which, x.shape) >= chance, x / (1 - chance), 0.0)

        x, y = (tf.gather(part, chosen) for part in data)
        loss, added, gradients = gradients_of(weights, x, y, inside, size, fixed, drop)
        falling = 0.5 * (1 + tf.cos(math.pi * tf.minimum(steps / fixed.total_steps, 1.0)))
        rate = tf.where(fixed.cosine, fixed.rate * falling, fixed.rate)
        changed = [
            rule(of_row, gradient, rate, fixed.momentum, steps + 1) for gradient, *of_row in zip(gradients, *slots)
        ]
        moved = tuple(row * (1 - fixed.decay * rate) + change for row, (change, _) in zip(weights, changed))
        after = (moved, tuple(zip(*(of_row for _, of_row in changed))), steps + 1)
        weights, slots, steps = after if in_step else _where(size > 0, after, (weights, slots, steps))
        return number + 1, weights, slots, steps, total + tf.where(size > 0, loss * size, 0.0), sums + added

    def judged(data, state, fixed):
        """The columns of the history that the validation items give."""
        count = tf.cast(fixed.held_sizes, tf.float32)
        mask = tf.cast(tf.range(fixed.held.shape[1])[tf.newaxis] < fixed.held_sizes[:, tf.newaxis], tf.float32)
        x, y = (tf.gather(part, fixed.held) for part in data)
        loss, added = _losses(forward(state.weights, x), y, is_classification)
        loss = tf.reduce_sum(loss * mask, axis=1) / count + _penalty(state.weights, fixed.factors)
        added = tf.reduce_sum(added * mask[..., tf.newaxis], axis=1)
        return _summed(loss, added, count, fixed.held_spread, is_classification)

    def epoch(data, order, fixed, number, state):
        """(the state after an epoch, its row of the history)."""
        members = state.steps.shape[0]
        running = state.running & (number < fixed.epochs)
        before = (state.weights, state.slots, state.steps)
        most = tf.reduce_max(-(-fixed.sizes // fixed.batch_sizes))
        _, *after, total, sums = tf.while_loop(
            lambda at, *_: at < most, lambda *inner: step(data, order, fixed, *inner),
            (0, *before, tf.zeros([members]), tf.zeros([members, 1 if is_classification else outputs])),
        )  # fmt: skip
        weights, slots, steps = _where(running, tuple(after), before)
        state = state._replace(weights=weights, slots=slots, steps=steps)
        size = tf.cast(fixed.sizes, tf.float32)
        row = _summed(total / size, sums, size, fixed.spread, is_classification)
        healthy = tf.math.is_finite(row[0])
        if fixed.held.shape[1]:
            of_held = judged(data, state, fixed)
            row, healthy = row + of_held, healthy & tf.math.is_finite(of_held[0])
        # The last column is NaN for a member that no longer takes part.
        row = tf.stack([*row, tf.where(running, 0.0, math.nan)], axis=1)
        score = fixed.sign * tf.gather(row, tf.maximum(fixed.objective, 0), axis=1)
        improved = running & healthy & (score > state.best_score)
        best = _where(improved, weights, state.best_weights)
        if not fixed.held.shape[1]:
            share = 1 / tf.cast(tf.maximum(number - fixed.mean_from + 1, 1), tf.float32)[:, tf.newaxis]
            # Before the first epoch that counts the share is 1: a training that is cut there keeps its latest weights.
            best = tuple(mean + (row - mean) * share for mean, row in zip(state.best_weights, weights))
            best = _where(running, best, state.best_weights)
        waited = tf.where(improved, 0, state.waited + 1)
        state = state._replace(
            best_weights=best,
            best_score=tf.where(improved, score, state.best_score),
            waited=waited,
            running=running & healthy & ((waited < fixed.patience) | (number == 0)),
        )
        return state, row

    @tf.function(jit_compile=True, autograph=False)
    def loop(data, orders, count, first, state, fixed):
        """(the state after `count` epochs, their history); `orders` has one row of items per epoch and member."""

        def body(number, state, history):
            state, row = epoch(data, orders[number], fixed, first + number, state)
            return number + 1, state, history.write(number, row)

        width = (2 if is_classification else 3) * (2 if fixed.held.shape[1] else 1) + 1
        history = tf.TensorArray(tf.float32, size=orders.shape[0], element_shape=(state.steps.shape[0], width))
        _, state, history = tf.while_loop(lambda number, *_: number < count, body, (0, state, history))
        return state, history.stack()

    return loop


def _penalty(weights, factors):
    """The L2 penalty of each member."""
    # A weight that overflowed must not reach members without a penalty as 0 * infinity.
    squares = (tf.where(factor > 0, factor * row**2, 0.0) for factor, row in zip(factors, weights))
    return sum((tf.reduce_sum(square, axis=1) for square in squares), 0.0)


def _losses(answers, y, is_classification):
    """(loss of each item, what its metric adds up): hits, or squared errors for each output."""
    if is_classification:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=answers)
        return loss, tf.cast(tf.equal(tf.argmax(answers, -1), y), tf.float32)[..., tf.newaxis]
    squares = (answers - y) ** 2
    return tf.reduce_mean(squares, axis=-1), squares


def _summed(loss, sums, count, spread, is_classification):
    """The columns of the history: loss and accuracy, or loss, MSE and R2."""
    if is_classification:
        return [loss, sums[:, 0] / count]
    explained = tf.reduce_mean(1 - sums / spread, axis=-1)
    return [loss, tf.reduce_mean(sums, axis=-1) / count, explained]


def _where(members, new, old):
    """The new arrays of the members that are marked, the old ones of the others."""
    return tf.nest.map_structure(lambda one, other: tf.where(members[:, tf.newaxis], one, other), new, old)


def _uniform(seeds, steps, which, shape):
    """Numbers in [0, 1) that depend on a member's seed, its step and the place alone, whoever else is in the loop."""
    place = tf.cast(tf.range(math.prod(shape[1:])), tf.uint32)[tf.newaxis] + tf.constant(
        which * 0x9E3779B1 % 2**32, tf.uint32
    )
    row = tf.cast(seeds[:, tf.newaxis], tf.uint32) * tf.constant(0x85EBCA6B, tf.uint32)
    row = _mixed(row ^ tf.cast(tf.cast(steps, tf.int32), tf.uint32))
    bits = tf.bitwise.right_shift(_mixed(_mixed(place) + row), tf.constant(8, tf.uint32))
    return tf.reshape(tf.cast(tf.cast(bits, tf.int32), tf.float32) / 2.0**24, shape)


def _mixed(bits):
    """A 32-bit mix in which every bit of the input decides about every bit of the result (the murmur finaliser)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))) * tf.constant(factor, tf.uint32)
    return bits ^ tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))
