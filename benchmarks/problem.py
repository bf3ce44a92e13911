"""Problem: a study with its data, first fold and KerasTuner's view of it, for peers that are to do the same."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from kerashw.datasets import load
from kerashw.seeds import derive
from kerashw.splits import split
from kerashw.study import Study


@dataclass(frozen=True)
class Problem:
    """The published form of a study, by name. It is small enough to be sent to another process."""

    name: str
    data_dir: str | None
    arm: str | None = None

    @property
    def study(self) -> Study:
        """The study at its published budget."""
        from tuning.studies import find

        study = find(self.name)[1]
        return (study.arm(self.arm) if self.arm else study).at("paper")

    def task(self):
        """The training items."""
        from kerashw.training import Task

        return Task.of(self.dataset())

    def dataset(self):
        """The data set, or what stands in for it."""
        return load(self.study.data, self.data_dir, say=lambda line: None)

    def first_fold(self, task):
        """x and y to train on and to validate on, of the first fold."""
        study = self.study
        (train, held), *_ = split(
            task.y, stratify=task.is_classification, folds=study.folds, validation=study.validation,
            seed=derive(0, "split"),
        )  # fmt: skip
        return task.x[train], task.y[train], task.x[held], task.y[held]

    @property
    def trainings(self):
        """How many trainings a trial has."""
        return max(self.study.folds, 1) * self.study.executions

    def settings_of(self, proposals):
        """All settings as constants of every proposal."""
        from tuning.hypermodel import StudyHyperModel

        hypermodel = StudyHyperModel(self.study, None)
        found = []
        for proposed in proposals:
            hp = hypermodel.space()
            hp.values = dict(proposed)
            found.append(hypermodel.settings(hp))
        return found


class EpochClock:
    """A Keras callback, made by `callback`, that notes when each epoch ended.

    >>> clock = EpochClock()
    >>> clock.ends = [1.0, 9.0, 11.0, 12.0, 14.0]
    >>> clock.later()  # the second epoch still holds what the first left to be traced
    [2.0, 1.0, 2.0]
    """

    def __init__(self):
        self.ends = []

    def callback(self):
        """The callback for `fit`."""
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.ends.append(time.perf_counter()))

    def later(self):
        """Seconds of every epoch after the second."""
        return np.diff(self.ends)[1:].tolist()


@dataclass(frozen=True)
class Training:
    """What one training costs: seconds up to the end of its first epoch, and of each epoch after that."""

    first: float
    later: float

    @classmethod
    def timed(cls, began, clock):
        """From when it began and the ends of at least three epochs."""
        return cls(clock.ends[0] - began, statistics.median(clock.later()))

    def seconds(self, epochs):
        """Of a whole training.

        >>> Training(first=2.0, later=0.5).seconds(11)
        7.0
        """
        return self.first + (epochs - 1) * self.later


def whole_search(trainings, epochs, *, trials, per_trial):
    """Seconds of a search, from a sample of its trainings with their epochs: `per_trial` trainings in each trial.

    >>> whole_search([Training(2.0, 0.5), Training(4.0, 0.5)], [11, 11], trials=10, per_trial=5)
    400.0
    """
    each = [training.seconds(count) for training, count in zip(trainings, epochs, strict=True)]
    return trials * per_trial * statistics.mean(each)


def summed(finished, seconds):
    """Seconds over all trials up to the last number measured, with straight lines between what was measured.

    >>> summed([0, 10, 20], [1.0, 1.0, 3.0])
    30.0
    """
    return float(np.trapezoid(seconds, finished))
