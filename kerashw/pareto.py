"""The Pareto front of points that are judged by several values each, and the point of it that gives most for least.

Points are rows, one column for each value; `signs` has for each column 1 where less is better and -1 where more is.
"""

import numpy as np

DECADES = 100  # above this ratio of the largest to the smallest it is ratios that count, not differences


def front(values, signs):
    """The places of the points that no other one beats, in their order.

    A point is beaten by one that is no worse in any value, and better in one; of equal points all but the first are
    beaten. One that lacks a value (NaN) is never on the front.

    >>> front([[0.9, 50], [0.8, 9], [0.8, 70], [0.9, 50], [float("nan"), 1]], signs=(-1, 1))
    [0, 1]
    """
    costs = np.asarray(values, float).reshape(len(values), len(signs)) * np.array(signs)
    known = np.flatnonzero(~np.isnan(costs).any(axis=1))
    found = []
    for place in known:
        others, own = costs[known], costs[place]
        no_worse = (others <= own).all(axis=1)
        if not (no_worse & ((others < own).any(axis=1) | (known < place))).any():
            found.append(int(place))
    return found


def spans_decades(values):
    """Whether the values are so far apart that equal ratios count for the same, rather than equal differences.

    >>> spans_decades([1e3, 1e6]), spans_decades([0.5, 1.0]), spans_decades([0.0, 1e6]), spans_decades([])
    (True, False, False, False)
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > DECADES * values.min())


def costs(values, signs):
    """The values of each column from 0, the best that is known, to 1, the worst; where they span decades, by logarithm.

    A value that is the same for all is 0.

    >>> costs([[0.9, 1e2], [0.8, 1e3], [0.7, 1e6]], signs=(-1, 1)).round(2).tolist()
    [[0.0, 0.0], [0.5, 0.25], [1.0, 1.0]]
    """
    columns = []
    for column, sign in zip(np.asarray(values, float).T, signs, strict=True):
        scaled = sign * (np.log(column) if spans_decades(column) else column)
        low, high = scaled.min(), scaled.max()
        columns.append((scaled - low) / (high - low) if high > low else np.zeros(len(column)))
    return np.stack(columns, axis=1)


def knee(values, signs):
    """The place of the point of a front beyond which one value gets better only at the price of much of another.

    Of two values it is the point farthest below the line through the two ends of the front, each value counted from
    its best, 0, to its worst, 1. Where no point lies below that line, and of more values, it is the one nearest to the
    best of each. A front of one or two points has no knee: then it is the better one by the first value. Of equal ones
    it is the earlier.

    >>> knee([[0.99, 100], [0.98, 20], [0.7, 10]], signs=(-1, 1))
    1
    >>> knee([[0.7, 10], [0.99, 100]], signs=(-1, 1))
    1
    """
    scaled = costs(values, signs)
    if len(scaled) < 3:
        return int(scaled[:, 0].argmin())
    if scaled.shape[1] == 2:
        below = np.round(1 - scaled.sum(axis=1), 9)  # the line from (0, 1) to (1, 0); equal but for rounding is equal
        if below.max() > 0:
            return int(below.argmax())
    return int(np.round((scaled**2).sum(axis=1), 9).argmin())
