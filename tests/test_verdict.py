"""The interval of a test result and the baseline it has to beat, held to numbers worked out elsewhere."""

import numpy as np
import pytest

from kerashw.datasets import Dataset
from kerashw.verdict import SKEWED, baseline, interval, with_interval

GENERATOR = np.random.default_rng(0)


def answers(right, wrong):
    """Logits for so many items of class 0 that are told right, and wrong."""
    return np.eye(2)[[0] * right + [1] * wrong], np.zeros(right + wrong, int)


def of_classes(right, wrong):
    return interval(*answers(right, wrong), is_classification=True, seed=0)


def of_errors(errors, seed=0):
    return interval(np.sqrt(errors)[:, None], np.zeros((len(errors), 1)), is_classification=False, seed=seed)


# right, wrong, low, high: Wilson's formula by hand, z = 1.959964
WILSON = [(9948, 52, 0.99319, 0.99603), (81, 182, 0.25529, 0.36621), (10, 0, 0.72247, 1.0), (0, 10, 0.0, 0.27753)]


@pytest.mark.parametrize(("right", "wrong", "low", "high"), WILSON)
def test_the_interval_of_an_accuracy_is_wilson_s(right, wrong, low, high):
    found = of_classes(right, wrong)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert (found["metric"], found["method"], found["items"]) == ("accuracy", "Wilson", right + wrong)


@pytest.mark.parametrize("items", [100, SKEWED + 1])
def test_the_interval_of_a_squared_error_is_that_of_its_mean_and_depends_on_the_seed_alone(items):
    errors = GENERATOR.exponential(2.0, items)
    found = of_errors(errors)
    assert found == of_errors(errors) != of_errors(errors, seed=1)
    assert found["low"] < errors.mean() < found["high"]
    normal = 2 * 1.96 * errors.std() / np.sqrt(items)
    assert found["high"] - found["low"] == pytest.approx(normal, rel=0.2)


def test_an_interval_of_few_skewed_errors_reaches_further_up_than_down():
    errors = GENERATOR.exponential(1.0, 50) ** 2
    found = of_errors(errors)
    assert found["high"] - errors.mean() > 1.2 * (errors.mean() - found["low"])


def test_equal_errors_leave_no_doubt_and_one_error_nothing_to_tell():
    found = of_errors(np.full(5, 4.0))
    assert (found["low"], found["high"]) == (pytest.approx(4.0), pytest.approx(4.0))
    assert of_errors(np.array([4.0])) is None


def test_the_baseline_of_classes_always_says_the_commonest_one_of_the_training_items():
    data = Dataset("toy", np.zeros((5, 2)), [0, 2, 2, 2, 1], np.zeros((4, 2)), [2, 0, 0, 0], ("a", "b", "c"), "made")
    found = baseline(data)
    assert (found["metric"], found["value"]) == ("accuracy", 0.25)
    assert found["answer"].startswith("always c,")


def test_the_baseline_takes_images_and_several_targets():
    images = np.zeros((4, 3, 3), "uint8")
    assert baseline(Dataset("toy", images, [0, 1, 1, 1], images, [1, 1, 1, 0], ("a", "b"), "made"))["value"] == 0.75


def test_a_result_is_told_with_as_many_digits_as_its_interval():
    metrics = {"test": {"accuracy": 0.99, "cross_entropy": 0.5}, "interval": of_classes(99, 1)}
    assert with_interval(metrics) == {"accuracy": "0.9900 (95 % 0.9455 to 0.9982)", "cross_entropy": "0.5"}
    assert with_interval({"test": {"mse": 2.0}, "interval": None}) == {"mse": "2"}
