"""One training: a model fitted as its settings say, the same each time for the same seed.

A training that is continued sees what an uninterrupted one would have seen.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from kerashw.averaging import mean_of_last
from kerashw.batches import batches, epoch_order, in_order
from kerashw.building import build_model, compile_model
from kerashw.reuse import (
    adapt, adapt_again, draw_chance, draw_weights, keep, restarts, structure, take, with_weights,
)  # fmt: skip
from kerashw.scores import first_below, pick_best
from kerashw.settings import TRAINING
from kerashw.objectives import OBJECTIVES

# Batches run in one call of the compiled step: saves about 10 % on batches of 128, 40 % on batches of 4.
STEPS_PER_EXECUTION = 32


class Diverged(ArithmeticError):
    """The loss of a training became NaN or infinite."""


@dataclass(frozen=True)
class Task:
    """What a training works on: the arrays of one data set and how its model ends."""

    x: np.ndarray
    y: np.ndarray
    outputs: int
    is_classification: bool

    @classmethod
    def of(cls, dataset):
        """The training items of a data set."""
        outputs = len(dataset.classes) or dataset.y_train.shape[-1]
        return cls(dataset.x_train, dataset.y_train, outputs, dataset.task == "classification")

    @property
    def objective(self):
        """The metric a search goes by unless the study names one."""
        return "val_accuracy" if self.is_classification else "val_mse"


@dataclass(frozen=True)
class Trained:
    """What one training gave: the model at the epoch that counts, and the metrics of every epoch.

    `best_epoch` counts from 1. `last` is the state after the last epoch, from which the training can go on.
    `cut` says that a deadline ended it, perhaps in the middle of its last epoch; `pruned` is the epoch after which it
    was given up, and then its weights are of no use. Of a model that is used again `model` is the list of its weights.
    """

    model: object
    history: dict
    best_epoch: int
    seconds: float
    last: list | None = None
    cut: bool = False
    pruned: int | None = None

    def at_best(self):
        """The metrics of the epoch that counts."""
        first = self.history["epoch"][0]
        return {name: values[self.best_epoch - first] for name, values in self.history.items() if name != "epoch"}


def train(
    builder,
    settings,
    task,
    *,
    train_indices,
    validation_indices=None,
    seed,
    epochs=None,
    objective=None,
    score_epoch="best",
    start=None,
    initial_epoch=0,
    keep_last=False,
    callbacks=(),
    bars=(),
    deadline=math.inf,
    average=0.0,
    reuse=False,
):
    """A Trained model: `settings` fitted on some items of the task, scored on others.

    With validation items the weights are those of the best epoch by `objective` (or of the last, where
    `score_epoch="last"`); without, of the last, or their mean over the share `average` of the last epochs. `start` and
    `initial_epoch` go on from an earlier `last` state. Stops at the deadline (in seconds of time.monotonic), or where it
    lies below a bar: (epoch, the objective that is to be reached by then). Raises Diverged when the loss is no longer
    finite.

    With `reuse` the model is one that an earlier training of the same structure has compiled, where there is one, and
    its weights alone are handed out; a `last` state then is for trainings with `reuse`. Whichever it is, it starts as
    if it had just been built.

    A `dtype_policy` among the settings is that of the training: the model that comes out of it has its weights, and
    computes in the numbers of Keras's own policy.
    """
    import keras
    import tensorflow as tf

    settings = {**TRAINING, **settings}
    epochs = epochs or settings["epochs"]
    objective = objective or task.objective
    began = time.monotonic()
    batch_size = min(settings["batch_size"], len(train_indices))
    steps = -(-len(train_indices) // batch_size)
    model = None
    if reuse:
        key, model = _taken(builder, settings, task)
    if model is None:
        model = _compiled(builder, settings, task, seed=seed, steps=steps * epochs, reuse=reuse)
    draw_chance(draw_weights(model, seed), seed)
    if reuse:
        adapt_again(model, task.x[train_indices])
        model.optimizer.restart()
        model.optimizer.adjust(settings, steps * epochs)
    else:
        adapt(model, task.x[train_indices])
    if start is not None:
        set_state(model, start)
    order = tf.Variable(train_indices.astype("int32"))
    watch = _watch(order, seed, train_indices, deadline, keep_last, bars, objective, score_epoch)
    watched = [watch, *callbacks]
    if validation_indices is not None and score_epoch == "best":
        patience = settings["patience"] or epochs
        watched.append(
            keras.callbacks.EarlyStopping(
                objective, mode=OBJECTIVES[objective], patience=patience, restore_best_weights=True
            )
        )
    if average and validation_indices is None:
        watched.insert(1, mean_of_last(epochs, average))  # before those that look at the model at the end
    try:
        fitted = model.fit(
            batches(task.x, task.y, order, batch_size),
            validation_data=None if validation_indices is None else in_order(task.x, task.y, validation_indices),
            initial_epoch=initial_epoch,
            epochs=epochs,
            callbacks=watched,
            shuffle=False,  # `batches` shuffles
            verbose=0,
        )
    finally:
        if reuse:
            keep(key, model)
    history = {"epoch": [number + 1 for number in fitted.epoch]}
    history.update({name: [float(value) for value in values] for name, values in fitted.history.items()})
    best = history["epoch"][-1]
    if validation_indices is not None and score_epoch == "best":
        best = pick_best(history, objective)
    result = model.get_weights() if reuse else _in_full(model, builder, settings, task, seed=seed, steps=steps * epochs)
    return Trained(result, history, best, time.monotonic() - began, watch.last, watch.cut, watch.pruned)


def _built(builder, settings, task):
    """The uncompiled model of a training, in the numbers that it is to compute in."""
    shapes = dict(input_shape=task.x.shape[1:], outputs=task.outputs)
    return build_model(builder, settings, **shapes, dtype_policy=settings["dtype_policy"])


def _taken(builder, settings, task):
    """(key, model) of the structure that the settings describe, the model with their numbers; None where none is kept.

    To build a model costs a hundredth of what it costs to trace it, and tells what no list of settings could.
    """
    from kerashw.regularization import adjust

    plain = _built(builder, settings, task)
    key = structure(builder, settings, task, plain)
    model = take(key)
    return key, None if model is None else adjust(model, plain)


def _compiled(builder, settings, task, *, seed, steps, reuse):
    """A model that was never trained, with Keras's own optimizer or with one for many trainings."""
    import keras

    keras.utils.set_random_seed(seed)
    model = _built(builder, settings, task)
    optimizer = None
    if reuse:
        from kerashw.optimizers import Adjustable
        from kerashw.regularization import adjustable

        if restarts(model):
            model = adjustable(model)
        optimizer = Adjustable(settings["optimizer"])
        optimizer.build(model.trainable_variables)
    compile_model(
        model,
        settings,
        is_classification=task.is_classification,
        steps=steps,
        # More than an epoch has are no harm: one number for all, as another would be traced anew.
        steps_per_execution=STEPS_PER_EXECUTION,
        optimizer=optimizer,
    )
    return model


