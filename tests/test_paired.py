"""Tests of pairs, held to published examples and to what they must say of equal rows."""

import math

import numpy as np
import pytest

from kerashw.errors import UsageError
from kerashw.paired import of_answers, of_errors, of_scores

GENERATOR = np.random.default_rng(0)


def test_scores_by_fold_get_student_s_test_and_wilcoxon_s():
    # Student (1908), hours of additional sleep by two drugs: t = -4.0621, p = 0.002833
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = of_scores(one, other)
    assert (found.n, found.difference) == (10, pytest.approx(-1.58))
    assert found.p["t-test"] == pytest.approx(0.002833, abs=1e-6)
    assert 0.003 < found.p["Wilcoxon"] < 0.01


def test_scores_that_differ_by_the_same_everywhere_leave_nothing_to_judge_by():
    for one, other in (([0.5, 0.75], [0.5, 0.75]), ([0.5, 0.75], [0.25, 0.5]), ([0.5], [0.4])):
        assert all(map(math.isnan, of_scores(one, other).p.values()))


def test_answers_get_mcnemar_s_exact_test():
    one = np.array([True] * 80 + [True] * 12 + [False] * 4 + [False] * 4)
    other = np.array([True] * 80 + [False] * 12 + [True] * 4 + [False] * 4)
    found = of_answers(one, other)
    assert (found.n, found.difference) == (100, 0.08)
    # 2 * P(at most 4 heads of 16)
    assert found.p["McNemar"] == pytest.approx(2 * sum(math.comb(16, heads) for heads in range(5)) / 2**16)


def test_equal_answers_are_as_likely_as_can_be():
    assert of_answers([True, False], [True, False]).p == {"McNemar": 1.0}


def test_errors_that_are_smaller_throughout_are_told_from_chance_and_shuffled_ones_are_not():
    errors = GENERATOR.exponential(1.0, 200)
    assert of_errors(errors, errors * 0.9).p["Wilcoxon"] < 1e-6
    assert of_errors(errors, GENERATOR.permutation(errors)).p["Wilcoxon"] > 0.05


ROWS = {"unequal": ([1.0], [1.0, 2.0]), "empty": ([], []), "nested": ([[1.0]], [[1.0]])}


@pytest.mark.parametrize("test", [of_scores, of_answers, of_errors])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_rows_that_are_no_pairs_are_refused(test, rows):
    with pytest.raises(UsageError, match="two rows of one length"):
        test(*rows)


def test_gaps_that_are_equal_but_for_the_last_bit_tell_nothing():
    found = of_scores([0.92, 0.88, 0.96, 0.84], [0.88, 0.84, 0.92, 0.80])
    assert all(np.isnan(p) for p in found.p.values())
