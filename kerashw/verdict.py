"""What a result on test items is worth: the interval it is certain to, and the plainest answer it has to beat."""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # the share of such intervals that hold what unlimited test items would give
RESAMPLES = 5_000  # draws of a bootstrap
# Up to here the bootstrap is corrected for skewness, at a cost that grows with the square of the items; beyond, the
# mean is as good as normal and needs none.
SKEWED = 2_000


def interval(outputs, y, *, is_classification, seed):
    """The interval of accuracy or MSE as metrics.json has it; None for a single value, which tells nothing of others.

    It tells how far chance in the choice of the test items reaches, not chance in the training.

    >>> found = interval(np.eye(2)[[0, 1, 1, 0]], np.array([0, 1, 1, 1]), is_classification=True, seed=0)
    >>> found["metric"], round(found["low"], 3), round(found["high"], 3), found["method"]
    ('accuracy', 0.301, 0.954, 'Wilson')
    """
    if is_classification:
        from scipy.stats import binomtest

        right = outputs.argmax(axis=-1) == y
        found = binomtest(int(right.sum()), len(y)).proportion_ci(LEVEL, method="wilson")
        return _told("accuracy", found, "Wilson", len(y))
    errors = ((outputs.astype("float64") - y) ** 2).mean(axis=-1)
    if len(errors) < 2:
        return None
    from scipy.stats import bootstrap

    corrected = len(errors) <= SKEWED and np.ptp(errors) > 0
    found = bootstrap(
        (errors,), np.mean, confidence_level=LEVEL, n_resamples=RESAMPLES, batch=100, rng=seed,
        method="BCa" if corrected else "percentile",
    ).confidence_interval  # fmt: skip
    return _told("mse", found, f"bootstrap{', BCa' if corrected else ''}", len(errors))


@dataclass(frozen=True)
class Spread:
    """A test metric over the refits of a winner, each with a seed of its own: chance in the training, not in the items."""

    mean: float
    deviation: float
    count: int


def over_seeds(metrics):
    """{test metric: its Spread}, from metrics.json; {} of a run with a single refit that did not diverge.

    >>> metrics = {"test": {"mse": 1.0}, "refitted_again": [{"test": {"mse": 3.0}}, {"test": None}]}
    >>> over_seeds(metrics)["mse"]
    Spread(mean=2.0, deviation=1.4142135623730951, count=2)
    """
    first = metrics.get("refit", {}).get("test") or metrics["test"]  # of an ensemble its first network
    tests = [first, *(one["test"] for one in metrics.get("refitted_again", ()) if one["test"])]
    if len(tests) < 2:
        return {}
    values = {name: [one[name] for one in tests] for name in metrics["test"]}
    return {name: Spread(float(np.mean(some)), float(np.std(some, ddof=1)), len(some)) for name, some in values.items()}


def baseline(dataset):
    """What always giving the same answer comes to on the test items: the commonest class, or the mean target.

    >>> from kerashw.datasets import Dataset
    >>> baseline(Dataset("toy", [[0], [1]], [1.0, 3.0], [[2]], [5.0], classes=(), source="typed in"))
    {'metric': 'mse', 'value': 9.0, 'answer': 'always 2, the mean of the training targets'}
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if dataset.classes:
        dummy = DummyClassifier(strategy="most_frequent").fit(dataset.x_train[:, :1], dataset.y_train)
        (answer,) = dummy.predict(dataset.x_test[:1, :1])
        told = f"always {dataset.classes[answer]}, the commonest class of the training items"
        return {"metric": "accuracy", "value": float((dataset.y_test == answer).mean()), "answer": told}
    dummy = DummyRegressor(strategy="mean").fit(dataset.x_train, dataset.y_train)
    answer = dummy.predict(dataset.x_test[:1]).ravel()
    told = f"always {', '.join(f'{value:.4g}' for value in answer)}, the mean of the training targets"
    return {"metric": "mse", "value": float(((answer - dataset.y_test) ** 2).mean()), "answer": told}


def with_interval(metrics):
    """{test metric: its value as text}, the one with an interval with it.

    >>> between = {"metric": "accuracy", "low": 0.9932, "high": 0.996, "level": 0.95}
    >>> with_interval({"test": {"accuracy": 0.9948, "cross_entropy": 0.02}, "interval": between})
    {'accuracy': '0.9948 (95 % 0.9932 to 0.9960)', 'cross_entropy': '0.02'}
    """
    found = {name: f"{value:.4g}" for name, value in metrics["test"].items()}
    between = metrics.get("interval")  # None of a single item, missing in runs of earlier versions
    if between:
        found[between["metric"]] = f"{short(metrics['test'][between['metric']])} ({ends(between)})"
    return found


def ends(between):
    """An interval in words: "95 % 0.9932 to 0.9960"."""
    return f"{100 * between['level']:g} % {short(between['low'])} to {short(between['high'])}"


def short(value):
    """Four digits, zeros at the end too, so that an interval and its metric have equally many.

    >>> short(0.996), short(0.0708171), short(1.0)
    ('0.9960', '0.07082', '1.000')
    """
    return f"{value:#.4g}"


def _told(metric, found, method, items):
    return {"metric": metric, "low": float(found.low), "high": float(found.high), "level": LEVEL, "method": method,
            "items": items}  # fmt: skip
