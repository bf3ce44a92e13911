"""Searches by several objectives: what they may be, who is on the front, who wins, and that it can be continued."""

import json
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from test_search import LINES, SMALL, rows_of, searched, study_of, without_seconds

import kerashw
from kerashw import tune
from kerashw.errors import UsageError
from kerashw.figures import pareto_front
from kerashw.pages.kept import Kept
from kerashw.pages.search import analysis, leaderboard
from kerashw.pictures.search import front as front_numbers
from kerashw.progress import Progress
from kerashw.request import differences
from kerashw.run import Run
from kerashw.space import Bayesian, Choice, Grid, Random, Real
from kerashw.training import Task
from tuning.dialogue import ask, tell
from tuning.hypermodel import StudyHyperModel
from tuning.oracles import make_oracle
from tuning.pipeline import make_setup, write_trials
from tuning.scalarisation import scalarised
from tuning.search import prepare, search

BOTH = ("val_mse", "parameters")


# What may be asked for


@pytest.mark.parametrize(
    "fields, told",
    [
        (dict(objectives=BOTH, objective="val_mse"), "objective='val_mse' and objectives=.* are both given"),
        (dict(objectives=("val_mse",)), "two or more names, each once.*; a single one is the `objective`"),
        (dict(objectives=["val_mse", "parameters"]), "two or more names"),
        (dict(objectives=("val_mse", "val_mse")), "each once"),
        (dict(objectives=("val_mse", "size")), "must be of val_accuracy.*latency, got 'size'"),
        (dict(objectives=("parameters", "val_mse")), "begin with a metric of validation"),
        (dict(objectives=BOTH, winner="first"), "winner must be 'knee', 'best' or the number of a trial, got 'first'"),
        (dict(objectives=BOTH, winner=-1), "winner must be"),
        (dict(objectives=BOTH, winner=True), "winner must be"),
        (dict(winner="best"), "winner='best' chooses from the front of several objectives: name them"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_with_the_remedy(fields, told):
    with pytest.raises(UsageError, match=told):
        study_of(Random(trials=2), **fields)


def test_a_declaration_that_knows_of_no_objectives_yet_is_the_same_run():
    now = study_of(Random(trials=2)).declaration()
    before = {name: value for name, value in now.items() if name not in ("objectives", "winner")}
    assert differences(before, now) == []


# The proposals


def test_each_proposal_weighs_the_objectives_in_its_own_way_so_that_together_they_reach_for_the_whole_front():
    front = [(0.9, 90), (0.8, 60), (0.5, 30), (0.1, 10)]
    points = [*front, (0.85, 95), (0.5, 60)]  # the last two are beaten
    best = [int(scalarised(points, (-1, 1), seed).argmin()) for seed in range(40)]
    assert set(best) == set(range(len(front)))
    assert np.array_equal(scalarised(points, (-1, 1), 7), scalarised(points, (-1, 1), 7))


def test_a_point_without_a_value_or_with_a_hopeless_one_is_the_worst_and_spoils_no_scale():
    points = [(1.0, 5), (2.0, 4), (3.0, 3), (4.0, 2), (1e9, 1), (1.0, np.nan)]
    for seed in range(9):
        scores = scalarised(points, (1, 1), seed)
        assert np.isfinite(scores).all() and scores[5] >= scores[0]
        assert np.ptp(scores[:4]) > 0.1 * np.ptp(scores)


BAYESIAN = study_of(
    Bayesian(trials=10, initial=4), objectives=BOTH,
    settings=dict(SMALL, hidden=Choice((2,), (8,)), learning_rate=Real(1e-3, 0.3, log=True)),
)  # fmt: skip


@pytest.mark.slow
def test_a_bayesian_search_that_is_continued_goes_on_as_it_would_have(tmp_path):
    whole = searched(tmp_path, BAYESIAN)
    run = Run(tmp_path)
    with closing(run.store()) as store:
        for number in (7, 8, 9):
            store.drop_trial(number)
        setup = make_setup(BAYESIAN, LINES, run, seed=0, progress=Progress("toy", quiet=True))
        search(setup, store, prepare(setup))
        write_trials(setup, store)
    assert without_seconds(rows_of(run)) == without_seconds(whole)


HILLY = dict(learning_rate=Real(1e-4, 1.0, log=True), dropout=Real(0.0, 0.9), momentum=Real(0.0, 0.9), optimizer="sgd",
             epochs=1)  # fmt: skip


def judged(proposed):
    """Two values, of which one gets better only as the other gets worse where two settings are as they should be."""
    first = (np.log10(proposed["learning_rate"]) + 4) / 4
    off = 1 + 3 * (abs(proposed["dropout"] / 0.9 - 0.3) + abs(proposed["momentum"] / 0.9 - 0.6))
    return first, off * (1 - np.sqrt(first / off))


def beaten_area(search, seed):
    """How much of the plane below (1.1, 4) the proposals of a search beat."""
    study = study_of(search, settings=HILLY, objectives=("val_mse", "val_loss"))
    hypermodel = StudyHyperModel(study, Task.of(LINES))
    oracle = make_oracle(study, hypermodel, objective="val_mse", others=("val_loss",), seed=seed)
    points = []
    while batch := ask(oracle):
        for proposal in batch:
            points.append(judged(proposal.proposed))
            tell(oracle, proposal, points[-1][0], points[-1][1:])
    area, lowest = 0.0, 4.0
    for x, y in sorted(points):
        if y < lowest and x < 1.1:
            area, lowest = area + (1.1 - x) * (lowest - y), y
    return area


def test_a_bayesian_search_reaches_more_of_a_front_than_as_many_draws():
    assert beaten_area(Bayesian(trials=28, initial=8), seed=0) > 1.05 * beaten_area(Random(trials=28), seed=0)


# Both paths, and what a model takes for one item


@pytest.mark.parametrize("together", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_trial_has_its_latency_once_and_the_front_is_what_no_other_trial_beats(together, tmp_path):
    settings = dict(SMALL, hidden=Choice((2,), (8,)), learning_rate=Choice(0.01, 0.1))
    study = study_of(Grid(), settings=settings, objectives=(*BOTH, "latency"), together=together, folds=2)
    rows = searched(tmp_path, study)
    values = {int(row["trial"]): [float(row[name]) for name in ("mean", "parameters", "latency")] for row in rows}
    unbeaten = [
        number for number, own in values.items()
        if not any(all(a <= b for a, b in zip(other, own)) and other != own for other in values.values())
    ]  # fmt: skip
    assert [int(row["trial"]) for row in rows if row["front"] == "True"] == unbeaten
    with closing(Run(tmp_path).store()) as store:
        for trial in store.trials():
            assert len(trial.executions) == 2 and len({done.metrics["latency"] for done in trial.executions}) == 1
            assert 0 < values[trial.number][2] == trial.executions[0].metrics["latency"]


# A whole run by the command line

STUDY = '''"""Small and good."""

from kerashw.models import mlp
from kerashw.space import Choice, Grid
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Grid(), objectives=("val_mse", "parameters"),
              settings=dict(hidden=Choice((1,), (4,), (40,)), learning_rate=0.1, batch_size=8, epochs=4))
'''


def tuned(folder, *more):
    """The run that a command makes, continues or chooses anew."""
    code = tune.main(["--task", str(folder / "small.py"), "--data-dir", str(folder), "--out", str(folder), "-q",
                      "--no-figures", *more])  # fmt: skip
    assert not code
    one = Run(folder / "small")
    return SimpleNamespace(run=one, metrics=one.metrics())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    (folder / "small.py").write_text(STUDY)
    for name in ("train_data.csv", "test_data.csv"):
        rows = "".join(f"{x / 8},{(x / 8) ** 2}\n" for x in range(-16, 16))
        (folder / name).write_text(f"x,y\n{rows}")
    tuned(folder)
    return folder


def test_the_terminal_says_by_which_rule_the_winner_was_chosen(folder, capsys):
    found = tuned(folder)
    count = len(found.metrics["front"])
    assert found.metrics["objectives"] == ["val_mse", "parameters"] and found.metrics["chosen"] == "knee"
    assert f"chosen      the knee of a front of {count} trial" in capsys.readouterr().out


def test_another_winner_is_trained_anew_and_nothing_is_searched_again(folder, capsys):
    before = tuned(folder)
    rows = before.run.trials_file.read_text()
    front = [told["trial"] for told in before.metrics["front"]]
    best = min(before.metrics["front"], key=lambda told: told["val_mse"])["trial"]
    other = next(number for number in range(3) if number not in (best, before.metrics["validation"]["trial"]))
    for winner, number in (("best", best), (str(other), other), ("knee", before.metrics["validation"]["trial"])):
        again = tuned(folder, "--winner", winner)
        assert again.metrics["validation"]["trial"] == number
        assert again.metrics["chosen"] == (other if winner == str(other) else winner)
        assert [told["trial"] for told in again.metrics["front"]] == front
        assert again.run.trials_file.read_text() == rows, "seconds and all"
        assert json.loads(again.run.study_file.read_text())["command"][-1] == winner
        assert kerashw.load_run(again.run.folder).model.count_params() == again.metrics["parameters"]
    assert before.metrics["test"] == again.metrics["test"]


def test_a_winner_that_is_no_trial_is_refused_with_those_of_the_front_and_the_run_stays_as_it_was(folder):
    before = tuned(folder)
    numbers = ", ".join(str(told["trial"]) for told in before.metrics["front"])
    with pytest.raises(UsageError, match=f"winner 77 is no trial that has completed.*the front, {numbers}, or knee"):
        tuned(folder, "--winner", "77")
    assert before.run.is_finished and tuned(folder, "--winner", "knee").metrics["front"] == before.metrics["front"]


@pytest.mark.parametrize(
    "options, told",
    [
        (("--objectives", "val_mse,accuracy"), "got 'accuracy'"),
        (("--objectives", "val_accuracy,parameters", "--name", "b"), "objective val_accuracy does not fit"),
        (("--objectives", "val_mse", "--winner", "best"), "chooses from the front of several objectives"),
        (("--objectives", "val_mse,parameters,latency"), "holds another run .objectives was .*, now "),
        (("--winner", "seven"), "'seven' is no winner; write knee, best, or the number of a trial"),
    ],
    ids=str,
)
def test_an_option_that_does_not_fit_is_refused(options, told, folder):
    with pytest.raises(UsageError, match=told):
        tuned(folder, *options)


def test_the_page_has_the_front_as_a_table_with_what_each_gives_and_costs(folder):
    found = tuned(folder)
    kept = Kept.read(found.run)
    (table,) = [block for block in analysis(kept, {}).blocks if block.kind == "table"]
    assert [int(row[0].text) for row in table.rows] == [
        told["trial"] for told in sorted(found.metrics["front"], key=lambda told: told["val_mse"])
    ]
    words = [row[-1].text for row in table.rows]
    assert words.count("the winner") == 1
    assert all("parameters" in text for text in words if text != "the winner")
    headings = leaderboard(kept).blocks[0].columns
    assert headings[4] == "front" and "hidden" in headings


def test_the_figure_and_the_table_of_trials_tell_of_the_same_front(folder):
    found = tuned(folder)
    results = kerashw.load_run(found.run.folder)
    rows = results.trials if isinstance(results.trials, list) else results.trials.to_dict("records")
    marked = [row["trial"] for row in rows if row["front"]]
    numbers = front_numbers(results.record)
    assert marked == numbers["front"] == [told["trial"] for told in found.metrics["front"]]
    assert numbers["winner"] == numbers["knee"] == found.metrics["validation"]["trial"] == results.record.winner.number
    assert f"The winner is trial {numbers['winner']}, the knee of the front" in pareto_front(**numbers).caption
