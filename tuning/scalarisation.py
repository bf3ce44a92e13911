"""Several objectives as one score, weighted anew for each proposal, so that proposals spread over a front."""

import numpy as np

from kerashw.pareto import costs
from tuning.gaussian import tamed

SLOPE = 0.05  # of the weighted sum beside the largest part: without it a point that is beaten may score as well


def scalarised(values, signs, seed):
    """A score for each point, less is better, by weights drawn from the seed: augmented Chebyshev, as in ParEGO.

    Hopeless values are brought to the edge of the others; a missing one (NaN) counts as the worst.

    >>> values = [[0.9, 100], [0.5, 10], [0.4, 200]]
    >>> scores = scalarised(values, signs=(-1, 1), seed=0)
    >>> int(scores.argmax())
    2
    """
    values = np.array(values, float)
    signs = np.array(signs)
    for column in (values := values * signs).T:
        column[np.isnan(column)] = column[~np.isnan(column)].max(initial=-np.inf)
        column[:] = np.where(np.isfinite(column), column, 0.0)  # of a value that no point has
        column[:] = tamed(column)
    weighted = np.random.default_rng(seed).dirichlet(np.ones(len(signs))) * costs(values * signs, signs)
    return weighted.max(axis=1) + SLOPE * weighted.sum(axis=1)
