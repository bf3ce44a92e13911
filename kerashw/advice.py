"""What a finished search suggests to try next, in words computed from its trials and its winner.

Each piece of advice says what was seen, in numbers, and the options of `tune` that follow from it.
"""

from dataclasses import dataclass

import numpy as np

from kerashw.narrowing import best_count, narrowed, place_of
from kerashw.objectives import cost_sign

REGULARISERS = ("dropout", "spatial_dropout", "conv_dropout", "l2", "weight_decay")
ENOUGH = 12  # completed trials before anything is said of a setting
SURE = 0.05  # a difference as large comes by chance as rarely as this
UNHELPFUL = 0.2  # and one that comes by chance as often as this tells of no help
EDGE = 0.05  # of the width of a range: a winner so near to its end may have been held back by it
IDLE = 0.25  # a layer with so large a share of units near zero is wider than its data need
LATE, EARLY = 0.95, 0.5  # the best epoch as a share of all: later than the one or earlier than the other is told


@dataclass(frozen=True)
class Advice:
    """What was seen, and the options of `tune` that act on it; None where there is nothing to type."""

    text: str
    options: str | None = None
    setting: str | None = None  # that it is about, where it is about one


def useless_regularisers(spaces, trials, direction):
    """Advice to leave out a searched regulariser where trials with more of it are worse, or no better.

    `trials` are pairs of settings and score. Two groups are compared: the lowest third of the range and the rest.

    >>> space = {"dropout": {"real": {"low": 0.0, "high": 0.5, "log": False, "step": None}}}
    >>> trials = [({"dropout": place / 40}, place) for place in range(20)]
    >>> print(useless_regularisers(space, trials, "min")[0].options)
    --set dropout=0
    """
    from scipy.stats import mannwhitneyu

    sign = cost_sign(direction)
    found = []
    for name, space in spaces.items():
        if name not in REGULARISERS or "choice" in space or len(trials) < ENOUGH:
            continue
        little, much = [], []
        for settings, score in trials:
            (little if place_of(space, settings[name]) < 1 / 3 else much).append(sign * score)
        if min(len(little), len(much)) < ENOUGH // 3:
            continue
        helps = mannwhitneyu(much, little, alternative="less").pvalue
        harms = mannwhitneyu(much, little, alternative="greater").pvalue
        if helps < UNHELPFUL:
            continue
        lowest = f"trials in the lowest third of its range are {{}} the {len(much)} others"
        if harms < SURE:
            seen, chance = f"{name} made scores worse: {lowest.format('better than')}", harms
        else:
            seen, chance = f"{name} did not help: {lowest.format('as good as')}", helps
        found.append(Advice(f"{seen} (Mann-Whitney, p {chance:.2g}). It can be left out.", f"--set {name}=0"))
    return found


def held_back(spaces, winner):
    """Advice to widen a range whose end the winner has reached.

    >>> space = {"learning_rate": {"real": {"low": 1e-4, "high": 1e-2, "log": True, "step": None}}}
    >>> print(held_back(space, {"learning_rate": 0.0099})[0].text)
    The winner's learning_rate, 0.0099, lies at the upper end of what was searched, 0.01: try larger ones.
    """
    found = []
    for name, space in spaces.items():
        if "choice" in space:
            continue
        (ends,) = space.values()
        place = place_of(space, winner[name])
        side = "low" if place < EDGE else "high" if place > 1 - EDGE else None
        # There is nothing to try below 0, nor a whole number below 1.
        is_least = side == "low" and ends["low"] in ((0, 1) if "int" in space else (0,))
        if side is None or is_least:
            continue
        which, more = ("lower", "smaller") if side == "low" else ("upper", "larger")
        found.append(Advice(
            f"The winner's {name}, {winner[name]:.4g}, lies at the {which} end of what was searched, {ends[side]:.4g}: "
            f"try {more} ones.", setting=name
        ))  # fmt: skip
    return found


