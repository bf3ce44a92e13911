"""The page of the fifteen systems: every row can be asked for, and says what was run and what was not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.results import BEYOND, SYSTEMS, Bar, keep, page, published_seconds, rows, section
from kerashw import tune
from kerashw.commands import from_environment
from kerashw.pictures import COMPARISONS, FIGURES
from kerashw.request import resolve
from tuning.studies import names

METRICS = {
    "stand_in": False, "arm": None, "published": {"metric": "test_accuracy", "value": 0.97, "report": "a report"},
    "objective": "val_accuracy", "test": {"accuracy": 0.98}, "refitted_again": [{"test": {"accuracy": 0.96}}],
    "validation": {"score": 0.975}, "trials": {"completed": 20, "failed": 0, "pruned": 3}, "parameters": 109386,
    "winner": {"learning_rate": 0.00123456}, "refit": {"epochs": 12, "items": 60000},
    "seconds": {"trials": 90.0, "refit": 30.0},
}  # fmt: skip
COMMAND = ["python", "-m", "kerashw.tune", "--out", "/a/folder", "--task", "mnist_mlp", "--preset", "paper", "-q"]
STUDY = {"seed": 0, "git_commit": "0123456789abcdef", "command": COMMAND, "hardware": {"processors": 1}}
ALL = (*SYSTEMS, *BEYOND)
MLP = next(system for system in SYSTEMS if system.study == "mnist_mlp")


@pytest.fixture
def out(tmp_path):
    """A folder with a run of mnist_mlp alone."""
    folder = tmp_path / "mnist_mlp"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "study.json").write_text(json.dumps(STUDY))
    return tmp_path


def test_there_is_a_row_for_each_study_and_each_command_is_one_of_tune():
    assert len(SYSTEMS) == 15 and sorted(system.study for system in ALL) == sorted(names())
    for system in ALL:
        arms = {one.arm for one in resolve(from_environment(tune.parser()).parse_args(system.command()))}
        assert set(system.bars) <= arms, system.study
        assert bool(system.smaller) == ("--epochs" in system.options), "a smaller budget has to be told"


def test_every_figure_is_one_that_runs_have():
    known = {name for table in (FIGURES, COMPARISONS) for name in table}
    for system in ALL:
        for figure in system.figures:
            name = figure.rpartition("/")[2]
            assert any(name.startswith(one) for one in known), name


def test_a_row_has_the_metric_of_its_bar_the_spread_over_seeds_and_whether_it_is_reached(out):
    (row,) = rows(MLP, results.runs(MLP, out))
    assert row == "| [mnist_mlp](#mnist_mlp) | test accuracy | 0.97 | 0.98 | 0.97 ± 0.014 (2) | 0.98 | yes |"


def test_a_number_that_was_published_of_another_metric_says_so(out):
    published = {"metric": "val_accuracy", "value": 0.99, "report": "a report"}
    (out / "mnist_mlp/metrics.json").write_text(json.dumps({**METRICS, "published": published}))
    (row,) = rows(MLP, results.runs(MLP, out))
    assert "| test accuracy | 0.99 (val_accuracy) | 0.98 |" in row


def test_a_smaller_budget_comes_with_the_time_that_the_published_one_would_take():
    metrics = {"refit": {"epochs": 10, "items": 60000}, "seconds": {"refit": 20.0}}  # 2 s for an epoch of all items
    # Three rates with 50 and 100 epochs each, in four folds with three quarters of the items, then 100 epochs of all.
    assert published_seconds("fashion_spatial", "grid", metrics) == 2 * (6 * 75 * 3 + 100)
    assert published_seconds("fashion_spatial", "sgd", metrics) == 2 * (50 * 0.8 + 50)
    told = "\n".join(section(replace(MLP, smaller="less"), {None: (STUDY, {**METRICS, **metrics, "refit": {
        "epochs": 10, "items": 60000}, "seconds": {"trials": 1.0, "refit": 20.0}})}, Path(), Path()))  # fmt: skip
    assert "Smaller than published: less. The published budget would take about" in told


def test_a_system_that_was_not_run_says_so_in_the_table_and_in_its_section(out):
    keep(MLP, out, out)
    text = "\n".join(page(out))
    assert text.count("| not run |") == len(ALL) - 1 and text.count("\nNot run.") == len(ALL) - 1


def test_a_system_stays_on_the_page_when_its_run_is_gone_until_it_is_run_again(out, tmp_path):
    keep(MLP, out, out)
    before = [*page(out)]
    keep(MLP, tmp_path / "empty", out)
    assert [*page(out)] == before
    (out / "mnist_mlp/metrics.json").write_text(json.dumps({**METRICS, "test": {"accuracy": 0.99}}))
    keep(MLP, out, out)
    after = [*page(out)]
    assert [line for line in after if line not in before] == [
        "| [mnist_mlp](#mnist_mlp) | test accuracy | 0.97 | 0.99 | 0.975 ± 0.021 (2) | 0.98 | yes |"
    ]


def test_a_section_tells_command_budget_and_winner(out):
    text = "\n".join(section(MLP, results.runs(MLP, out), out, out))
    for part in ("python -m kerashw.tune --task mnist_mlp --preset paper", "23 trials (20 completed, 3 pruned)",
                 "in 1.5 min of training on one core", "learning_rate 0.001235", "commit 0123456789ab."):  # fmt: skip
        assert part in text, text


def test_results_on_a_stand_in_are_refused(out):
    (out / "mnist_mlp/metrics.json").write_text(json.dumps({**METRICS, "stand_in": True}))
    with pytest.raises(SystemExit, match="stand-in"):
        results.runs(MLP, out)


def test_less_is_better_where_the_bar_says_so():
    bar = Bar("test", "mse", 0.1, more_is_better=False)
    assert bar.reached(0.1) and bar.reached(0.05) and not bar.reached(0.11)
