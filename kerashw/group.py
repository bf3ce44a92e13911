"""One group of members: their weights stacked, trained epoch by epoch in one loop, and taken apart again."""

import itertools
import math
import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from kerashw.averaging import averaged_from
from kerashw.batches import epoch_order
from kerashw.loop import Fixed, Shape, State, program, rows_of
from kerashw.objectives import OBJECTIVES, cost_sign
from kerashw.reuse import draw_weights
from kerashw.rules import RULES
from kerashw.scores import first_below, pick_best
from kerashw.settings import TRAINING
from kerashw.training import Diverged, Trained

# Between two looks at the clock: so many items of all members, or items times parameters; about a second of work.
CHUNK_ITEMS, CHUNK_WORK = 400_000, 1e10


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
    bars: tuple = ()
    average: float = 0.0  # without validation items: the share of the last epochs whose weights are averaged


class Group:
    """Members of one structure and optimizer, trained in one loop of `size` places."""

    def __init__(
        self, places, members, models, task, *,
        size, optimizer, wide, in_step, longest, most_held, objective, score_epoch,
    ):  # fmt: skip
        self.places, self.members, self.task = places, members, task
        self.shape = dict(size=size, optimizer=optimizer, wide=wide, in_step=in_step, longest=longest,
                          most_held=most_held, objective=objective, score_epoch=score_epoch)  # fmt: skip
        fill = size - len(members)
        self.rows = [*members, *members[:1] * fill]  # all places of the loop; what is filled in does nothing
        self.models = [*models, *models[:1] * fill]
        self.settings = [{**TRAINING, **member.settings} for member in self.rows]
        self.epochs = np.array([member.epochs or own["epochs"] for member, own in zip(self.rows, self.settings)])
        self.initial = members[0].initial_epoch
        self.objective, self.score_epoch = objective, score_epoch
        self.optimizer, self.longest, self.most_held = optimizer, longest, most_held
        self.loop = program(Shape(models[0]), optimizer, wide, in_step, task.is_classification, task.outputs)

    def train(self, state, deadline, keep_models, keep_last, report, share):
        """The results in the order of the members, with arrays of weights where Trained has the model.

        `share` is how many groups train at a time: the seconds of each count for so much less.
        """
        began = time.monotonic()
        fixed = self._fixed()
        data = tf.constant(self.task.x), tf.constant(self.task.y)
        rows, at, cut = [], self.initial, False
        last = int(self.epochs.max())
        items = len(self.rows) * self.longest
        chunk = int(np.clip(min(CHUNK_ITEMS, CHUNK_WORK / self.models[0].count_params()) // items, 1, 256))
        bars = sorted({epoch for member in self.members for epoch, _ in member.bars})
        pruned = [None] * len(self.members)
        while at < last and not cut and state.running.numpy().any():
            count = min([chunk, last - at, *(epoch - at for epoch in bars if epoch > at)])
            orders = np.zeros((chunk, len(self.rows), self.longest), "int32")
            for place, member in enumerate(self.members):
                for epoch in range(count):
                    order = epoch_order(member.seed, at + epoch, member.train_indices)
                    orders[epoch, place, : len(order)] = order
            state, history = self.loop(data, tf.constant(orders), tf.constant(count), tf.constant(at), state, fixed)
            rows.append(history.numpy()[:count])
            at += count
            if at in bars:
                history = np.concatenate(rows)
                pruned = [first_below(self._told(history, place), member.bars, self.objective, self.score_epoch)
                          for place, member in enumerate(self.members)]  # fmt: skip
                stays = [epoch is None for epoch in pruned] + [False] * (len(self.rows) - len(pruned))
                state = state._replace(running=state.running & tf.constant(stays))
            report(count * len(self.members))
            cut = at < last and time.monotonic() > deadline
        seconds, history = (time.monotonic() - began) / len(self.members) / share, np.concatenate(rows)
        is_best = self._is_held and self.score_epoch == "best"
        is_mean = not self._is_held and any(member.average for member in self.members)
        weights = (state.best_weights if is_best or is_mean else state.weights) if keep_models else ()
        last = (state.steps, *state.weights, *itertools.chain(*state.slots)) if keep_last else ()
        weights, last = ([array.numpy() for array in arrays] for arrays in (weights, last))
        return [
            self._result(self._told(history, place), _of(place, weights), _of(place, last), epoch, seconds, cut)
            for place, epoch in enumerate(pruned)
        ]

    def first_state(self):
        """Where the training begins: weights drawn by each member's seed, or what it brings from an earlier one."""
        drawn = [_arrays(draw_weights(model, own.seed)) for model, own in zip(self.models, self.members)]
        drawn += drawn[:1] * (len(self.rows) - len(drawn))
        weights = [np.stack(arrays) for arrays in zip(*drawn)]
        slots = [[np.full_like(array, value) for array in weights] for value in RULES[self.optimizer][1]]
        steps = np.zeros((len(self.rows), 1), "float32")
        for place, member in enumerate(self.members):
            if member.start is not None:
                for array, row in zip((steps, *weights, *itertools.chain(*slots)), member.start, strict=True):
                    array[place] = row
        weights = tuple(map(tf.constant, weights))
        return State(
            weights, tuple(tuple(map(tf.constant, slot)) for slot in slots), tf.constant(steps), weights,
            tf.fill([len(self.rows)], -math.inf), tf.zeros([len(self.rows)], tf.int32),
            tf.range(len(self.rows)) < len(self.members),
        )  # fmt: skip

    def _fixed(self):
        """What each member brings: the numbers of its settings, its sizes and its validation items."""
        held = [member.validation_indices for member in self.rows]
        held = [np.zeros(0, "int32") if indices is None else indices for indices in held]
        padded = np.zeros((len(held), self.most_held if self._is_held else 0), "int32")
        for row, indices in zip(padded, held):
            row[: len(indices)] = indices
        sizes = np.array([len(member.train_indices) for member in self.rows], "int32")
        batch_sizes = np.minimum([own["batch_size"] for own in self.settings], sizes).astype("int32")
        is_watched = self.score_epoch == "best" and self._is_held
        y = self.task.y.astype("float32")

        def floats(values):
            return tf.constant(values, tf.float32)

        def each(name):
            return floats([[own[name]] for own in self.settings])

        return Fixed(
            rate=each("learning_rate"),
            momentum=each("momentum"),
            decay=each("weight_decay"),
            cosine=tf.constant([[own["schedule"] == "cosine"] for own in self.settings]),
            total_steps=floats((-(-sizes // batch_sizes) * self.epochs)[:, None]),
            factors=self._factors(),
            drop_rates=floats([_rates(model) for model in self.models]),
            seeds=tf.constant([member.seed for member in self.rows], tf.int32),
            sizes=tf.constant(sizes),
            batch_sizes=tf.constant(batch_sizes),
            epochs=tf.constant(self.epochs, tf.int32),
            mean_from=tf.constant([averaged_from(epochs, own.average) for epochs, own in zip(self.epochs, self.rows)]),
            patience=tf.constant([(own["patience"] if is_watched else None) or 2**30 for own in self.settings]),
            held=tf.constant(padded),
            held_sizes=tf.constant([len(indices) for indices in held], tf.int32),
            spread=floats([_spread(y, member.train_indices) for member in self.rows]),
            held_spread=floats([_spread(y, indices) for indices in held]),
            objective=tf.constant(_metric_names(self.task, True).index(self.objective) if is_watched else -1),
            sign=tf.constant(-1.0 * cost_sign(OBJECTIVES[self.objective])),
        )

    def _factors(self):
        """The L2 factor of each weight; nothing where no member has any, which spares the loop its part of the work."""
        factors = [_arrays(model, _factor) for model in self.models]
        if not any(array.any() for arrays in factors for array in arrays):
            return ()
        return tuple(tf.constant(np.stack(arrays)) for arrays in zip(*factors))

    @property
    def _is_held(self):
        return self.members[0].validation_indices is not None

    def _told(self, history, place):
        """{metric: value for each epoch} of one member, up to the epoch in which it stopped."""
        names = _metric_names(self.task, self._is_held)
        rows = history[: self.epochs[place] - self.initial, place]
        rows = rows[~np.isnan(rows[:, -1]), : len(names)]  # the last column is NaN once a member has stopped
        told = {"epoch": list(range(self.initial + 1, self.initial + len(rows) + 1))}
        return told | {name: rows[:, column].astype(float).tolist() for column, name in enumerate(names)}

    def _result(self, told, weights, last, pruned, seconds, cut):
        """What became of one member."""
        number = told["epoch"][-1]
        for name in told:
            if name.endswith("loss") and not math.isfinite(told[name][-1]):
                return Diverged(f"{name} was {told[name][-1]} after epoch {number}")
        if pruned is not None:
            told = {name: values[: pruned - self.initial] for name, values in told.items()}
            number = pruned
        best = pick_best(told, self.objective) if self._is_held and self.score_epoch == "best" else number
        return Trained(weights, told, best, seconds, last, cut, pruned)


def _metric_names(task, held):
    names = ["loss", "accuracy"] if task.is_classification else ["loss", "mse", "r2"]
    return names + [f"val_{name}" for name in names] if held else names


def _of(place, arrays):
    return [array[place] for array in arrays] or None


def _arrays(model, value=np.asarray):
    """The weights of a model, or another value of each variable, as the rows of a loop."""
    return [np.concatenate([np.ravel(value(variable)) for variable in row]) for row in rows_of(model)]


def assign(model, arrays):
    """The model with weights as `_arrays` gives them."""
    for row, array in zip(rows_of(model), arrays, strict=True):
        for variable in row:
            size = math.prod(variable.shape)
            variable.assign(array[:size].reshape(variable.shape))
            array = array[size:]
    return model


def _factor(variable):
    """The L2 factor of each weight of a variable, 0 where there is none."""
    factor = float(variable.regularizer.l2) if variable.regularizer is not None else 0.0
    return np.full(variable.shape, factor, "float32")


def _rates(model):
    return [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]


def _spread(y, indices):
    """The sum of squared deviations of each output over some items, for R2."""
    if y.ndim == 1 or not len(indices):
        return [1.0] * (1 if y.ndim == 1 else y.shape[-1])
    return ((y[indices] - y[indices].mean(axis=0)) ** 2).sum(axis=0)
