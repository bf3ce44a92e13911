"""From settings to a model that is ready for `fit`: built, and compiled with its optimizer, loss and metrics."""

import contextlib

import numpy as np

from kerashw.fused import fused
from kerashw.reuse import mark_given
from kerashw.settings import TRAINING, builder_keywords


def build_model(builder, settings, *, input_shape, outputs, dtype_policy=None):
    """An uncompiled model from those of the settings that the builder knows.

    It computes as the dtype policy says, by default as Keras's own, which a training alone has reason to leave.

    >>> from kerashw.models import mlp
    >>> build_model(mlp, dict(hidden=(4,), epochs=3), input_shape=(2,), outputs=1).count_params()
    17
    """
    from keras.src.utils.naming import reset_uids

    # Layers without a name of their own are called dense, dense_1, ... whatever was built before. The public way to
    # that, clear_session, would forget a person's dtype policy and all compiled kernels as well.
    reset_uids()
    own = {name: settings[name] for name in builder_keywords(builder) if name in settings}
    with _computing_in(dtype_policy):
        model = builder(input_shape=tuple(input_shape), outputs=outputs, **own)
    return mark_given(fused(model), builder)


@contextlib.contextmanager
def _computing_in(policy):
    """Layers that are made in the body compute as this policy says; None leaves Keras's own in force."""
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
