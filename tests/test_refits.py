"""The winner trained again with other seeds: told apart from the model that is kept, and not made twice."""

import json
import math
import time
from contextlib import closing

import numpy as np
import pytest
from test_search import ABOUT, LINES, SMALL, begun, run_of, study_of

from kerashw.errors import UsageError
from kerashw.formats import load_keras
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Choice, Grid
from kerashw.verdict import over_seeds
from tuning import refit as refits
from tuning.pipeline import execute, make_setup
from tuning.standing import Budget

RATES = dict(SMALL, learning_rate=Choice(0.01, 0.02), dropout=0.2)


@pytest.fixture(scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["population", "fit"])
def pair(request, tmp_path_factory):
    """A run with three refits and one with a single refit, otherwise equal."""
    folder, fields = tmp_path_factory.mktemp("pair"), dict(settings=RATES, together=request.param)
    return [run_of(folder / str(count), study_of(Grid(), refits=count, **fields)) for count in (3, 1)]


def test_each_refit_has_metrics_of_its_own_and_the_first_is_the_model_s(pair):
    three, one = (run.metrics for run in pair)
    tests = [three["test"], *(again["test"] for again in three["refitted_again"])]
    assert len({test["mse"] for test in tests}) == 3
    assert three["test"] == pytest.approx(one["test"], rel=1e-6) and one["refitted_again"] == []


def test_the_spread_is_that_of_all_refits(pair):
    three, one = (run.metrics for run in pair)
    values = [three["test"]["mse"], *(again["test"]["mse"] for again in three["refitted_again"])]
    found = over_seeds(three)["mse"]
    assert (found.mean, found.deviation, found.count) == pytest.approx((np.mean(values), np.std(values, ddof=1), 3))
    assert over_seeds(one) == {}


def test_a_run_that_is_continued_makes_only_the_refits_that_are_missing(tmp_path, monkeypatch):
    study = study_of(Grid(), refits=3, settings=RATES)
    setup = begun(tmp_path / "run", study, LINES)
    kept = json.dumps({"best_epoch": 1, "seconds": 0.5, "test": {"mse": 7.0, "mae": 2.0, "r2": 0.0}})
    real = refits.refit

    def refitted(setup, store, *given, **named):
        done = real(setup, store, *given, **named)
        store.add_event(refits.AGAIN, kept)
        return done

    monkeypatch.setattr("tuning.pipeline.refit", refitted)
    metrics = execute(setup, LINES, about=ABOUT)
    assert metrics["refitted_again"][0] == json.loads(kept) and len(metrics["refitted_again"]) == 2
    with closing(setup.run.store()) as store:
        assert len(store.events(refits.AGAIN)) == 2
    setup.run.metrics_file.unlink()
    again = execute(make_setup(study, LINES, Run(tmp_path / "run"), seed=0, progress=setup.progress), LINES, about=ABOUT)
    assert again["refitted_again"] == metrics["refitted_again"]


@pytest.mark.parametrize("together", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_weights_of_a_refit_are_the_mean_of_those_after_its_last_epochs(together, tmp_path):
    fields = dict(settings=dict(SMALL, epochs=4), together=together)

    def weights(epochs, **more):
        run = run_of(tmp_path / f"{epochs}{more}", study_of(Grid(), refit_epochs=epochs, **fields, **more)).run
        return load_keras(run.keras_file).get_weights()

    averaged, *each = weights(4, refit_average=0.5), weights(3), weights(4)
    for mean, *ends in zip(averaged, *each):
        np.testing.assert_allclose(mean, np.mean(ends, axis=0), rtol=1e-4, atol=1e-6)
        assert not np.allclose(*ends)


@pytest.mark.parametrize("wrong", [dict(refit_average=1.5), dict(refit_average=True), dict(refit_average=0.5, refit="stop")])
def test_an_average_that_means_nothing_is_refused(wrong):
    with pytest.raises(UsageError, match="refit_average"):
        study_of(Grid(), **wrong)


def test_a_refit_that_diverged_is_counted_out():
    assert over_seeds({"test": {"mse": 1.0}, "refitted_again": [{"test": None}]}) == {}


def test_a_new_refit_leaves_no_export_of_an_earlier_one(tmp_path):
    study = study_of(Grid(), settings=RATES)
    run = run_of(tmp_path, study).run
    for file in (run.litert_file, run.onnx_file):
        file.write_bytes(b"of the earlier winner")
    setup = make_setup(study, LINES, run, seed=0, progress=Progress("", quiet=True))
    with closing(run.store()) as store:
        refits.refit(setup, store, store.trial(0), LINES, deadline=math.inf)
    assert not run.litert_file.exists() and not run.onnx_file.exists()


def test_a_refit_that_the_time_budget_ended_says_so_and_is_the_model_it_came_to(tmp_path, capsys):
    settings = dict(SMALL, learning_rate=0.01, epochs=4_000)
    study = study_of(Grid(), settings=settings, refit_average=0.1, refit_epochs=4_000)
    begun(tmp_path, study, LINES)
    setup = make_setup(study, LINES, Run(tmp_path), seed=0, progress=Progress("toy"))
    metrics = execute(setup, LINES, about=ABOUT, budget=Budget(end=time.monotonic(), total=0.0))
    told = metrics["refit"]
    assert told["averaged"] == 1 and told["planned"] == 4_000 and told["epochs"] < 3_600
    assert f"ended the refit after {told['epochs']:,} of 4,000 epochs" in capsys.readouterr().err
    assert metrics["test"]["mse"] < 0.5 * metrics["baseline"]["value"]  # of a model that was trained
