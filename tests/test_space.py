"""What may vary and how it is searched: plain values that refuse what makes no sense."""

import math
from dataclasses import FrozenInstanceError

import pytest

from kerashw.errors import UsageError
from kerashw.space import SEARCHES, Bayesian, Choice, Grid, Hyperband, Int, Random, Real

WRONG = {
    "choice of nothing": (lambda: Choice(), "at least two values"),
    "choice of one": (lambda: Choice(64), "written as a constant"),
    "choice of a list": (lambda: Choice([1], [2]), "[1] cannot be chosen"),
    "choice of a dict": (lambda: Choice({"a": 1}, 2), "cannot be chosen"),
    "choice of a choice": (lambda: Choice(Choice(1, 2), 3), "cannot be chosen"),
    "choice of a range": (lambda: Choice(Real(0, 1), 3), "cannot be chosen"),
    "a value twice": (lambda: Choice(1, 2, 1), "stands in it twice"),
    "a number as whole and as real": (lambda: Choice(1, 1.0), "stands in it twice"),
    "a number and its text": (lambda: Choice(1, "1"), "stands in it twice"),
    "None and its text": (lambda: Choice(None, "None"), "stands in it twice"),
    "range upside down": (lambda: Real(1, 0), "Real(1, 0): low must lie below high"),
    "range of one point": (lambda: Real(1, 1), "a constant needs no Real"),
    "range from 0 on a log scale": (lambda: Real(0, 1, log=True), "starts above 0"),
    "range from below 0 on a log scale": (lambda: Int(-1, 4, log=True), "starts above 0"),
    "range from NaN": (lambda: Real(math.nan, 1), "low must be a finite number, got nan"),
    "range to infinity": (lambda: Real(0, math.inf), "high must be a finite number, got inf"),
    "range beyond what a float holds": (lambda: Real(0, 10**400), "high must be a finite number"),
    "range of text": (lambda: Real("0", 1), "low must be a finite number, got '0'"),
    "range of truth values": (lambda: Int(False, True), "low must be a whole number, got False"),
    "Int of reals": (lambda: Int(1, 2.5), "high must be a whole number, got 2.5"),
    "step of 0": (lambda: Real(0, 1, step=0), "step must be above 0, got 0"),
    "step backwards": (lambda: Int(1, 9, step=-2), "step must be above 0, got -2"),
    "step of 1 on a log scale": (lambda: Int(1, 8, log=True, step=1), "step must be above 1 (a factor), got 1"),
    "step of NaN": (lambda: Real(0, 1, step=math.nan), "step must be a finite number"),
    "no trials": (lambda: Random(trials=0), "Random: trials must be at least 1, got 0"),
    "trials in halves": (lambda: Bayesian(trials=2.5), "Bayesian: trials must be a whole number, got 2.5"),
    "no initial trials": (lambda: Bayesian(trials=2, initial=0), "initial must be at least 1"),
    "grid of -1": (lambda: Grid(trials=-1), "Grid: trials must be at least 1, got -1"),
    "a factor of 1": (lambda: Hyperband(factor=1), "factor must be at least 2, got 1"),
    "no iterations": (lambda: Hyperband(iterations=0), "iterations must be at least 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_space_or_search_that_makes_no_sense_is_refused_with_the_rule(case):
    make, told = WRONG[case]
    with pytest.raises(UsageError) as error:
        make()
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "space, values",
    [
        (Choice("adam", None, (64, 32), 0.5), ("adam", None, (64, 32), 0.5)),
        (Choice(True, False), (True, False)),
        (Int(1, 4), (1, 2, 3, 4)),
        (Int(1, 8, step=3), (1, 4, 7)),
        (Int(16, 64, log=True, step=2), (16, 32, 64)),
        (Int(16, 63, log=True, step=2), (16, 32)),
        (Real(0, 1, step=0.25), (0, 0.25, 0.5, 0.75, 1.0)),
        (Real(1e-4, 1e-2, log=True, step=10), (1e-4, 1e-3, 1e-2)),
    ],
    ids=repr,
)
def test_a_grid_visits_every_value_of_a_space_the_ends_included(space, values):
    assert space.values == pytest.approx(values) if isinstance(space, Real) else space.values == values


@pytest.mark.parametrize("step", [0.1, 0.05, 0.01, 1 / 3, 1 / 7])
def test_rounding_never_loses_the_upper_end_of_a_range(step):
    assert Real(0, 1, step=step).values[-1] == pytest.approx(1)
    assert all(value <= 1 + 1e-9 for value in Real(0, 1, step=step).values)


@pytest.mark.parametrize("thing", [Choice(1, 2), Real(0, 1), Int(0, 1), Grid(), Random(3), Bayesian(3), Hyperband()])
def test_declarations_are_frozen_equal_by_value_and_show_how_to_write_them(thing):
    with pytest.raises(FrozenInstanceError):
        thing.low = thing.trials = thing.values = 5
    names = dict(Choice=Choice, Real=Real, Int=Int, **{kind.__name__: kind for kind in SEARCHES.values()})
    again = eval(repr(thing), names)
    assert again == thing and hash(again) == hash(thing)


def test_the_four_searches_go_by_the_names_of_the_command_line():
    assert SEARCHES == {"hyperband": Hyperband, "bayesian": Bayesian, "random": Random, "grid": Grid}
