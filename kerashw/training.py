"""One training: a model built, compiled and fitted from settings, the same each time for the same seed.

A training that is continued sees what an uninterrupted one would have seen.
"""

import contextlib
import math
import time
from dataclasses import dataclass

import numpy as np

from kerashw.averaging import mean_of_last
from kerashw.batches import batches, epoch_order, in_order
from kerashw.reuse import (
    adapt, adapt_again, draw_chance, draw_weights, keep, mark_given, restarts, structure, take, with_weights,
)  # fmt: skip
from kerashw.scores import first_below, pick_best
from kerashw.settings import TRAINING, builder_keywords
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


def build_model(builder, settings, *, input_shape, outputs):
    """An uncompiled model from those of the settings that the builder knows.

    >>> from kerashw.models import mlp
    >>> build_model(mlp, dict(hidden=(4,), epochs=3), input_shape=(2,), outputs=1).count_params()
    17
    """
    from keras.src.utils.naming import reset_uids

    # Layers without a name of their own are called dense, dense_1, ... whatever was built before. The public way to
    # that, clear_session, would forget a person's dtype policy and all compiled kernels as well.
    reset_uids()
    own = {name: settings[name] for name in builder_keywords(builder) if name in settings}
    return mark_given(builder(input_shape=tuple(input_shape), outputs=outputs, **own), builder)


@contextlib.contextmanager
def computing_in(policy):
    """Models that are built in the body compute as this dtype policy says; None leaves Keras's own in force.

    >>> from kerashw.models import mlp
    >>> with computing_in("mixed_bfloat16"):
    ...     model = mlp(input_shape=(2,), outputs=1)
    >>> [model.get_layer(name).compute_dtype for name in ("dense_1", "output")]
    ['bfloat16', 'float32']
    """
    import keras

    held = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or held)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(held)


def make_optimizer(settings, steps):
    """A Keras optimizer; `steps` is the length of the whole training, which a cosine schedule needs."""
    import inspect

    import keras

    settings = {**TRAINING, **settings}
    kind = type(keras.optimizers.get(settings["optimizer"]))
    rate = settings["learning_rate"]
    if settings["schedule"] == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=max(steps, 1))
    options = dict(learning_rate=rate, weight_decay=settings["weight_decay"] or None)
    if settings["momentum"] and "momentum" in inspect.signature(kind).parameters:
        options["momentum"] = settings["momentum"]
    if settings["optimizer"] == "adamw":
        options["weight_decay"] = settings["weight_decay"]  # its own default is not 0
    return kind(**options)


def compile_model(model, settings, *, is_classification, steps, steps_per_execution=1, optimizer=None):
    """The model, ready for `fit`: cross-entropy on logits with accuracy, or squared error with MSE and R2.

    The optimizer is the one that the settings describe, unless it is given.
    """
    import keras

    if is_classification:
        loss, metrics = keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]
    else:
        loss = keras.losses.MeanSquaredError()
        metrics = [keras.metrics.MeanSquaredError(name="mse"), keras.metrics.R2Score(name="r2")]
    model.compile(
        optimizer=optimizer or make_optimizer(settings, steps),
        loss=loss,
        metrics=metrics,
        steps_per_execution=steps_per_execution,
        jit_compile=False,  # on a CPU XLA made one of two convolutional nets four times slower
    )
    # Metrics make their variables at their first batch. Inside a graph TensorFlow would trace that twice, and never
    # let go of it.
    answers = np.zeros((2, *model.output_shape[1:]), "float32")
    model.compute_metrics(None, np.zeros(2, "int64") if is_classification else answers, answers)
    model.reset_metrics()
    return model


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


def _taken(builder, settings, task):
    """(key, model) of the structure that the settings describe, the model with their numbers; None where none is kept.

    To build a model costs a hundredth of what it costs to trace it, and tells what no list of settings could.
    """
    from kerashw.regularization import adjust

    with computing_in(settings["dtype_policy"]):
        plain = build_model(builder, settings, input_shape=task.x.shape[1:], outputs=task.outputs)
    key = structure(builder, settings, task, plain)
    model = take(key)
    return key, None if model is None else adjust(model, plain)


def _compiled(builder, settings, task, *, seed, steps, reuse):
    """A model that was never trained, with Keras's own optimizer or with one for many trainings."""
    import keras

    keras.utils.set_random_seed(seed)
    with computing_in(settings["dtype_policy"]):
        model = build_model(builder, settings, input_shape=task.x.shape[1:], outputs=task.outputs)
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
