"""Confusion, scores per class, calibration, worst errors and residuals, with all that may be missing."""

import warnings

import numpy as np
import pytest

from kerashw.diagnosis import calibration, class_scores, confusion, residuals, worst_errors
from kerashw.errors import UsageError

NAMES = ("T-shirt", "Shirt", "Dress")
Y, PREDICTED = np.array([0, 0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 0, 1, 2, 2])


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_confusion_counts_the_items_of_each_row_and_gives_their_shares():
    found = confusion(Y, PREDICTED, NAMES)
    assert found.counts.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert found.rates.tolist() == [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert found.classes == NAMES


def test_precision_and_recall_of_a_class_are_those_of_the_arithmetic():
    found = class_scores(Y, PREDICTED, NAMES)
    assert found.precision.tolist() == [0.75, 0.5, 1] and found.recall.tolist() == [0.75, 0.5, 1]
    assert found.f1.tolist() == [0.75, 0.5, 1] and found.count.tolist() == [4, 2, 2]


def test_a_class_without_items_has_no_rate():
    found = confusion([0, 0], [0, 2], NAMES)
    assert found.counts.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert np.isnan(found.rates).all(axis=1).tolist() == [False, True, True]
    scores = class_scores([0, 0], [0, 2], NAMES)
    assert scores.recall[0] == 0.5 and np.isnan(scores.recall[1:]).all()
    assert scores.precision[0] == 1 and np.isnan(scores.precision[1]) and scores.precision[2] == 0


def test_one_class_and_one_item_are_enough():
    assert confusion([0], [0], ("only",)).rates.tolist() == [[1]]
    assert class_scores([0], [0], ("only",)).f1.tolist() == [1]
    assert calibration([[1.0]], [0]).error == 0
    assert worst_errors([[1.0]], [0], 3).tolist() == []
    assert residuals([2.0], [3.0]).standard_deviation == 0


WRONG_LABELS = [
    ([0, 1], [0], "expected a label each for n items"),
    ([], [], "expected a label each for n items"),
    ([0, 3], [0, 1], "y has labels from 0 to 3, expected 0 to 2"),
    ([0, 1], [0, -1], "predicted has labels from -1 to 0, expected 0 to 2"),
    ([0.0, 1.0], [0, 1], "y holds float64, expected labels"),
]


@pytest.mark.parametrize("y, predicted, told", WRONG_LABELS)
@pytest.mark.parametrize("function", [confusion, class_scores])
def test_what_are_no_labels_is_refused(function, y, predicted, told):
    with pytest.raises(UsageError, match=told):
        function(y, predicted, NAMES)


def test_a_well_calibrated_model_has_no_error_and_a_boastful_one_has():
    # Ten answers with a confidence of 0.8, of which eight are right.
    honest = np.tile([0.8, 0.2], (10, 1))
    assert calibration(honest, [0] * 8 + [1] * 2).error == pytest.approx(0)
    assert calibration(np.tile([1.0, 0.0], (10, 1)), [0] * 8 + [1] * 2).error == pytest.approx(0.2)


def test_each_answer_falls_into_the_bin_of_its_confidence_and_empty_bins_say_nothing():
    found = calibration([[0.55, 0.45], [0.95, 0.05], [0.05, 0.95], [1.0, 0.0]], [0, 0, 0, 0], bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 3]
    assert found.accuracy[5] == 1 and found.accuracy[9] == pytest.approx(2 / 3)
    assert found.confidence[9] == pytest.approx((0.95 + 0.95 + 1) / 3)
    assert np.isnan(found.accuracy[:5]).all() and np.isnan(found.confidence[:5]).all()
    assert found.error == pytest.approx((0.45 + 3 * abs(2 / 3 - 2.9 / 3)) / 4)
    assert found.edges[0] == 0 and found.edges[-1] == 1 and len(found.edges) == 11


def test_a_confidence_on_an_edge_belongs_to_the_bin_above():
    assert calibration([[0.5, 0.5]], [0], bins=2).count.tolist() == [0, 1]


def test_a_confidence_just_above_1_by_rounding_is_one_of_1():
    assert calibration(np.array([[1.0000001, 0.0]], "float32"), [0], bins=4).count.tolist() == [0, 0, 0, 1]


def test_the_worst_errors_are_the_surest_wrong_answers_in_their_order():
    chances = np.array([[0.6, 0.4], [0.99, 0.01], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]])
    y = [1, 0, 0, 1, 1]
    assert worst_errors(chances, y, count=2).tolist() == [3, 2]
    assert worst_errors(chances, y, count=10).tolist() == [3, 2, 0]
    assert worst_errors(chances, y, count=0).tolist() == []


def test_equally_sure_errors_stay_in_the_order_of_the_items():
    assert worst_errors(np.tile([0.9, 0.1], (3, 1)), [1, 1, 1], count=3).tolist() == [0, 1, 2]


WRONG_CHANCES = [
    ([[3.0, -1.0]], [0], "expected 0 to 1: put logits through kerashw.evaluation.probabilities"),
    ([[float("nan"), 1.0]], [0], "expected 0 to 1"),
    ([[0.5, 0.5]], [0, 1], r"expected \(n, classes\) and \(n,\)"),
    ([0.5, 0.5], [0, 1], r"expected \(n, classes\) and \(n,\)"),
    ([[0.5, 0.5]], [2], "y has labels from 2 to 2, expected 0 to 1"),
]


@pytest.mark.parametrize("chances, y, told", WRONG_CHANCES)
def test_what_are_no_probabilities_is_refused(chances, y, told):
    for function in (lambda: calibration(chances, y), lambda: worst_errors(chances, y, 1)):
        with pytest.raises(UsageError, match=told):
            function()


@pytest.mark.parametrize("function, name", [(calibration, "bins"), (worst_errors, "count")])
def test_a_number_that_makes_no_sense_is_refused(function, name):
    with pytest.raises(UsageError, match=f"{name} must be a whole number of at least .*, got -1"):
        function([[0.5, 0.5]], [0], -1)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_residuals_are_the_truth_without_the_prediction(shape):
    found = residuals(np.reshape([1.0, 2, 3, 4], shape), np.reshape([1.0, 1, 5, 4], shape))
    assert found.values.tolist() == [0, -1, 2, 0] and found.largest == 2
    assert found.mean == 0.25 and found.quartiles == (-0.25, 0, 0.5)
    assert found.standard_deviation == pytest.approx(np.std([0, -1, 2, 0]))


@pytest.mark.parametrize("predicted, y", [([1.0], [1.0, 2.0]), ([], []), (np.zeros((2, 2)), np.zeros((2, 2)))])
def test_values_that_do_not_pair_are_refused(predicted, y):
    with pytest.raises(UsageError, match="expected a value each for n items"):
        residuals(predicted, y)
