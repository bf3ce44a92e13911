"""A Bayesian search that begins with a coarse grid: the grid comes first, then nothing outside of its best cells."""

import numpy as np
import pytest
from test_oracles import oracle_of, own_values, proposals, recorded

from kerashw.errors import UsageError
from kerashw.models import mlp
from kerashw.narrowing import coarse_grid
from kerashw.space import Bayesian, Choice, Int, Real
from kerashw.study import Study

SPACE = dict(
    hidden=Choice((4,), (8, 4)), activation=Choice("relu", "tanh"), learning_rate=Real(1e-4, 1.0, log=True),
    batch_size=Int(2, 40), epochs=9,
)  # fmt: skip
GRID = 2 * 2 * 4 * 4
SEARCH = Bayesian(trials=GRID + 15, coarse=4)


def score(proposal):
    """Best at a rate of 6e-3 with tanh, whatever the rest; one in fifty fails."""
    values = proposal.proposed
    if proposal.number % 50 == 7:
        return None
    return abs(np.log10(values["learning_rate"]) + 2.2) + 2 * (values["activation"] == "relu")


@pytest.fixture(scope="module")
def found():
    return list(proposals(oracle_of(SPACE, SEARCH), score))


def test_the_grid_comes_first_with_every_combination_once_and_the_middles_of_its_cells(found):
    first = [own_values(SPACE, proposal.proposed) for proposal, _ in found[:GRID]]
    assert len({repr(values) for values in first}) == GRID and len(found) == SEARCH.trials
    rates = sorted({values["learning_rate"] for values in first})
    assert np.log10(rates) == pytest.approx([-3.5, -2.5, -1.5, -0.5])
    assert sorted({values["batch_size"] for values in first}) == [7, 16, 26, 35]
    assert {values["hidden"] for values in first} == {(4,), (8, 4)}


def test_afterwards_nothing_lies_outside_of_the_cells_of_the_best_quarter(found):
    later = [proposal.proposed for proposal, _ in found[GRID:]]
    assert {values["activation"] for values in later} == {"tanh"}
    assert all(1e-3 <= values["learning_rate"] <= 1e-1 for values in later)  # of four cells the second and the third
    assert {values["hidden"] for values in later} == {"(4,)", "(8, 4)"}
    assert len({repr(values) for values in later}) == len(later)


def test_the_draws_come_closer_than_the_grid_could(found):
    of_grid, of_draws = ([told for _, told in some if told is not None] for some in (found[:GRID], found[GRID:]))
    assert min(of_grid) == pytest.approx(0.3) and min(of_draws) < 0.2


@pytest.mark.parametrize("ended", [5, GRID + 3])
def test_a_search_broken_off_in_the_grid_or_after_it_goes_on_as_it_would_have(ended, found):
    known = [recorded(*one) for one in found[:ended]]
    again = list(proposals(oracle_of(SPACE, SEARCH), score, known))
    assert [proposal.proposed for proposal, _ in again] == [proposal.proposed for proposal, _ in found]


def test_a_row_of_numbers_is_thinned_out_and_what_lies_between_is_kept_for_later():
    space = {"width": {"choice": [32, 64, 128, 256, 512, 1024]}}
    assert [point["width"] for point in coarse_grid(space, 2)] == [64, 512]


def test_a_grid_that_leaves_no_trial_is_refused_with_both_numbers():
    with pytest.raises(UsageError, match="has 64 points, and the search no more than 64"):
        Study(data="toy", model=mlp, settings=SPACE, search=Bayesian(trials=GRID, coarse=4))


@pytest.mark.parametrize("wrong", [dict(coarse=1), dict(coarse=0), dict(coarse=2.5), dict(coarse=3, initial=5)])
def test_what_is_no_coarse_grid_is_refused(wrong):
    with pytest.raises(UsageError, match="coarse"):
        Bayesian(trials=50, **wrong)


def test_a_grid_that_failed_as_a_whole_narrows_nothing():
    space = dict(learning_rate=Real(0.5, 50, log=True))
    found = list(proposals(oracle_of(space, Bayesian(trials=8, coarse=2)), lambda one: one.number if one.number > 1 else None))
    assert len(found) == 8
