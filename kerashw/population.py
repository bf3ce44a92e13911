"""Many small trainings at once: members of one structure share one compiled loop, each with its own data and rates.

The weights of a layer are stacked, (members, inputs, units); a layer of all members is one batched product. The
order of items, the starting weights and the update rules are those of `kerashw.training.train`, so a member ends
where the same model trained alone by Keras ends, apart from the rounding of sums.
"""

import functools
import math
import time
from dataclasses import dataclass, field, replace

import keras
import numpy as np
import tensorflow as tf

from kerashw.rules import RULES
from kerashw.settings import TRAINING, builder_keywords
from kerashw.study import OBJECTIVES
from kerashw.training import Diverged, Trained, build_model, draw_weights, epoch_order, pick_best

SMALL = 1e8  # items times parameters: above it the arithmetic outweighs what `fit` costs per epoch
TOGETHER = 64  # members in one loop; more would leave the caches of a processor
CHUNK_ITEMS = 400_000  # items of all members between two looks at the clock, about a second of work
LAYERS_WITHOUT_WEIGHTS = (
    keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Flatten, keras.layers.Reshape,
    keras.layers.Activation,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One training among many: the same that the arguments of `kerashw.training.train` say of one alone."""

    settings: dict
    train_indices: np.ndarray
    validation_indices: np.ndarray | None
    seed: int
    epochs: int | None = None
    initial_epoch: int = 0
    start: list | None = None


def suits(model, items):
    """Whether a model is a chain of dense layers, small enough for so many items that `fit` would mostly wait."""
    if items * model.count_params() > SMALL or not isinstance(model, keras.Model):
        return False
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return False
    previous = None
    for layer in model.layers:
        if type(layer) not in (keras.layers.Dense, keras.layers.Dropout, *LAYERS_WITHOUT_WEIGHTS):
            return False
        if previous is not None and layer.input is not previous.output:
            return False
        previous = layer
    return previous.output is model.outputs[0]


def train_together(
    builder, members, task, *, objective=None, score_epoch="best", keep_models=True, keep_last=False,
    deadline=math.inf, report=None,
):  # fmt: skip
    """A Trained model for each member, in their order; for one that diverged, the Diverged it would have raised.

    `report` is called with the epochs done since the last call, all members added up. The models must suit.
    """
    shared = {}  # one model for all members that differ in training alone
    built, groups = [], {}
    for place, member in enumerate(members):
        settings = {**TRAINING, **member.settings}
        key = repr([settings.get(name) for name in builder_keywords(builder)])
        if key not in shared:
            shared[key] = _build(builder, settings, task)
        built.append(shared[key])
        batch_size = min(settings["batch_size"], len(member.train_indices))
        wide = 1 << (batch_size - 1).bit_length()  # rows of a batch: the next power of two, the rest is masked
        groups.setdefault((_structure(shared[key]), settings["optimizer"], wide), []).append(place)
    results = [None] * len(members)
    for (_, optimizer, wide), places in groups.items():
        for first in range(0, len(places), TOGETHER):
            some = places[first : first + TOGETHER]
            group = _Group(
                [members[place] for place in some], [built[place] for place in some], task, optimizer, wide,
                objective or task.objective, score_epoch,
            )  # fmt: skip
            for place, trained in zip(some, group.train(deadline, keep_last, report or (lambda epochs: None))):
                if keep_models and isinstance(trained, Trained):
                    model = _build(builder, {**TRAINING, **members[place].settings}, task)
                    trained = replace(trained, model=_assign(model, trained.model))
                results[place] = trained
    return results


def _build(builder, settings, task):
    return build_model(builder, settings, input_shape=task.x.shape[1:], outputs=task.outputs)


def _structure(model):
    """What members must have in common: the layers with their sizes, but not their rates and factors."""
    own = ("name", "rate", "seed", "kernel_regularizer", "kernel_initializer", "bias_initializer", "dtype")
    return tuple(
        (type(layer).__name__, repr({key: value for key, value in layer.get_config().items() if key not in own}))
        for layer in model.layers
    )


@dataclass
class _State:
    """All that changes in a training; every array has its members along the first axis."""

    weights: tuple  # kernels (members, inputs, units) and biases (members, 1, units)
    slots: tuple  # of the optimizer, each like `weights`
    steps: tf.Tensor  # (members, 1, 1): steps done
    best_weights: tuple
    best_score: tf.Tensor  # (members,), the higher the better
    waited: tf.Tensor  # (members,): epochs since the best
    running: tf.Tensor  # (members,): neither diverged nor out of patience

    def parts(self):
        return (self.weights, self.slots, self.steps, self.best_weights, self.best_score, self.waited, self.running)


class _Group:
    """Members of one structure and optimizer, trained in one loop."""

    def __init__(self, members, models, task, optimizer, wide, objective, score_epoch):
        self.members, self.models, self.task = members, models, task
        self.settings = [{**TRAINING, **member.settings} for member in members]
        self.epochs = np.array([member.epochs or own["epochs"] for member, own in zip(members, self.settings)])
        self.initial = members[0].initial_epoch
        self.objective, self.score_epoch = objective, score_epoch
        self.optimizer = optimizer
        self.longest = max(len(member.train_indices) for member in members)
        steps = {
            -(-len(member.train_indices) // own["batch_size"]) for member, own in zip(members, self.settings)
        }
        self.program = _program(
            _Shape(models[0]), optimizer, wide, len(steps) == 1, task.is_classification, task.outputs
        )

    def train(self, deadline, keep_last, report):
        """The results in the order of the members, with arrays of weights where Trained has the model."""
        began = time.monotonic()
        state, constants = self._first_state(), self._constants()
        data = tf.constant(self.task.x), tf.constant(self.task.y)
        rows, at, cut = [], self.initial, False
        last = int(self.epochs.max())
        chunk = int(np.clip(CHUNK_ITEMS // (len(self.members) * self.longest), 1, 256))
        while at < last and not cut and state.running.numpy().any():
            count = min(chunk, last - at)
            orders = np.zeros((chunk, len(self.members), self.longest), "int32")
            for place, member in enumerate(self.members):
                for epoch in range(count):
                    order = epoch_order(member.seed, at + epoch, member.train_indices)
                    orders[epoch, place, : len(order)] = order
            *parts, history = self.program(
                *data, tf.constant(orders), tf.constant(count), tf.constant(at), *state.parts(), *constants
            )
            state = _State(*parts)
            rows.append(history.numpy()[:count])
            at += count
            report(count * len(self.members))
            cut = at < last and time.monotonic() > deadline
        return self._results(state, np.concatenate(rows), time.monotonic() - began, cut, keep_last)

    def _first_state(self):
        drawn = [_matrices(draw_weights(model, own.seed)) for model, own in zip(self.models, self.members)]
        weights = [np.stack(arrays) for arrays in zip(*drawn)]
        slots = [[np.full_like(array, value) for array in weights] for value in RULES[self.optimizer][1]]
        steps = np.zeros((len(self.members), 1, 1), "float32")
        for place, member in enumerate(self.members):
            if member.start is not None:
                steps[place], *kept = member.start
                for array, row in zip((*weights, *(array for slot in slots for array in slot)), kept, strict=True):
                    array[place] = row
        members = len(self.members)
        weights = tuple(map(tf.constant, weights))
        return _State(
            weights, tuple(tuple(map(tf.constant, slot)) for slot in slots), tf.constant(steps), weights,
            tf.fill([members], -math.inf), tf.zeros([members], tf.int32), tf.fill([members], True),
        )  # fmt: skip

    def _constants(self):
        """What stays the same: per member the numbers that settings give, and its validation items."""
        held = [member.validation_indices for member in self.members]
        held = [np.zeros(0, "int32") if indices is None else indices for indices in held]
        most = max(map(len, held))
        padded = np.zeros((len(held), most), "int32")
        for row, indices in zip(padded, held):
            row[: len(indices)] = indices
        sizes = np.array([len(member.train_indices) for member in self.members], "int32")
        batch = np.array([min(own["batch_size"], size) for own, size in zip(self.settings, sizes)], "int32")
        watched = self.score_epoch == "best" and most > 0
        patience = [own["patience"] or 2**30 if watched else 2**30 for own in self.settings]
        total_steps = -(-sizes // batch) * self.epochs

        def column(name):
            return tf.constant([[[own[name]]] for own in self.settings], tf.float32)

        y = self.task.y.astype("float32")
        spread = [[_spread(y, indices) for indices in group] for group in
                  ([member.train_indices for member in self.members], held)]  # fmt: skip
        return (
            column("learning_rate"), column("momentum"), column("weight_decay"),
            tf.constant([[[own["schedule"] == "cosine"]] for own in self.settings]),
            tf.constant(total_steps[:, None, None], tf.float32),
            tf.constant([_factors(model) for model in self.models], tf.float32),
            tf.constant([_rates(model) for model in self.models], tf.float32),
            tf.constant([member.seed & 0x7FFFFFFF for member in self.members], tf.int32),
            tf.constant(sizes), tf.constant(batch), tf.constant(self.epochs, tf.int32), tf.constant(patience, tf.int32),
            tf.constant(padded), tf.constant([len(indices) for indices in held], tf.int32),
            tf.constant(spread[0], tf.float32), tf.constant(spread[1], tf.float32),
            tf.constant(_metric_names(self.task, True).index(self.objective) if watched else -1),
            tf.constant(1.0 if OBJECTIVES[self.objective] == "max" else -1.0),
        )  # fmt: skip

    def _results(self, state, history, seconds, cut, keep_last):
        results = []
        for place, member in enumerate(self.members):
            held = member.validation_indices is not None
            names = _metric_names(self.task, held)
            rows = history[: self.epochs[place] - self.initial, place, : len(names)]
            rows = rows[~np.isnan(history[: len(rows), place, -1])]  # the last column is NaN once a member has stopped
            number = self.initial + len(rows)
            if not np.isfinite(rows[-1, [names.index(name) for name in names if name.endswith("loss")]]).all():
                results.append(Diverged(f"loss was {rows[-1, 0]} after epoch {number}"))
                continue
            told = {"epoch": list(range(self.initial + 1, number + 1))}
            told.update({name: rows[:, column].astype(float).tolist() for column, name in enumerate(names)})
            best = pick_best(told, self.objective) if held and self.score_epoch == "best" else number
            kept = state.best_weights if held and self.score_epoch == "best" else state.weights
            last = None
            if keep_last:
                arrays = (state.steps, *state.weights, *(array for slot in state.slots for array in slot))
                last = [array[place].numpy() for array in arrays]
            results.append(Trained([array[place].numpy() for array in kept], told, best, seconds / len(self.members), last, cut))
        return results


@dataclass(frozen=True, eq=False)
class _Shape:
    """A model's layers as a program sees them; two of one structure are equal, so that they share the program."""

    model: object
    structure: tuple = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "structure", _structure(self.model))

    def __eq__(self, other):
        return self.structure == other.structure

    def __hash__(self):
        return hash(self.structure)