def where_the_best_lie(spaces, trials, direction):
    """Advice to search on in the part of the space where the best quarter of the trials lies, where that is smaller.

    >>> space = {"learning_rate": {"real": {"low": 1e-4, "high": 1.0, "log": True, "step": None}}}
    >>> trials = [({"learning_rate": 10 ** (-4 + place / 5)}, place) for place in range(20)]
    >>> found = where_the_best_lie(space, trials, "min")
    >>> found[0].text
    'The best 5 of 20 trials have learning_rate from 0.0001 to 0.00063.'
    >>> found[0].options
    "--set 'learning_rate=Real(0.0001, 0.001, log=True)'"
    """
    if len(trials) < ENOUGH:
        return []
    told, options = [], []
    count = best_count(len(trials))
    for name, space in narrowed(spaces, trials, direction, margin=0.0).items():
        old, wider = spaces[name], narrowed({name: spaces[name]}, trials, direction)[name]
        if "choice" in old:
            if space == old:
                continue
            kept = space["choice"] if isinstance(space, dict) else [space]
            told.append(f"{name} {' or '.join(map(str, kept))}")
            if _is_one_of_several(name):
                continue
            options.append(f"{name}={kept[0]!r}" if len(kept) == 1 else f"{name}=Choice({', '.join(map(repr, kept))})")
            continue
        ((kind, ends),) = wider.items() if isinstance(wider, dict) else ((None, None),)
        if kind is None or place_of(old, ends["high"]) - place_of(old, ends["low"]) > 0.7:
            continue
        ((_, seen),) = space.items() if isinstance(space, dict) else ((None, {"low": space, "high": space}),)
        digits = _told_apart if kind == "real" else lambda low, high: (low, high)
        told.append("{} from {} to {}".format(name, *digits(seen["low"], seen["high"])))
        if _is_one_of_several(name) or ends["step"] is not None:  # whose ends would lie between its steps
            continue
        low, high = _within(ends, old["real"]) if kind == "real" else (ends["low"], ends["high"])
        options.append(f"{name}={kind.capitalize()}({low}, {high}{', log=True' if ends['log'] else ''})")
    if not told:
        return []
    quoted = " ".join(f"--set '{option}'" for option in options)
    return [Advice(f"The best {count} of {len(trials)} trials have {', '.join(told)}.", quoted or None)]


def _is_one_of_several(name):
    """Whether a setting belongs to one of several layers, such as hidden_1, so that no option names it alone."""
    return name.rpartition("_")[2].isdigit()


def _told_apart(low, high, fits=lambda low, high: True):
    """Two numbers in as few digits, two at least, as tell them apart and fit.

    >>> _told_apart(0.01, 0.0105), _told_apart(3, 3)
    (['0.01', '0.011'], ['3', '3'])
    """
    for digits in range(2, 17):
        texts = [f"{value:.{digits}g}" for value in (low, high)]
        if (texts[0] != texts[1] or low == high) and fits(*map(float, texts)):
            break
    return texts


def _within(ends, old):
    """The ends of a narrower range in few digits, neither of which rounding takes beyond the old range.

    >>> _within({"low": 0.72, "high": 0.9985}, {"low": 0.0, "high": 0.999})
    ['0.72', '0.999']
    """
    return _told_apart(ends["low"], ends["high"], lambda low, high: old["low"] <= low < high <= old["high"])


def epochs_enough(best_epochs, epochs):
    """Advice on the number of epochs, from the best epoch of each training of the winner.

    >>> print(epochs_enough([20, 19], 20)[0].text)
    The winner was best at epoch 20 of 20 on average, so that it may not have been trained to its end.
    >>> print(epochs_enough([7, 9], 20)[0].options)
    --epochs 12
    """
    mean = float(np.mean(best_epochs))
    where = f"The winner was best at epoch {mean:.0f} of {epochs} on average"
    if epochs > 1 and mean >= LATE * epochs:
        return [Advice(f"{where}, so that it may not have been trained to its end.", f"--epochs {2 * epochs}")]
    if mean <= EARLY * epochs and (fewer := max(1, round(1.5 * mean))) < epochs:
        return [Advice(f"{where}: fewer would do.", f"--epochs {fewer}")]
    return []


def idle_units(inactive, settings):
    """Advice to narrow hidden layers of which many units stay near zero; `inactive` is {layer: share of its units}.

    >>> print(idle_units({"dense_1": 0.5, "dense_2": 0.0}, {"hidden": [128, 64]})[0].options)
    --set 'hidden=(64, 64)'
    """
    hidden = settings.get("hidden")
    if not isinstance(hidden, (list, tuple)):
        return []
    widths, told = list(hidden), []
    for place, units in enumerate(hidden):
        share = inactive.get(f"dense_{place + 1}", 0.0)
        if share >= IDLE and units > 1:
            widths[place] = max(1, round(units * (1 - share)))
            told.append(f"{share:.0%} of the {units} units of dense_{place + 1}".replace("%", " %"))
    if not told:
        return []
    one = f"({widths[0]},)" if len(widths) == 1 else f"({', '.join(map(str, widths))})"
    return [Advice(f"{' and '.join(told)} stay near zero for all items looked at: smaller layers would do.",
                   f"--set 'hidden={one}'")]  # fmt: skip
