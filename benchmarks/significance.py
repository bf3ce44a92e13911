"""Whether ours is worse than a peer's over several seeds."""

WORSE = 0.05  # what would look so bad by chance less often than this is called worse


def p_worse(ours, theirs, more_is_better=False):
    """The chance that ours looks so bad where both are equally good (Mann-Whitney): small where ours is worse.

    >>> p_worse([1, 2, 3, 4], [11, 12, 13, 14]) > 0.9, p_worse([11, 12, 13, 14], [1, 2, 3, 4]) < 0.05
    (True, True)
    """
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(ours, theirs, alternative="less" if more_is_better else "greater").pvalue)
