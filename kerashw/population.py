"""Many small trainings at once: members of one structure share one compiled loop, each with its own data and rates.

The weights of a layer are stacked, (members, inputs, units); a layer of all members is one batched product. The
order of items, the starting weights and the update rules are those of `kerashw.training.train`, so a member ends
where the same model trained alone by Keras ends, apart from the rounding of sums.
"""

import math
import time
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from kerashw.loop import Fixed, Shape, State, program, structure_of
from kerashw.rules import RULES
from kerashw.settings import TRAINING, builder_keywords
from kerashw.study import OBJECTIVES
from kerashw.training import Diverged, Trained, build_model, draw_weights, epoch_order, pick_best

SMALL = 1e8  # items times parameters: above it the arithmetic outweighs what `fit` costs per epoch
TOGETHER = 64  # members in one loop; more would leave the caches of a processor
LEAST_ROWS = 16  # of a batch
# Between two looks at the clock: so many items of all members, or items times parameters; about a second of work.
CHUNK_ITEMS, CHUNK_WORK = 400_000, 1e10
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
        # Rows of a batch are the next power of two, the rest is masked: masking costs less than compiling once more.
        wide = max(1 << (batch_size - 1).bit_length(), LEAST_ROWS)
        alike = (wide, settings["optimizer"], member.initial_epoch, member.validation_indices is None)
        groups.setdefault((structure_of(shared[key]), *alike), []).append(place)
    results = [None] * len(members)
    for (_, wide, optimizer, *_), places in groups.items():
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
        self.loop = program(
            Shape(models[0]), optimizer, wide, len(steps) == 1, task.is_classification, task.outputs
        )

    def train(self, deadline, keep_last, report):
        """The results in the order of the members, with arrays of weights where Trained has the model."""
        began = time.monotonic()
        state, fixed = self._first_state(), self._fixed()
        data = tf.constant(self.task.x), tf.constant(self.task.y)
        rows, at, cut = [], self.initial, False
        last = int(self.epochs.max())
        items = len(self.members) * self.longest
        chunk = int(np.clip(min(CHUNK_ITEMS, CHUNK_WORK / self.models[0].count_params()) // items, 1, 256))
        while at < last and not cut and state.running.numpy().any():
            count = min(chunk, last - at)
            orders = np.zeros((chunk, len(self.members), self.longest), "int32")
            for place, member in enumerate(self.members):
                for epoch in range(count):
                    order = epoch_order(member.seed, at + epoch, member.train_indices)
                    orders[epoch, place, : len(order)] = order
            state, history = self.loop(data, tf.constant(orders), tf.constant(count), tf.constant(at), state, fixed)
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
        return State(
            weights, tuple(tuple(map(tf.constant, slot)) for slot in slots), tf.constant(steps), weights,
            tf.fill([members], -math.inf), tf.zeros([members], tf.int32), tf.fill([members], True),
        )  # fmt: skip

    def _fixed(self):
        """What each member brings: the numbers of its settings, its sizes and its validation items."""
        held = [member.validation_indices for member in self.members]
        held = [np.zeros(0, "int32") if indices is None else indices for indices in held]
        padded = np.zeros((len(held), max(map(len, held))), "int32")
        for row, indices in zip(padded, held):
            row[: len(indices)] = indices
        sizes = np.array([len(member.train_indices) for member in self.members], "int32")
        batch_sizes = np.minimum([own["batch_size"] for own in self.settings], sizes).astype("int32")
        is_watched = self.score_epoch == "best" and padded.shape[1] > 0
        y = self.task.y.astype("float32")

        def floats(values):
            return tf.constant(values, tf.float32)

        def per_array(name):
            return floats([[[own[name]]] for own in self.settings])

        return Fixed(
            rate=per_array("learning_rate"),
            momentum=per_array("momentum"),
            decay=per_array("weight_decay"),
            cosine=tf.constant([[[own["schedule"] == "cosine"]] for own in self.settings]),
            total_steps=floats((-(-sizes // batch_sizes) * self.epochs)[:, None, None]),
            factors=floats([_factors(model) for model in self.models]),
            drop_rates=floats([_rates(model) for model in self.models]),
            seeds=tf.constant([member.seed for member in self.members], tf.int32),
            sizes=tf.constant(sizes),
            batch_sizes=tf.constant(batch_sizes),
            epochs=tf.constant(self.epochs, tf.int32),
            patience=tf.constant([(own["patience"] if is_watched else None) or 2**30 for own in self.settings]),
            held=tf.constant(padded),
            held_sizes=tf.constant([len(indices) for indices in held], tf.int32),
            spread=floats([_spread(y, member.train_indices) for member in self.members]),
            held_spread=floats([_spread(y, indices) for indices in held]),
            objective=tf.constant(_metric_names(self.task, True).index(self.objective) if is_watched else -1),
            sign=tf.constant(1.0 if OBJECTIVES[self.objective] == "max" else -1.0),
        )

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
