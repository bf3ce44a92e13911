"""A run from its data set to its exported model: search, refit, test, export, and what is kept of each."""

import shutil
import time
from dataclasses import asdict

import numpy as np

from kerashw import evaluation, interrupts, tensorboard
from kerashw.errors import WorkError
from kerashw.formats import Served, export
from kerashw.leaderboard import leaderboard
from kerashw.pictures import Record, draw_figures, gradient_summary
from kerashw.population import Member, train_together
from kerashw.reuse import draw_weights
from kerashw.run import write_csv, write_json
from kerashw.seeds import derive
from kerashw.splits import split
from kerashw.study import plain
from kerashw.training import Diverged, Task, train
from kerashw.verdict import baseline, interval
from tuning.curves import keep_curves
from tuning.pruning import RULE
from tuning.search import Budget, prepare, refit_epochs, search
from tuning.trials import Setup

REFIT_ATTEMPTS = 3  # other weights may save a refit that diverged


def make_setup(study, dataset, run, *, seed, progress):
    """Everything a search needs of a study and a data set; the folds depend on the seed alone."""
    task = Task.of(dataset)
    splits = split(
        task.y, stratify=task.is_classification, folds=study.folds, validation=study.validation,
        seed=derive(seed, "split"),
    )  # fmt: skip
    return Setup(study=study, task=task, splits=splits, seed=seed, run=run, progress=progress)


def execute(setup, dataset, *, about, budget=Budget(), figures=False):
    """The metrics of the finished run; whatever an interrupted process had finished of it is kept.

    `about` is what metrics.json says of the run beside its results. The test items are touched once, after the refit;
    only the figures, where they are asked for, look at them again.
    """
    study, run, progress = setup.study, setup.run, setup.progress
    began = time.monotonic()
    oracle = prepare(setup)
    store = run.store()
    budget = budget.after(sum(trial.seconds or 0 for trial in store.trials()))
    try:
        best = search(setup, store, oracle, budget)
    finally:
        write_trials(setup, store)
        progress.close()
    store.copy_to(run.store_copy)
    trials = store.trials()
    tensorboard.write_trials(
        run.tensorboard, run.folder.name, study, trials, lambda trial: searched_values(setup, trial), setup.objective
    )
    searched = time.monotonic() - began
    settings = setup.settings_of(best.proposed)
    trained = refit(setup, store, best, settings, deadline=budget.end)
    interrupts.check()
    store.close()
    write_history(run, trained)
    outputs = evaluation.predict(trained.model, dataset.x_test)
    test = dict(outputs=outputs, y=dataset.y_test, is_classification=setup.task.is_classification)
    served = Served.of(trained.model, dataset)
    export(run, "keras", served)
    exported = export(run, "savedmodel", served)
    record = Record(run, dataset, study.declaration(), setup.seed)
    if figures:
        keep_curves(setup, record, settings, budget.end)
        draw_figures(record, name=progress.name, say=progress.say)
    metrics = {
        **about,
        "objective": setup.objective,
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
                  "epochs": len(trained.history["epoch"]), "best_epoch": trained.best_epoch},
        "parameters": trained.model.count_params(),
        "gradient_check": gradient_summary(record) if study.gradient_check else None,
        "export": {name: exported[name] for name in ("largest_difference", "items_compared")},
        "seconds": {"trials": sum(trial.seconds or 0 for trial in trials), "search": searched,
                    "refit": trained.seconds, "total": time.monotonic() - began},
    }  # fmt: skip
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    write_json(run.metrics_file, metrics)
    progress.close()
    return metrics


def refit(setup, store, best, settings, deadline):
    """The winner trained anew: on train + validation, or on train with the best epoch by the validation part."""
    study, task = setup.study, setup.task
    epochs = refit_epochs(setup, best)
    if study.refit == "all":
        train_indices, validation_indices = np.arange(len(task.x), dtype="int32"), None
    else:
        train_indices, validation_indices = setup.splits[0]
    how = dict(objective=setup.objective, score_epoch=study.score_epoch, deadline=deadline)
    model = setup.model_of(settings)
    together = setup.trains_together(model)
    for attempt in range(REFIT_ATTEMPTS):
        setup.progress.refit_began(epochs)
        seed = derive(setup.seed, "refit", attempt)
        items = dict(train_indices=train_indices, validation_indices=validation_indices)
        try:
            if together:
                member = Member(settings, **items, seed=seed, epochs=epochs)
                (trained,) = train_together(study.model, [member], task, **how, report=setup.progress.epochs)
                if isinstance(trained, Diverged):
                    raise trained
                looks = {0: draw_weights(model, seed), trained.best_epoch: trained.model}
                tensorboard.write_history(setup.run.tensorboard, trained.history, looks, task.x)
                return trained
            kept_by = setup.objective if validation_indices is not None and study.score_epoch == "best" else None
            shown = tensorboard.refit_callbacks(setup.run.tensorboard, model, task.x, epochs, kept_by)
            callbacks = [setup.progress.callback(), *shown]
            return train(study.model, settings, task, **items, seed=seed, epochs=epochs, **how, callbacks=callbacks)
        except Diverged as error:
            store.add_event("refit", f"attempt {attempt}: {error}")
    raise WorkError(
        f"the refit of trial {best.number} diverged {REFIT_ATTEMPTS} times: narrow the range of learning_rate "
        "and repeat the command with --overwrite."
    )


def searched_values(setup, trial):
    """The searched settings of a recorded trial as the study writes them."""
    hp = setup.hypermodel.space()
    hp.values = dict(trial.proposed)
    return setup.hypermodel.searched(hp)


def write_trials(setup, store):
    """trials.csv: one row per trial, the best first in rank; only the seconds differ between equal runs."""
    header, rows = leaderboard(
        store.trials(), lambda trial: searched_values(setup, trial), settings=setup.study.searched,
        objective=setup.objective, folds=len(setup.splits), executions=setup.study.executions,
    )  # fmt: skip
    write_csv(setup.run.trials_file, [header, *rows])


def write_history(run, trained):
    """history.csv: the metrics of the refit, epoch by epoch."""
    names = list(trained.history)
    write_csv(run.history_file, [names, *zip(*(trained.history[name] for name in names))])


def counts(trials):
    """{status: number of trials}."""
    return {status: sum(trial.status == status for trial in trials) for status in ("completed", "failed", "pruned")}
