"""Which settings decide the score: importance from the trials of a search, with its uncertainty."""

from dataclasses import asdict, dataclass

import numpy as np

from kerashw.errors import UsageError

REPEATS = 10  # forests, each grown on its own draw of the trials
TREES = 20
FEW = 4  # below so many scored trials nothing can be learned and tested
ENOUGH = 10  # below so many the shares are told to be uncertain
EXPLAINED = 0.3  # below such an R2 on trials it has not seen, a forest tells little


@dataclass(frozen=True)
class Importance:
    """The share of each setting in what a forest can tell about the ranking of the trials.

    `shares` sum to 1, or are 0 where no setting tells anything, or NaN where there are too few trials; `spreads` are
    standard deviations over the forests. `note` says in a sentence how far to trust them.
    """

    settings: tuple[str, ...]
    shares: tuple[float, ...]
    spreads: tuple[float, ...]
    trials: int
    certain: bool
    note: str

    def numbers(self):
        """What `kerashw.figures.importance` draws."""
        return {name: value for name, value in asdict(self).items() if name not in ("trials", "certain")}


def importance(settings, scores, *, log=(), seed=0):
    """The Importance of each setting: how much worse a random forest ranks unseen trials without knowing it.

    `settings` is a list of dicts, one for each trial, `scores` their scores, None or NaN for a trial without one;
    settings named in `log` count by their logarithm. Only the order of the scores matters, so it makes no difference
    which direction is better, and one diverged trial does not outweigh all others.

    Each of several forests is grown on trials drawn with replacement, and asked about the trials left out, once as
    they are and once with the values of one setting shuffled among them (permutation importance).

    >>> trials = [{"rate": rate, "colour": "red"} for rate in range(40)]
    >>> found = importance(trials, [trial["rate"] ** 2 for trial in trials])
    >>> found.settings, found.shares, found.certain
    (('rate', 'colour'), (1.0, 0.0), True)
    """
    if len(settings) != len(scores):
        raise UsageError(f"{len(settings)} trials but {len(scores)} scores: give one score for each, or None.")
    names = tuple(dict.fromkeys(name for trial in settings for name in trial))
    numbers = np.array([np.nan if score is None else score for score in scores], dtype=float)
    known = np.flatnonzero(np.isfinite(numbers))
    if len(known) < FEW or len(np.unique(numbers[known])) < 2:
        return _unknown(names, len(known))
    chosen = [settings[place] for place in known]
    columns = np.stack([_column(chosen, name, name in log) for name in names], axis=1) if names else None
    if columns is None:
        return _unknown(names, len(known))
    drops, skill = _drops(columns, numbers[known], seed)
    shares = _shares(drops.mean(axis=0))
    spreads = np.std([_shares(drop) for drop in drops], axis=0)
    note, certain = _trust(len(known), skill, shares)
    return Importance(names, tuple(map(float, shares)), tuple(map(float, spreads)), len(known), certain, note)


def _column(settings, name, log):
    """The values of a setting as numbers: categories by their place, a missing value below all others."""
    values = [trial.get(name) for trial in settings]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        column = np.array(values, dtype=float)
        return np.log(column) if log and (column > 0).all() else column
    order = sorted({repr(value) for value in values if value is not None})
    return np.array([-1.0 if value is None else order.index(repr(value)) for value in values])


def _drops(columns, scores, seed):
    """By how much the left-out trials are ranked worse with each setting shuffled, (forests, settings); and the R2."""
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import r2_score

    ranks = rankdata(scores) / len(scores)
    generator = np.random.default_rng(seed)
    drops, truth, answers = [], [], []
    while len(drops) < REPEATS:
        drawn = generator.integers(0, len(scores), len(scores))
        left = np.setdiff1d(np.arange(len(scores)), drawn)
        if len(left) < 2 or len(np.unique(drawn)) < 2:
            continue
        number = int(generator.integers(2**31))
        forest = RandomForestRegressor(TREES, random_state=number).fit(columns[drawn], ranks[drawn])
        # Squared error rather than R2, which is not defined where the few trials left out have equal ranks.
        found = permutation_importance(
            forest, columns[left], ranks[left], n_repeats=5, random_state=number, scoring="neg_mean_squared_error"
        )
        drops.append(found.importances_mean)
        truth.append(ranks[left])
        answers.append(forest.predict(columns[left]))
    return np.array(drops), float(r2_score(np.concatenate(truth), np.concatenate(answers)))


def _shares(drops):
    """Drops as shares that sum to 1; a drop below zero is chance and counts as none."""
    gains = np.maximum(drops, 0.0)
    return gains / gains.sum() if gains.sum() > 0 else gains


def _trust(count, skill, shares):
    """The sentence on how far to trust the shares, and whether they are certain enough to act on."""
    explained = f"{max(0.0, 100 * skill):.0f} % of the ranking of trials it has not seen"
    told = f"{count} trials; a random forest explains {explained}"
    if not shares.any():
        return f"{told}: no setting tells anything about the score.", False
    if count < ENOUGH:
        return f"{told}. Uncertain: fewer than {ENOUGH} trials.", False
    if skill < EXPLAINED:
        return f"{told}. Uncertain: that is little.", False
    return f"{told}.", True


def _unknown(names, count):
    nothing = (float("nan"),) * len(names)
    if not names:
        note = "There are no settings to compare."
    elif count < FEW:
        note = f"Not known: it takes at least {FEW} trials with a score, there {'is' if count == 1 else 'are'} {count}."
    else:
        note = f"Not known: all {count} trials have the same score."
    return Importance(names, nothing, nothing, count, False, note)