def _in_full(model, builder, settings, task, *, seed, steps):
    """The model that computes in the numbers of Keras's own policy: itself, or another one with the same weights."""
    import keras

    if settings["dtype_policy"] in (None, keras.config.dtype_policy().name):
        return model
    # From the same seed, as a builder may draw what is no weight.
    plain = _compiled(builder, {**settings, "dtype_policy": None}, task, seed=seed, steps=steps, reuse=False)
    return with_weights(plain, model.get_weights())


def state(model):
    """Every variable of a compiled model and its optimizer as arrays, random states included."""
    return [np.asarray(variable) for variable in (*model.variables, *model.optimizer.variables)]


def set_state(model, arrays):
    """The inverse of `state`, on a model of the same structure."""
    model.optimizer.build(model.trainable_variables)
    for variable, array in zip((*model.variables, *model.optimizer.variables), arrays, strict=True):
        variable.assign(array)


def _watch(order, seed, indices, deadline, keep_last, bars, objective, score_epoch):
    """A callback that shuffles, ends hopeless or late trainings, and keeps the last state."""
    import keras

    class Watch(keras.callbacks.Callback):
        last, cut, pruned = None, False, None

        def on_train_begin(self, logs=None):
            self.reached = {"epoch": [], objective: []}

        def on_epoch_begin(self, number, logs=None):
            order.assign(epoch_order(seed, number, indices))

        def on_train_batch_end(self, batch, logs=None):
            if time.monotonic() > deadline:
                self.cut = self.model.stop_training = True

        def on_epoch_end(self, number, logs=None):
            for name in ("loss", "val_loss"):
                if name in logs and not np.isfinite(logs[name]):
                    raise Diverged(f"{name} was {logs[name]} after epoch {number + 1}")
            if bars:
                self.reached["epoch"].append(number + 1)
                self.reached[objective].append(logs[objective])
                self.pruned = first_below(self.reached, bars, objective, score_epoch)
                self.model.stop_training |= self.pruned is not None

        def on_train_end(self, logs=None):
            if keep_last:
                self.last = state(self.model)

    return Watch()
