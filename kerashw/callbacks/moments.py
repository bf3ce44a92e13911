"""When a training is looked at: before it, every so many epochs, at its best epoch, at its end."""

import math
from dataclasses import dataclass

from kerashw.errors import UsageError

MOMENTS = ("start", "best", "end")
# How the names of metrics end that are better the larger or the smaller they are, as in "val_output_accuracy".
LARGER = ("acc", "accuracy", "auc", "precision", "recall", "f1", "f1_score", "r2", "r2_score", "iou", "similarity")
SMALLER = ("loss", "error", "mse", "rmse", "mae", "mape", "msle", "divergence", "crossentropy", "entropy")


@dataclass(frozen=True)
class Moment:
    """One look at a training: the name it has in files, how many epochs are done, and words for a title.

    >>> after(3)
    Moment(name='epoch_0003', epoch=3, words='after epoch 3')
    """

    name: str
    epoch: int
    words: str


def before(epoch):
    """The Moment before the epoch of that index, the first of a training."""
    return Moment("start", epoch, f"before epoch {epoch + 1}" if epoch else "before training")


def after(epochs):
    """The Moment after so many epochs."""
    return Moment(f"epoch_{epochs:04d}", epochs, f"after epoch {epochs}")


def best(epochs, metric, value):
    """The Moment after the epoch that is the best up to now."""
    return Moment("best", epochs, f"after epoch {epochs}, the best by {metric} ({value:.4g})")


def end(epochs):
    """The Moment at the end of a training of so many epochs."""
    return Moment("end", epochs, f"after epoch {epochs}")


@dataclass(frozen=True)
class Cadence:
    """Which moments are wanted, checked where they are named, and which metric tells the best epoch.

    >>> Cadence(at="end", every=10).at
    ('end',)
    """

    at: tuple = ("start", "end")
    every: int | None = None
    monitor: str | None = None
    mode: str = "auto"

    def __post_init__(self):
        object.__setattr__(self, "at", (self.at,) if isinstance(self.at, str) else tuple(self.at))
        wrong = [moment for moment in self.at if moment not in MOMENTS]
        if wrong:
            raise UsageError(f"at names {wrong[0]!r}, expected some of {', '.join(map(repr, MOMENTS))}; "
                             "say every=10 for every tenth epoch.")  # fmt: skip
        is_count = isinstance(self.every, int) and not isinstance(self.every, bool) and self.every >= 1
        if self.every is not None and not is_count:
            raise UsageError(f"every must be a whole number of epochs of at least 1, got {self.every!r}.")
        if not self.at and self.every is None:
            raise UsageError("at is empty and every is None, so nothing would ever be shown: say at='end'.")
        if self.mode not in ("auto", "min", "max"):
            raise UsageError(f"mode must be 'auto', 'min' or 'max', got {self.mode!r}.")
        if "best" not in self.at and (self.monitor is not None or self.mode != "auto"):
            raise UsageError("monitor and mode tell the best epoch, which is not asked for: say at=('start', 'best').")
        if self.monitor is not None:
            is_larger_better(self.monitor, self.mode)

    def falls_on(self, epochs):
        """Whether a look is due after so many epochs."""
        return self.every is not None and epochs % self.every == 0

    def metric(self, logs):
        """The name of the metric that tells the best epoch: `monitor`, else the validation loss, else the loss."""
        name = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
        if name not in logs:
            raise UsageError(f"monitor names {name!r}, which this training does not have: it has {', '.join(logs)}.")
        return name

    def improves(self, metric, value, record):
        """Whether a value is better than the record; None is no record yet. NaN is never better."""
        if math.isnan(value):
            return False
        return record is None or (value > record if is_larger_better(metric, self.mode) else value < record)


def is_larger_better(metric, mode="auto"):
    """Whether the metric is the better the larger it is, by its name where the mode does not say.

    >>> is_larger_better("val_accuracy"), is_larger_better("loss"), is_larger_better("gain", "max")
    (True, False, True)
    """
    if mode != "auto":
        return mode == "max"
    ends = [True for word in LARGER if _ends(metric, word)] + [False for word in SMALLER if _ends(metric, word)]
    if not ends:
        raise UsageError(f"monitor={metric!r} does not tell whether large or small is good: say mode='max' or 'min'.")
    return ends[0]


def _ends(metric, word):
    return metric.lower() == word or metric.lower().endswith("_" + word)
