"""Where a model's answers go wrong: which classes it confuses, how sure it is, and how far its values are off.

A share that nothing can be divided for (the rate of a class without items, the accuracy of an empty bin) is NaN.
"""

from dataclasses import dataclass

import numpy as np

from kerashw.errors import UsageError


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often items of each class (rows) were taken for each class (columns).

    counts  (classes, classes)  whole numbers
    rates   (classes, classes)  the same as shares of each row: of the items of a class
    """

    classes: tuple
    counts: np.ndarray
    rates: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassScores:
    """How well each class is told from the others, as arrays (classes,).

    precision  of the items taken for the class, the share that belong to it
    recall     of the items of the class, the share that were taken for it
    f1         the harmonic mean of the two
    count      how many items of the class there are
    """

    classes: tuple
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Whether answers given with a confidence of 80 % are right in 80 % of the cases.

    edges       (bins + 1,)  of the bins of confidence, from 0 to 1
    confidence  (bins,)      the mean of the bin
    accuracy    (bins,)      the share of right answers in the bin
    count       (bins,)      how many answers
    error       the expected calibration error: the mean distance of the two, weighted by the counts
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    error: float


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is left of the truth when the prediction is taken away: `values` (n,), truth minus prediction.

    `mean` is the bias, `standard_deviation` the spread about it; `quartiles` are three numbers; `largest` is the
    index of the item that is furthest off.
    """

    values: np.ndarray
    mean: float
    standard_deviation: float
    quartiles: tuple
    largest: int


def confusion(y, predicted, classes):
    """The Confusion of labels y and predicted labels, whole numbers from 0; `classes` are all the names.

    >>> confusion([0, 0, 1], [0, 1, 1], ("cat", "dog")).counts.tolist()
    [[1, 1], [0, 1]]
    """
    y, predicted, classes = _labels(y, predicted, classes)
    size = len(classes)
    counts = np.bincount(y * size + predicted, minlength=size**2).reshape(size, size)
    return Confusion(classes, counts, _divided(counts, counts.sum(axis=1, keepdims=True)))


def class_scores(y, predicted, classes):
    """The ClassScores of labels y and predicted labels.

    >>> class_scores([0, 0, 1], [0, 1, 1], ("cat", "dog")).precision.tolist()
    [1.0, 0.5]
    """
    from sklearn.metrics import precision_recall_fscore_support

    y, predicted, classes = _labels(y, predicted, classes)
    found = precision_recall_fscore_support(y, predicted, labels=np.arange(len(classes)), zero_division=np.nan)
    return ClassScores(classes, *(np.asarray(one) for one in found))


def calibration(probabilities, y, bins=10):
    """The Calibration of probabilities (n, classes): how often the likeliest class is right, by how likely it seems.

    >>> calibration([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]], [0, 1, 1], bins=2).accuracy.round(2).tolist()
    [nan, 0.67]
    """
    if not bins >= 1:
        raise UsageError(f"bins must be a whole number of at least 1, got {bins!r}.")
    probabilities, y = _chances(probabilities, y)
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == y
    edges = np.linspace(0, 1, bins + 1)
    # A bin holds its lower edge, the last one 1 as well; sums of rounded numbers may come out just above 1.
    place = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    confidence = _divided(np.bincount(place, sure, bins), count)
    accuracy = _divided(np.bincount(place, right, bins), count)
    error = np.nansum(np.abs(accuracy - confidence) * count) / len(y)
    return Calibration(edges, confidence, accuracy, count, float(error))


def worst_errors(probabilities, y, count):
    """The indices of those wrong answers that were the surest, the surest first; fewer where there are fewer.

    >>> worst_errors([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [1, 0, 1], count=5).tolist()
    [0, 1]
    """
    if not count >= 0:
        raise UsageError(f"count must be a whole number of at least 0, got {count!r}.")
    probabilities, y = _chances(probabilities, y)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != y)
    return wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")][:count]


def residuals(predicted, y):
    """The Residuals of predicted values, (n,) or (n, 1).

    >>> found = residuals([[1.0], [2.0]], [[1.5], [1.0]])
    >>> found.values.tolist(), found.mean, found.largest
    ([0.5, -1.0], -0.25, 1)
    """
    predicted, y = (np.asarray(one, "float64") for one in (predicted, y))
    if predicted.size != len(predicted) or y.size != len(y) or len(y) != len(predicted) or not len(y):
        raise UsageError(f"predicted has shape {predicted.shape} and y {y.shape}, expected a value each for n items.")
    values = y.ravel() - predicted.ravel()
    quartiles = tuple(np.quantile(values, [0.25, 0.5, 0.75]).tolist())
    return Residuals(values, float(values.mean()), float(values.std()), quartiles, int(np.abs(values).argmax()))


def _labels(y, predicted, classes):
    y, predicted, classes = np.asarray(y), np.asarray(predicted), tuple(classes)
    if y.ndim != 1 or y.shape != predicted.shape or not len(y):
        raise UsageError(f"y has shape {y.shape} and predicted {predicted.shape}, expected a label each for n items.")
    for name, labels in (("y", y), ("predicted", predicted)):
        _check_labels(name, labels, len(classes))
    return y.astype(np.int64), predicted.astype(np.int64), classes


def _chances(probabilities, y):
    probabilities, y = np.asarray(probabilities), np.asarray(y)
    if probabilities.ndim != 2 or y.shape != probabilities.shape[:1] or not len(y):
        raise UsageError(
            f"probabilities has shape {probabilities.shape} and y {y.shape}, expected (n, classes) and (n,)."
        )
    # Logits would be taken for a confidence of more than all.
    if not (probabilities.min() >= 0 and probabilities.max() <= 1 + 1e-6):
        raise UsageError(
            f"probabilities run from {probabilities.min():.3g} to {probabilities.max():.3g}, expected 0 to 1: "
            "put logits through kerashw.evaluation.probabilities."
        )
    _check_labels("y", y, probabilities.shape[1])
    return probabilities, y


def _check_labels(name, labels, count):
    if labels.dtype.kind not in "iu":
        raise UsageError(f"{name} holds {labels.dtype}, expected labels: whole numbers from 0.")
    if labels.min() < 0 or labels.max() >= count:
        raise UsageError(f"{name} has labels from {labels.min()} to {labels.max()}, expected 0 to {count - 1}.")


def _divided(parts, wholes):
    """The shares; NaN where there is nothing to divide by."""
    return np.divide(parts, wholes, out=np.full(np.shape(parts), np.nan), where=np.asarray(wholes) > 0)
