"""Which points of several values no other beats, and which of these gives most for least."""

import numpy as np
import pytest

from kerashw.pareto import costs, front, knee, spans_decades

LESS, MORE = 1, -1
GENERATOR = np.random.default_rng(0)


def beats(one, other, signs):
    """Whether one point is no worse than another in any value, and better in one."""
    differences = [sign * (a - b) for a, b, sign in zip(one, other, signs)]
    return all(gap <= 0 for gap in differences) and any(gap < 0 for gap in differences)


@pytest.mark.parametrize("signs", [(LESS, LESS), (MORE, LESS), (MORE, LESS, LESS)], ids=str)
def test_the_front_is_what_no_other_point_beats(signs):
    points = GENERATOR.random((60, len(signs)))
    found = front(points, signs)
    assert 1 < len(found) < len(points)
    assert found == [
        place for place, point in enumerate(points) if not any(beats(other, point, signs) for other in points)
    ]


@pytest.mark.parametrize(
    "values, expected",
    [
        ([], []),
        ([[1, 5]], [0]),
        ([[1, 5], [1, 5], [2, 1], [2, 1]], [0, 2]),
        ([[2, 2], [1, 2], [1, 3]], [1]),
        ([[np.nan, 0], [1, 1], [0, np.nan]], [1]),
        ([[np.nan, 0]], []),
    ],
    ids=["no point", "one", "equal ones", "beaten in one value", "lacking values", "lacking all"],
)
def test_of_equal_points_the_first_stays_and_one_that_lacks_a_value_never_does(values, expected):
    assert front(values, (LESS, LESS)) == expected


def test_the_knee_of_two_values_lies_farthest_below_the_line_through_the_ends():
    points = [[0.0, 1.0], [0.2, 0.5], [0.3, 0.3], [0.6, 0.25], [1.0, 0.0]]
    assert knee(points, (LESS, LESS)) == 2
    turned = [[1 - a, b] for a, b in points]
    assert knee(turned, (MORE, LESS)) == 2, "the same where more is better"


def test_the_knee_does_not_depend_on_the_units_of_the_values():
    points = np.array([[0.0, 1.0], [0.2, 0.5], [0.3, 0.3], [0.6, 0.25], [1.0, 0.0]])
    assert knee(points * (7, 40) - (3, 2), (LESS, LESS)) == 2


def test_the_order_of_the_points_decides_between_equal_ones_only():
    points = [[0.0, 1.0], [0.25, 0.5], [0.5, 0.25], [1.0, 0.0]]
    assert knee(points, (LESS, LESS)) == 1
    assert knee(points[::-1], (LESS, LESS)) == 1
    points[2][1] = 0.125
    assert knee(points, (LESS, LESS)) == 2 and knee(points[::-1], (LESS, LESS)) == 1


def test_where_no_point_lies_below_the_line_the_one_nearest_to_the_best_of_both_wins():
    assert knee([[0.0, 1.0], [0.6, 0.7], [0.7, 0.5], [1.0, 0.0]], (LESS, LESS)) == 2


def test_of_three_values_the_point_nearest_to_the_best_of_each_wins():
    assert knee([[0, 1, 1], [1, 0, 1], [0.3, 0.4, 0.4], [1, 1, 0]], (LESS,) * 3) == 2


@pytest.mark.parametrize("points, best", [([[0.9, 7]], 0), ([[0.5, 1], [0.9, 7]], 1), ([[0.9, 7], [0.5, 1]], 0)])
def test_one_or_two_points_have_no_knee_and_the_first_value_decides(points, best):
    assert knee(points, (MORE, LESS)) == best


def test_values_that_span_decades_are_compared_by_their_ratios():
    sizes = [1e2, 1e3, 1e4, 1e6]
    assert spans_decades(sizes) and not spans_decades([1, 100]) and not spans_decades([0, *sizes])
    points = list(zip([0.9, 0.95, 0.97, 0.98], sizes))
    assert costs(points, (MORE, LESS))[:, 1] == pytest.approx([0, 0.25, 0.5, 1])
    assert knee(points, (MORE, LESS)) == 1
