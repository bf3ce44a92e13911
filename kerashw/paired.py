"""Whether two models differ by more than chance: tests of pairs, of scores by fold and of answers by item."""

from dataclasses import dataclass

import numpy as np

from kerashw.errors import UsageError


@dataclass(frozen=True)
class Paired:
    """A test of n pairs: the mean of the first less the second, and how likely such a difference is by chance.

    `p` has the two-sided probability by the name of each test; it is NaN where a test can tell nothing.
    """

    n: int
    difference: float
    p: dict


def of_scores(first, second):
    """The Paired of two rows of scores on the same folds: a t-test, and Wilcoxon's, which looks at ranks alone.

    Folds share most of their training items, so that such a p is rather too small than too large.

    >>> found = of_scores([0.91, 0.92, 0.93, 0.95], [0.90, 0.90, 0.92, 0.92])
    >>> found.n, round(found.difference, 4), {name: round(p, 3) for name, p in found.p.items()}
    (4, 0.0175, {'t-test': 0.035, 'Wilcoxon': 0.125})
    """
    first, second = _pairs(first, second)
    gaps = np.round(first - second, 12)  # those that are equal but for the last bit are equal
    found = {"t-test": float("nan"), "Wilcoxon": float("nan")}
    if len(gaps) > 1 and np.ptp(gaps) > 0:  # of equal gaps there is no spread to compare with
        from scipy.stats import ttest_1samp, wilcoxon

        found = {"t-test": float(ttest_1samp(gaps, 0.0).pvalue), "Wilcoxon": float(wilcoxon(gaps).pvalue)}
    return Paired(len(gaps), float(gaps.mean()), found)


def of_answers(first, second):
    """The Paired of two rows of right (True) and wrong answers to the same items: McNemar's test, in its exact form.

    >>> found = of_answers([True] * 9 + [False], [False] * 8 + [True, True])
    >>> found.n, found.difference, round(found.p["McNemar"], 4)
    (10, 0.7, 0.0391)
    """
    first, second = _pairs(first, second)
    first, second = first.astype(bool), second.astype(bool)
    only = [int((first & ~second).sum()), int((second & ~first).sum())]
    p = 1.0
    if any(only):
        from scipy.stats import binomtest

        p = float(binomtest(only[0], sum(only)).pvalue)
    return Paired(len(first), (only[0] - only[1]) / len(first), {"McNemar": p})


def of_errors(first, second):
    """The Paired of two rows of errors on the same items: Wilcoxon's test, as errors are far from normal.

    >>> of_errors([0.1, 0.2, 0.1], [0.1, 0.2, 0.1]).p
    {'Wilcoxon': nan}
    """
    first, second = _pairs(first, second)
    gaps = first - second
    p = float("nan")
    if np.any(gaps):
        from scipy.stats import wilcoxon

        p = float(wilcoxon(gaps).pvalue)
    return Paired(len(gaps), float(gaps.mean()), {"Wilcoxon": p})


def _pairs(first, second):
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise UsageError(f"pairs need two rows of one length, got shapes {first.shape} and {second.shape}.")
    return first, second