@functools.lru_cache(maxsize=64)
def _program(shape, optimizer, wide, in_step, is_classification, outputs):
    """The compiled loop over epochs and steps for one structure.

    `in_step` says that all members have as many steps in an epoch, so that none has to wait for the others.
    """
    layers = shape.model.layers
    rule = RULES[optimizer][0]

    def forward(weights, x, drop=None):
        weights, dropouts = iter(weights), 0
        members = x.shape[0]
        for layer in layers:
            if isinstance(layer, keras.layers.Dense):
                x = tf.matmul(x, next(weights))
                x = layer.activation(x + next(weights) if layer.use_bias else x)
            elif isinstance(layer, keras.layers.Dropout):
                x = x if drop is None else drop(dropouts, x)
                dropouts += 1
            elif not isinstance(layer, keras.layers.InputLayer):
                merged = layer(tf.reshape(x, (-1, *x.shape[2:])))
                x = tf.reshape(merged, (members, -1, *merged.shape[1:]))
        return x

    def penalty(weights, factors):
        squares = tf.stack([tf.reduce_sum(array**2, axis=(1, 2)) for array in weights], axis=1)
        # A weight that overflowed must not reach members without a penalty as 0 * infinity.
        return tf.reduce_sum(tf.where(factors > 0, factors * squares, 0.0), axis=1)

    def losses(answers, y):
        """(loss of each item, what its metric adds up): hits, or squared errors for each output."""
        if is_classification:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=answers)
            return loss, tf.cast(tf.equal(tf.argmax(answers, -1), y), tf.float32)[..., tf.newaxis]
        squares = (answers - y) ** 2
        return tf.reduce_mean(squares, axis=-1), squares

    def summed(loss, sums, count, spread):
        """The columns of the history: loss and accuracy, or loss, MSE and R2."""
        if is_classification:
            return [loss, sums[:, 0] / count]
        explained = tf.reduce_mean(1 - sums / spread, axis=-1)
        return [loss, tf.reduce_mean(sums, axis=-1) / count, explained]

    @tf.function(jit_compile=True, autograph=False)
    def program(
        x, y, orders, count, first, weights, slots, steps, best_weights, best_score, waited, running,
        rate, momentum, decay, cosine, total_steps, factors, drop_rates, seeds, sizes, batch_sizes, epochs, patience,
        held, held_sizes, spread, held_spread, objective, sign,
    ):  # fmt: skip
        members = weights[0].shape[0]
        columns = tf.range(wide)
        most_steps = tf.reduce_max(-(-sizes // batch_sizes))
        held_count = tf.cast(held_sizes, tf.float32)
        held_mask = tf.cast(tf.range(held.shape[1])[tf.newaxis] < held_sizes[:, tf.newaxis], tf.float32)
        metrics = 2 if is_classification else 3

        def step_of(order, state):
            number, weights, slots, steps, total, sums = state
            places = number * batch_sizes[:, tf.newaxis] + columns
            inside = (columns < batch_sizes[:, tf.newaxis]) & (places < sizes[:, tf.newaxis])
            chosen = tf.gather(order, tf.minimum(places, order.shape[1] - 1), batch_dims=1)
            mask = tf.cast(inside, tf.float32)
            size = tf.reduce_sum(mask, axis=1)

            def drop(which, x):
                chance = drop_rates[:, which][:, tf.newaxis, tf.newaxis]
                drawn = _uniform(seeds, steps, which, x.shape)
                return tf.where(drawn >= chance, x / (1 - chance), 0.0)

            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss, added = losses(forward(weights, tf.gather(x, chosen), drop), tf.gather(y, chosen))
                loss = tf.reduce_sum(tf.where(inside, loss, 0.0), axis=1) / tf.maximum(size, 1.0)
                loss += penalty(weights, factors)
            gradients = tape.gradient(loss, weights)
            now = tf.where(cosine, rate * 0.5 * (1 + tf.cos(math.pi * tf.minimum(steps / total_steps, 1.0))), rate)
            changed = [
                rule(of_array, gradient, now, momentum, steps + 1) for gradient, *of_array in zip(gradients, *slots)
            ]
            new_weights = tuple(
                array * (1 - decay * now) + change for array, (change, _) in zip(weights, changed)
            )
            new = (new_weights, tuple(zip(*(of_array for _, of_array in changed))), steps + 1)
            weights, slots, steps = new if in_step else _where(size > 0, new, (weights, slots, steps))
            total += tf.where(size > 0, loss * size, 0.0)
            sums += tf.reduce_sum(tf.where(inside[..., tf.newaxis], added, 0.0), axis=1)
            return number + 1, weights, slots, steps, total, sums

        def epoch_of(number, weights, slots, steps, best_weights, best_score, waited, running, history):
            running &= first + number < epochs
            width = 1 if is_classification else outputs
            before = (weights, slots, steps)
            _, *after, total, sums = tf.while_loop(
                lambda at, *_: at < most_steps, lambda *state: step_of(orders[number], state),
                (0, *before, tf.zeros([members]), tf.zeros([members, width])),
            )  # fmt: skip
            weights, slots, steps = _where(running, tuple(after), before)
            size = tf.cast(sizes, tf.float32)
            row = summed(total / size, sums, size, spread)
            if held.shape[1]:
                loss, added = losses(forward(weights, tf.gather(x, held)), tf.gather(y, held))
                loss = tf.reduce_sum(loss * held_mask, axis=1) / held_count + penalty(weights, factors)
                row += summed(loss, tf.reduce_sum(added * held_mask[..., tf.newaxis], axis=1), held_count,
                              held_spread)  # fmt: skip
            healthy = tf.math.is_finite(row[0]) & tf.math.is_finite(row[metrics] if held.shape[1] else row[0])
            row = tf.stack([*row, tf.where(running, 0.0, math.nan)], axis=1)
            score = tf.where(objective >= 0, sign * tf.gather(row, tf.maximum(objective, 0), axis=1), 0.0)
            improved = running & healthy & (score > best_score)
            best_weights = _where(improved, weights, best_weights)
            best_score = tf.where(improved, score, best_score)
            waited = tf.where(improved, 0, waited + 1)
            running &= healthy & ((waited < patience) | (first + number == 0))
            return (number + 1, weights, slots, steps, best_weights, best_score, waited, running,
                    history.write(number, row))  # fmt: skip

        width = metrics * (2 if held.shape[1] else 1) + 1
        history = tf.TensorArray(tf.float32, size=orders.shape[0], element_shape=(members, width))
        _, *state, history = tf.while_loop(
            lambda number, *_: number < count, epoch_of,
            (0, weights, slots, steps, best_weights, best_score, waited, running, history),
        )  # fmt: skip
        return (*state, history.stack())

    return program


def _where(members, new, old):
    """The new arrays of the members that are marked, the old ones of the others."""
    return tf.nest.map_structure(lambda one, other: tf.where(members[:, tf.newaxis, tf.newaxis], one, other), new, old)


def _uniform(seeds, steps, which, shape):
    """Numbers in [0, 1) that depend on a member's seed, its step and the place alone, whoever else is in the loop."""
    place = tf.cast(tf.range(math.prod(shape[1:])), tf.uint32)[tf.newaxis] + tf.constant(
        which * 0x9E3779B1 % 2**32, tf.uint32
    )
    row = tf.cast(seeds[:, tf.newaxis], tf.uint32) * tf.constant(0x85EBCA6B, tf.uint32)
    row = _mixed(row ^ tf.cast(tf.cast(steps[:, 0], tf.int32), tf.uint32))
    bits = tf.bitwise.right_shift(_mixed(_mixed(place) + row), tf.constant(8, tf.uint32))
    return tf.reshape(tf.cast(tf.cast(bits, tf.int32), tf.float32) / 2.0**24, shape)


def _mixed(bits):
    """A 32-bit mix in which every bit of the input decides about every bit of the result (the murmur finaliser)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))) * tf.constant(factor, tf.uint32)
    return bits ^ tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))


def _metric_names(task, held):
    names = ["loss", "accuracy"] if task.is_classification else ["loss", "mse", "r2"]
    return names + [f"val_{name}" for name in names] if held else names


def _matrices(model):
    """The kernels (inputs, units) and biases (1, units) of a chain of dense layers."""
    return [np.asarray(variable).reshape(-1, variable.shape[-1]) for variable in model.trainable_variables]


def _assign(model, arrays):
    for variable, array in zip(model.trainable_variables, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))
    return model


def _factors(model):
    """The L2 factor of each weight array, 0 where there is none."""
    factors = []
    for layer in model.layers:
        for variable in layer.trainable_variables:
            regularizer = getattr(layer, f"{variable.name}_regularizer", None)
            factors.append(float(regularizer.l2) if regularizer is not None else 0.0)
    return factors


def _rates(model):
    return [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]


def _spread(y, indices):
    """The sum of squared deviations of each output over some items, for R2."""
    if y.ndim == 1 or not len(indices):
        return [1.0] * (1 if y.ndim == 1 else y.shape[-1])
    return ((y[indices] - y[indices].mean(axis=0)) ** 2).sum(axis=0)
