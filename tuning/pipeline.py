"""A run from its data set to its exported model: search, refit, test, export, and what is kept of each."""

import contextlib
import shutil
import time
from dataclasses import asdict

from kerashw import evaluation, tensorboard
from kerashw.crew import Crew
from kerashw.errors import WorkError
from kerashw.formats import Served, entries, export, verify
from kerashw.job import work
from kerashw.leaderboard import leaderboard
from kerashw.machine import has_bfloat16
from kerashw.pictures import Record, draw_figures, gradient_summary
from kerashw.run import write_csv, write_json
from kerashw.seeds import derive
from kerashw.selection import told_of
from kerashw.splits import split
from kerashw.spread import Spread, train_group
from kerashw.study import plain
from kerashw.training import Task
from kerashw.verdict import baseline, interval
from tuning.curves import keep_curves
from tuning.refit import kept_refit, refit, repeated, united
from tuning.flight import Flight
from tuning.pruning import RULE
from tuning.search import are_small, prepare, search
from tuning.setup import Setup
from tuning.standing import Budget, spent


def make_setup(study, dataset, run, *, seed, progress, crew=Crew()):
    """Everything a search needs of a study and a data set; the folds depend on the seed alone."""
    task = Task.of(dataset)
    splits = split(
        task.y, stratify=task.is_classification, folds=study.folds, validation=study.validation,
        seed=derive(seed, "split"),
    )  # fmt: skip
    return Setup(study=study, task=task, splits=splits, seed=seed, run=run, progress=progress, crew=crew)


def execute(setup, dataset, *, about, budget=Budget(), figures=False):
    """The metrics of the finished run, stage by stage; what an earlier process has finished is not done again.

    `about` is what metrics.json says of the run beside its results. The test items are touched once, after the refit;
    only the figures, where they are asked for, look at them again.
    """
    study, run, progress = setup.study, setup.run, setup.progress
    began = time.monotonic()
    with contextlib.closing(run.store()) as store:
        budget = budget.after(spent(store))
        refitted = kept_refit(setup, store, dataset)
        if refitted is None:
            best = searched(setup, store, budget)
            search_seconds = time.monotonic() - began
            refitted = refit(setup, store, best, dataset, deadline=budget.end)
        else:
            search_seconds = 0.0  # an earlier process searched; that its trials took so long is known
            write_trials(setup, store)
        trials, best = store.trials(), store.trial(refitted.trial)
        settings = setup.settings_of(best.proposed)
        others = repeated(setup, store, best, dataset, deadline=budget.end)
        if study.ensemble:
            refitted = united(setup, store, best, refitted, dataset)
    served = Served.of(refitted.model, dataset)
    exported = saved_model(run, served)
    record = Record(run, dataset, study.declaration(), setup.seed)
    if figures:
        keep_curves(setup, record, settings, budget.end)
        draw_figures(record, name=progress.name, say=progress.say, anew=False)
    test = dict(
        outputs=evaluation.predict(refitted.model, dataset.x_test), y=dataset.y_test,
        is_classification=setup.task.is_classification,
    )  # fmt: skip
    metrics = {
        **about,
        "objective": setup.objective,
        **(told_of(trials, setup.objectives, study.winner) if study.objectives else {}),
        "winner": {name: plain(value) for name, value in searched_values(setup, best).items()},
        "settings": {name: plain(value) for name, value in settings.items()},
        "validation": {"score": best.score, "deviation": best.deviation, "trial": best.number,
                       **best.mean_metrics()},
        "test": evaluation.metrics(**test),
        "interval": interval(**test, seed=derive(setup.seed, "interval")),
        "baseline": baseline(dataset),
        "published": study.published and asdict(study.published),
        "trials": counts(trials),
        "pruning": RULE if study.prunes else None,
        "refit": {"items": len(setup.task.x) if study.refit == "all" else len(setup.splits[0][0]),
                  "epochs": refitted.epochs, "best_epoch": refitted.best_epoch,
                  "averaged": refitted.averaged, "planned": refitted.planned,
                  "networks": refitted.networks, "test": refitted.test},
        "refitted_again": others,
        "parameters": refitted.model.count_params(),
        "gradient_check": gradient_summary(record) if study.gradient_check else None,
        "export": {name: exported[name] for name in ("largest_difference", "items_compared")},
        "seconds": {"trials": (training := sum(trial.seconds or 0 for trial in trials)),
                    "search": search_seconds or training, "refit": refitted.seconds, "total": time.monotonic() - began},
    }  # fmt: skip
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    run.report_file.unlink(missing_ok=True)  # it would tell of other numbers
    write_json(run.metrics_file, metrics)
    progress.close()
    return metrics


def searched(setup, store, budget):
    """The best trial of the finished search, with trials.csv and TensorBoard's HParams page of all of them."""
    oracle = prepare(setup)
    if setup.study.is_mixed and setup.crew.ray is None and has_bfloat16() is False:
        setup.progress.say("mixed_bfloat16: the processors here have no instructions for it; float32 may well be faster.")
    try:
        best = _searched(setup, store, oracle, budget)
    finally:
        write_trials(setup, store)
        setup.progress.close()
    store.copy_to(setup.run.store_copy)
    tensorboard.write_trials(
        setup.run.tensorboard, setup.run.folder.name, setup.study, store.trials(),
        lambda trial: searched_values(setup, trial), setup.objectives,
    )  # fmt: skip
    return best


def _searched(setup, store, oracle, budget):
    """The best trial, found by this process alone, or with workers; small models by whoever takes less time."""
    if setup.crew.is_one and not store.turns():
        return search(setup, store, oracle, budget)

    def hire(do=work, bundled=False):
        return setup.crew.hired(setup.common, setup.run.folder, do, bundled)

    if are_small(setup):
        spread = None if setup.crew.is_one else Spread(lambda: hire(train_group), setup.progress.say)
        with spread or contextlib.nullcontext():
            return search(setup, store, oracle, budget, spread)
    with hire(bundled=not oracle.learns) as workers:
        return Flight(setup, store, oracle, workers, budget).search()


def saved_model(run, served):
    """What exports.json says of the SavedModel, which is written where it does not lie there as it was left."""
    with contextlib.suppress(WorkError):
        verify(run, "savedmodel")
        return entries(run)["savedmodel"]
    return export(run, "savedmodel", served)


def searched_values(setup, trial):
    """The searched settings of a recorded trial as the study writes them."""
    return setup.searched_of(trial.proposed)


def write_trials(setup, store):
    """trials.csv: one row per trial, the best first in rank; only the seconds differ between equal runs."""
    header, rows = leaderboard(
        store.trials(), lambda trial: searched_values(setup, trial), settings=setup.study.searched,
        objectives=setup.objectives, folds=len(setup.splits), executions=setup.study.executions,
    )  # fmt: skip
    write_csv(setup.run.trials_file, [header, *rows])


def counts(trials):
    """{status: number of trials}."""
    return {status: sum(trial.status == status for trial in trials) for status in ("completed", "failed", "pruned")}
