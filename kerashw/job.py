"""One training as it is handed to whoever does it, in this process or another, and what comes back of it."""

import math
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from kerashw.building import build_model
from kerashw.errors import WorkError
from kerashw.latency import latency_of
from kerashw.training import Diverged, Task, Trained, train


class TooManyParameters(ValueError):
    """A model lies outside the study's budget of parameters."""


@dataclass(frozen=True)
class Common:
    """What all trainings of a search have in common; a worker is told it once."""

    builder: Callable
    task: Task
    splits: list  # (train, validation) index pairs, one for each fold
    objective: str
    score_epoch: str
    parameters: tuple | None  # the least and the most that a model may have
    keep_last: bool  # whether the state after the last epoch is wanted as well
    wants_latency: bool = False  # whether it is to be told how long a model takes for one item


@dataclass(frozen=True)
class Job:
    """One training: what is its own. `seconds` is how long it may take."""

    settings: dict
    fold: int
    seed: int
    epochs: int | None = None
    initial_epoch: int = 0
    start: list | None = None
    bars: tuple = ()
    seconds: float = math.inf
    parameters: int | None = None  # of the model, where they were counted before
    average: float = 0.0  # the share of the last epochs over which weights are averaged
    keep_weights: bool = False  # whether `model` of what was trained is wanted: the list of its weights


@dataclass(frozen=True)
class Failure:
    """Why a training failed: one word, one line, and all that Python tells of it."""

    reason: str
    message: str
    trace: str = ""

    @classmethod
    def of(cls, error):
        """The failure that an exception stands for.

        >>> Failure.of(MemoryError("16 GB")).reason, Failure.of(MemoryError("16 GB")).message
        ('memory', 'MemoryError: 16 GB')
        """
        return cls(_reason(error), _first_line(error), "".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class Outcome:
    """What came of a job: its training or failure, how long it took; of a model that was built its size and latency."""

    trained: Trained | None
    failure: Failure | None
    seconds: float
    parameters: int | None = None
    latency: float | None = None  # milliseconds


def work(common, job, callbacks=()):
    """The Outcome of a job, done here and now; weights are kept where the job says so.

    >>> import numpy as np
    >>> from kerashw.models import linear
    >>> x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
    >>> task = Task(x, 2 * x, outputs=1, is_classification=False)
    >>> halves = np.arange(4), np.arange(4, 8)
    >>> common = Common(linear, task, [halves], "val_mse", "best", parameters=None, keep_last=False)
    >>> work(common, Job(dict(optimizer="sgd"), fold=0, seed=1, epochs=3)).trained.history["epoch"]
    [1, 2, 3]
    >>> work(common, Job(dict(scale="none"), fold=0, seed=1, epochs=3)).failure.reason
    'error'
    """
    began, parameters, latency = time.monotonic(), job.parameters, None
    train_indices, validation_indices = common.splits[job.fold]
    try:
        if parameters is None:
            shapes = dict(input_shape=common.task.x.shape[1:], outputs=common.task.outputs)
            model = build_model(common.builder, job.settings, **shapes)
            parameters = model.count_params()
            check_parameters(common.parameters, parameters)
            latency = latency_of(model) if common.wants_latency else None
        trained = train(
            common.builder, job.settings, common.task, train_indices=train_indices,
            validation_indices=validation_indices, seed=job.seed, epochs=job.epochs, objective=common.objective,
            score_epoch=common.score_epoch, start=job.start, initial_epoch=job.initial_epoch,
            keep_last=common.keep_last, bars=job.bars, callbacks=callbacks, deadline=began + job.seconds, reuse=True,
            average=job.average,
        )  # fmt: skip
    except WorkError:  # the run's own files, not the training
        raise
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises
        return Outcome(None, Failure.of(error), time.monotonic() - began, parameters)
    trained = trained if job.keep_weights else replace(trained, model=None)
    return Outcome(trained, None, trained.seconds, parameters, latency)


def check_parameters(allowed, count):
    """Nothing, where so many parameters are allowed: (least, most), or None for any number."""
    if allowed is not None and not allowed[0] <= count <= allowed[1]:
        raise TooManyParameters(f"{count:,} parameters, allowed are {allowed[0]:,} to {allowed[1]:,}")


def _reason(error):
    import tensorflow as tf

    kinds = {
        "diverged": Diverged,
        "parameters": TooManyParameters,
        "memory": (MemoryError, tf.errors.ResourceExhaustedError),
    }
    return next((reason for reason, kind in kinds.items() if isinstance(error, kind)), "error")


def _first_line(error):
    """What an error says first; Keras puts a line of its own, and bold type, around what a layer raised."""
    lines = [line for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
    told = lines[1:] if len(lines) > 1 and lines[0].startswith("Exception encountered when calling") else lines
    return f"{type(error).__name__}: {told[0].strip() if told else 'no message'}"
