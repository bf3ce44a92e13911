"""The table of trials: one row for each that has ended, the same from a search as from what a run has kept of it."""

import pytest

from kerashw.leaderboard import leaderboard, ranking, searched_spaces, searched_values
from kerashw.space import Choice, Int, Real
from kerashw.store import Execution, Store
from kerashw.study import plain


def store_of(*scores):
    """A store with a completed trial for each score, in two folds, and one that is still running."""
    store = Store(":memory:")
    for number, score in enumerate(scores):
        store.begin_trial(number, {"units": 2 ** number})
        for fold in range(2):
            done = Execution(fold, 0, seed=1, score=score + fold, best_epoch=3 + fold, seconds=0.1, metrics={})
            store.add_executions([(number, done, {"epoch": []})])
        store.end_trial(number, status="completed", score=score, deviation=0.5, parameters=7, seconds=1.23456)
    store.begin_trial(len(scores), {"units": 99})
    return store


def table_of(store, **fields):
    fields = {"settings": ["units"], "objectives": ["val_mse"], "folds": 2, "executions": 1, **fields}
    header, rows = leaderboard(store.trials(), lambda trial: trial.proposed, **fields)
    return [dict(zip(header, row)) for row in rows]


def test_a_row_has_settings_scores_rank_and_what_it_took_and_a_running_trial_has_none():
    first, second = table_of(store_of(0.5, 0.25))
    assert first == {
        "trial": 0, "units": 1, "score_fold0": 0.5, "score_fold1": 1.5, "mean": 0.5, "std": 0.5, "rank": 2,
        "status": "completed", "reason": None, "message": None, "best_epoch": 4, "parameters": 7, "seconds": 1.235,
    }  # fmt: skip
    assert (second["trial"], second["rank"]) == (1, 1)


def test_several_executions_have_a_column_each():
    names = list(table_of(store_of(0.5), executions=2)[0])
    assert names[2:6] == [f"score_fold{fold}_execution{execution}" for fold in (0, 1) for execution in (0, 1)]


def test_equal_scores_share_a_rank_and_the_objective_says_what_is_better():
    trials = store_of(0.5, 0.25, 0.5, 0.75).trials()
    assert ranking("val_mse", trials) == {0: 2, 1: 1, 2: 2, 3: 4}
    assert ranking("val_accuracy", trials) == {0: 2, 1: 4, 2: 2, 3: 1}


@pytest.mark.parametrize(
    "space, proposed, value",
    [
        (Choice("relu", "elu"), "elu", "elu"),
        (Choice((8,), (8, 4)), "(8, 4)", [8, 4]),
        (Choice(((8, 8), 1), ((4, 4), 2)), "((4, 4), 2)", [[4, 4], 2]),
        (Choice(None, 3), "None", None),
        (Choice(True, False), "False", False),
        (Choice(1, 0.5), 1.0, 1),
        (Real(0.0, 1.0), 0.25, 0.25),
        (Int(1, 9), 4, 4),
    ],
    ids=str,
)
def test_what_a_tuner_proposed_becomes_the_value_that_the_study_names(space, proposed, value):
    spaces = searched_spaces({"settings": {"fixed": 3, "pair": [1, 2], "it": plain(space)}})
    assert list(spaces) == ["it"]
    found = searched_values(spaces, {"it": proposed})["it"]
    assert found == value and type(found) is type(value)
