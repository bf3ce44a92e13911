"""Trials that were being trained when a process died: they are remembered, and parted until the guilty one is alone."""

import json
from collections import Counter

import pytest
from test_search import LINES, SMALL, begun, rows_of, study_of, without_seconds

from kerashw.risk import TOGETHER, at_risk, deaths, toll
from kerashw.run import Run
from kerashw.space import Choice, Grid
from kerashw.store import Store
from tuning import trials
from tuning.pipeline import write_trials
from tuning.search import prepare, search


@pytest.fixture
def store():
    """Four trials that are running."""
    store = Store(":memory:")
    for number in range(4):
        store.begin_trial(number, {})
    return store


@pytest.mark.parametrize("numbers", [[2], [0, 1, 2, 3]])
def test_only_a_process_that_dies_leaves_a_death_behind(numbers, store):
    with at_risk(store, numbers):
        assert deaths(store, numbers) == 1, "as a death would leave it"
    assert deaths(store, numbers) == 0
    with pytest.raises(ValueError), at_risk(store, numbers):
        raise ValueError("a fault that the process survives")
    assert not toll(store)


def test_deaths_of_several_count_for_those_that_have_not_ended(store):
    for numbers in ([0, 1, 2, 3], [2, 3]):
        store.add_event(TOGETHER, json.dumps(numbers))
    assert [deaths(store, numbers) for numbers in ([0, 1, 2, 3], [2, 3], [3])] == [1, 1, 0]
    for number in (0, 1):
        store.end_trial(number, status="completed", score=0.5)
    assert toll(store) == Counter({frozenset({2, 3}): 2})


@pytest.mark.parametrize("dead, parts", [(0, [[0, 1, 2, 3, 4]]), (1, [[0, 1, 2, 3, 4]]), (2, [[0, 1]])])
def test_trials_of_which_two_processes_died_are_parted_and_score_the_same(dead, parts, tmp_path, monkeypatch):
    """Once one half is found to be harmless, the other one is parted again at once."""
    settings = dict(SMALL, learning_rate=Choice(0.01, 0.02, 0.03, 0.04, 0.05))
    seen = []
    for name, count in (("whole", 0), ("parted", dead)):
        setup = begun(tmp_path / name, study_of(Grid(), settings=settings, together=True), LINES)
        store = setup.run.store()
        for _ in range(count):
            store.add_event(TOGETHER, json.dumps([0, 1, 2, 3, 4]))
        with monkeypatch.context() as patch:
            def noted(store, numbers):
                seen.append((name, numbers))
                return at_risk(store, numbers)

            patch.setattr(trials, "at_risk", noted)
            search(setup, store, prepare(setup))
        write_trials(setup, store)
    assert [numbers for where, numbers in seen if where == "parted" and len(numbers) > 1] == parts
    assert without_seconds(rows_of(setup.run)) == without_seconds(rows_of(Run(tmp_path / "whole")))
