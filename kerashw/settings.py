"""The keywords of training with their defaults, and the rule each well-known setting obeys."""

import inspect
import math
import sys
from collections.abc import Mapping

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.machine import LARGEST_COUNT

# What training takes beside the keywords of the model's builder.
TRAINING = {
    "optimizer": "adam",
    "learning_rate": 0.001,
    "momentum": 0.0,  # of sgd and rmsprop; the others have none
    "weight_decay": 0.0,  # decoupled: each step takes learning_rate * weight_decay of every weight away
    "schedule": "constant",
    "batch_size": 32,
    "epochs": 10,
    "patience": None,  # epochs without improvement on the validation part before a training stops
    "dtype_policy": None,  # in which numbers a training computes; None is Keras's own policy, float32 unless it was set
}
OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "rmsprop", "sgd")
SCHEDULES = ("constant", "cosine")
POLICIES = ("float32", "mixed_bfloat16")
# What a builder is told about the data; no study sets these.
GIVEN = ("input_shape", "outputs")


def _number(low=-math.inf, high=math.inf, *, open_low=False, open_high=False):
    def holds(value):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            return False
        return (low < value if open_low else low <= value) and (value < high if open_high else value <= high)

    return holds


def _whole(low):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= LARGEST_COUNT


def _each(holds):
    """The rule for one value or for a tuple with one value per layer."""
    return lambda value: all(map(holds, value)) and bool(value) if isinstance(value, tuple) else holds(value)


def _tuple_of(holds):
    return lambda value: isinstance(value, tuple) and all(map(holds, value))


def _one_of(*names):
    return lambda value: value in names and not isinstance(value, bool)


def _initializer(value):
    return isinstance(value, str) or isinstance(value, Mapping) and {"class_name", "config"} == set(value)


_fraction = _number(0, 1, open_high=True)
RULES = {
    "optimizer": (_one_of(*OPTIMIZERS), f"one of {', '.join(OPTIMIZERS)}"),
    "learning_rate": (_number(0, open_low=True), "a number above 0"),
    "momentum": (_fraction, "a number from 0 to below 1"),
    "weight_decay": (_number(0), "a number of at least 0"),
    "schedule": (_one_of(*SCHEDULES), f"one of {', '.join(SCHEDULES)}"),
    "batch_size": (_whole(1), f"a whole number from 1 to {LARGEST_COUNT:,}"),
    "epochs": (_whole(1), f"a whole number from 1 to {LARGEST_COUNT:,}"),
    "patience": (lambda value: value is None or _whole(1)(value), "a whole number of at least 1, or None"),
    "dtype_policy": (lambda value: value is None or value in POLICIES, f"{' or '.join(POLICIES)}, or None"),
    "hidden": (_tuple_of(_whole(1)), "a tuple of whole numbers, one per hidden layer, such as (128, 64)"),
    "filters": (_tuple_of(_whole(1)), "a tuple of whole numbers, one per convolution, such as (10, 20)"),
    "kernel_size": (_each(_whole(1)), "a whole number, or a tuple with one per convolution"),
    "pool": (_each(_one_of("max", "average", None)), "'max', 'average' or None, or a tuple with one per convolution"),
    "pool_size": (_whole(2), "a whole number of at least 2"),
    "padding": (_one_of("valid", "same"), "'valid' or 'same'"),
    "activation": (_each(lambda value: isinstance(value, str)), "a name such as 'relu', or a tuple with one per layer"),
    "dropout": (_each(_fraction), "a number from 0 to below 1, or a tuple with one per hidden layer"),
    "conv_dropout": (_each(_fraction), "a number from 0 to below 1, or a tuple with one per convolution"),
    "spatial_dropout": (_each(_fraction), "a number from 0 to below 1, or a tuple with one per convolution"),
    "l2": (_number(0), "a number of at least 0"),
    "batch_normalization": (lambda value: isinstance(value, bool), "True or False"),
    "normalize": (lambda value: isinstance(value, bool), "True or False"),
    "kernel_initializer": (_initializer, "a Keras name, or dict(class_name=..., config=dict(...))"),
    "degree": (_whole(1), f"a whole number from 1 to {LARGEST_COUNT:,}"),
    "scale": (_number(0, open_low=True), "a number above 0"),
    "augment": (lambda value: value is None or isinstance(value, Augment), "Augment(...) or None"),
}


def _plain(value):
    """Whether a value can be told to study.json and back."""
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and all(map(_plain, value.values()))
    if value is None or isinstance(value, (str, bool, Augment)):
        return True
    return _number()(value) or hasattr(value, "__qualname__")


# The rule for what a builder of one's own may be given.
PLAIN = _plain, "a finite number, text, True, False, None, a function, or a tuple or dict of these"


def builder_keywords(builder):
    """The names a builder takes from a study: its keywords without what the data decide.

    >>> from kerashw.models import linear
    >>> builder_keywords(linear)
    ('degree', 'scale', 'kernel_initializer')
    """
    parameters = inspect.signature(builder).parameters.values()
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds and p.name not in GIVEN)


def check_setting(name, value):
    """Nothing, where the value obeys the rule of that name; a UsageError that states the rule where not.

    >>> check_setting("momentum", 1.5)
    Traceback (most recent call last):
    kerashw.errors.UsageError: momentum must be a number from 0 to below 1, got 1.5.
    """
    for holds, rule in (RULES.get(name, PLAIN), PLAIN):
        if not holds(value):
            raise UsageError(f"{name} must be {rule}, got {value!r}.")
