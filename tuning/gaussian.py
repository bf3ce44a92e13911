"""What to try next by a Gaussian process: several points from one fit, better than chance and unlike each other.

Points are rows of numbers in [0, 1], one column for each ordered setting (logarithms where its range is
logarithmic) and one for each value of an unordered one. Less is better throughout.
"""

import warnings

import numpy as np
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

CANDIDATES = 1000  # points among which the next one is chosen, half of them near the best known
GROWTH = 1.2  # the kernel is fitted anew when there are so many times as many scores; the rest is exact
ENOUGH = 5  # scores for each column, before the columns may differ in how much they matter


def suggest(points, scores, draw, *, count, seed, kernels, pending=()):
    """For each of `count` places of a batch the proposals for it, the most promising first.

    What promises most is the largest expected improvement. Each place takes for granted that those before it will
    score as expected, and so will the points that are `pending`; so what is tried at a time spreads over what is
    still uncertain. `draw` makes a candidate (columns, proposal) from a generator, near the point of that number where
    one is given; `kernels` remembers fitted kernels by the number of scores, and begins empty.
    """
    generator = np.random.default_rng(seed)
    best = np.argsort(scores, kind="stable")[:5]
    candidates = [draw(generator, best[number % len(best)] if number % 2 else None) for number in range(CANDIDATES)]
    x = np.array([columns for columns, _ in candidates])
    process = fitted(points, tamed(scores), kernels)
    mean, covariance = process.predict(np.concatenate([x, *np.array(pending)[:, np.newaxis]]), return_cov=True)
    least, places = process.predict(points).min(), []
    for place in range(len(x), len(mean)):
        covariance, least = _taken_for_granted(mean, covariance, place, least)
    mean, covariance = mean[: len(x)], covariance[: len(x), : len(x)]
    for _ in range(count):
        deviation = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
        order = np.argsort(-expected_improvement(mean, deviation, least), kind="stable")
        places.append([candidates[number][1] for number in order])
        covariance, least = _taken_for_granted(mean, covariance, order[0], least)
    return places


def _taken_for_granted(mean, covariance, place, least):
    """Covariance and best score when the point of that place has scored as expected.

    That leaves all means as they are, and takes away doubt.
    """
    own = covariance[place]
    return covariance - np.outer(own, own) / max(own[place], 1e-12), min(least, mean[place])


def expected_improvement(mean, deviation, best):
    """How much lower than `best` a normal variable is on average, counting higher as nothing.

    >>> round(float(expected_improvement(0.0, 1.0, 0.0)), 4)
    0.3989
    """
    deviation = np.maximum(deviation, 1e-9)
    ahead = (best - mean) / deviation
    return deviation * (ahead * norm.cdf(ahead) + norm.pdf(ahead))


def tamed(scores):
    """The scores with the hopeless ones brought to the edge of the others, so that they do not set the scale.

    >>> tamed(np.array([1.0, 2.0, 3.0, 4.0, 1e9])).tolist()
    [1.0, 2.0, 3.0, 4.0, 7.0]
    """
    low, high = np.quantile(scores, [0.25, 0.75])
    return np.minimum(scores, high + 1.5 * (high - low))


def fitted(points, scores, kernels):
    """A process through all points, with the kernel that the first of them decided.

    Fitting a kernel costs hundreds of times as much as using it, so it is done when the scores have grown by a
    fifth; which scores decide depends on their number alone, so a continued search comes to the same kernel.
    """
    decided = milestone(len(points))
    if decided not in kernels:
        # One length for each column, so that a setting that does not matter is forgotten; but few scores would be
        # explained by forgetting a setting that does matter. White noise, as scores have.
        columns = points.shape[1]
        lengths = np.full(columns, 0.5) if decided >= ENOUGH * columns else 0.5
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (0.05, 20.0), nu=2.5)
        process = GaussianProcessRegressor(kernel + WhiteKernel(1e-3, (1e-6, 1.0)), normalize_y=True)
        with warnings.catch_warnings():  # a parameter at its bound is no news to the person tuning
            warnings.simplefilter("ignore")
            kernels[decided] = process.fit(points[:decided], scores[:decided]).kernel_
    return GaussianProcessRegressor(kernels[decided], optimizer=None, normalize_y=True).fit(points, scores)


def milestone(count):
    """The largest of 3, 4, 5, ..., 10, 12, 14, 16, ... 374, ... that is at most `count`.

    >>> [milestone(count) for count in (3, 7, 11, 400)]
    [3, 7, 10, 374]
    """
    reached, ahead = 3, 3
    while ahead <= count:
        reached, ahead = ahead, max(ahead + 1, int(ahead * GROWTH))
    return min(reached, count)
