"""The refit: the winner trained anew, once; what it gave is kept, and read back by a process that continues the run."""

import json
import shutil
import time
from dataclasses import dataclass, field

import numpy as np

from kerashw import interrupts, tensorboard
from kerashw.averaging import averaged_of
from kerashw.errors import WorkError
from kerashw.evaluation import metrics, predict
from kerashw.formats import Served, adopt, entries, export, load_keras
from kerashw.formats.exports import digest
from kerashw.population import Member, train_together
from kerashw.reuse import draw_weights
from kerashw.run import keep_aside, write_csv
from kerashw.seeds import derive
from kerashw.selection import winner_of
from kerashw.training import Diverged, train
from tuning.standing import refit_epochs

REFIT_ATTEMPTS = 3  # other weights may save a refit that diverged
DONE = "refitted"  # the event that ends this stage: what is kept of it, with the SHA-256 of its files
AGAIN = "refitted again"  # with another seed: how long it took and what it came to


@dataclass(frozen=True)
class Refitted:
    """The model of a run, the trial whose settings it has, and how it was trained; `best_epoch` counts from 1."""

    trial: int
    epochs: int
    best_epoch: int
    seconds: float
    averaged: int = 1  # epochs after which the weights were averaged
    planned: int | None = None  # epochs, of a refit that the time budget cut short
    model: object = field(default=None, repr=False)


def kept_refit(setup, store, dataset):
    """The refit that an earlier process has brought to its end, or None; a file of it that has changed lies aside.

    Of several objectives another trial may have been chosen since.
    """
    run, study, told = setup.run, setup.study, store.events(DONE)
    if not told:
        return None
    kept = json.loads(told[-1])
    if study.objectives and kept["trial"] != winner_of(store.trials(), study.objectives, study.winner).number:
        return None
    expected = {run.folder / name: digest for name, digest in kept.pop("sha256").items()}
    changed = [path for path, sha256 in expected.items() if not path.exists() or digest(path) != sha256]
    for path in changed:
        found = f"has changed since it was written: kept as {keep_aside(path).name}" if path.exists() else "is missing"
        setup.progress.say(f"{path}: {found}; the winner is trained anew.")
    if changed:
        return None
    model = load_keras(run.keras_file)
    if "keras" not in entries(run):  # exports.json was lost
        adopt(run, Served.of(model, dataset))
    kept.setdefault("averaged", averaged_of(kept["epochs"], kept["epochs"], study.refit_average))  # of an earlier version
    return Refitted(**kept, model=model)


def refit(setup, store, best, dataset, deadline):
    """The winner, trained anew, as model.keras and history.csv in the run's folder."""
    run = setup.run
    _forget(run, store)
    trained = _trained(setup, store, best, setup.settings_of(best.proposed), deadline)
    interrupts.check()
    export(run, "keras", Served.of(trained.model, dataset))
    names = list(trained.history)
    write_csv(run.history_file, [names, *zip(*(trained.history[name] for name in names))])
    planned, epochs = refit_epochs(setup, best), len(trained.history["epoch"])
    if trained.cut:
        setup.progress.say(f"the time budget ended the refit after {epochs:,} of {planned:,} epochs.")
    averaged = averaged_of(epochs, planned, setup.study.refit_average)
    done = Refitted(best.number, epochs, trained.best_epoch, trained.seconds, averaged,
                    planned if trained.cut else None, trained.model)  # fmt: skip
    told = {name: value for name, value in vars(done).items() if name != "model"}
    files = {path.name: digest(path) for path in (run.keras_file, run.history_file)}
    store.add_event(DONE, json.dumps({**told, "sha256": files}))
    store.copy_to(run.store_copy)
    return done


def repeated(setup, store, best, settings, dataset, deadline):
    """What the winner came to when it was trained again with other seeds: best epoch, seconds and test metrics of each.

    With the refit itself they are as many as the study wants, or fewer where the deadline comes first. Of one that
    diverged all is None. Those that an earlier process has finished are kept.
    """
    found = [json.loads(text) for text in store.events(AGAIN)]
    epochs, wanted = refit_epochs(setup, best), setup.study.refits - 1
    common = dict(_items(setup), epochs=epochs, average=setup.study.refit_average)
    together = setup.trains_together(setup.model_of(settings))
    how = dict(objective=setup.objective, score_epoch=setup.study.score_epoch, deadline=deadline)
    while len(found) < wanted and time.monotonic() < deadline:
        numbers = range(len(found), wanted if together else len(found) + 1)
        setup.progress.refit_began(epochs * len(numbers))
        seeds = [derive(setup.seed, "refit again", number) for number in numbers]
        if together:
            members = [Member(settings, **common, seed=seed) for seed in seeds]
            made = train_together(setup.study.model, members, setup.task, **how, report=setup.progress.epochs)
        else:
            callbacks = [setup.progress.callback()]
            made = [_or_diverged(train, setup.study.model, settings, setup.task, **common, seed=seeds[0], **how,
                                 callbacks=callbacks)]  # fmt: skip
        interrupts.check()
        for trained in made:
            if isinstance(trained, Diverged):
                told = {"best_epoch": None, "seconds": None, "test": None}
            elif trained is None or trained.cut:  # by the deadline: it is not what the others are
                return found
            else:
                outputs = predict(trained.model, dataset.x_test)
                tested = metrics(outputs, dataset.y_test, is_classification=setup.task.is_classification)
                told = {"best_epoch": trained.best_epoch, "seconds": trained.seconds, "test": tested}
            store.add_event(AGAIN, json.dumps(told))
            found.append(told)
    return found


def _or_diverged(train, *given, **named):
    try:
        return train(*given, **named)
    except Diverged as error:
        return error


def _items(setup):
    """The items to train on and to validate on: all and none, or those of the first split."""
    if setup.study.refit == "all":
        return dict(train_indices=np.arange(len(setup.task.x), dtype="int32"), validation_indices=None)
    return dict(zip(("train_indices", "validation_indices"), setup.splits[0]))


def _forget(run, store):
    """Nothing is left that tells of an earlier model; metrics.json goes first, as the run is finished no longer."""
    run.metrics_file.unlink(missing_ok=True)
    for kind in (DONE, AGAIN, "refit"):
        store.forget_events(kind)
    shutil.rmtree(run.figures, ignore_errors=True)
    for path in (run.curves_file, run.exports_file, run.litert_file, run.onnx_file):
        path.unlink(missing_ok=True)


def _trained(setup, store, best, settings, deadline):
    """The training: on train + validation, or on train with the best epoch by the validation part."""
    study, task = setup.study, setup.task
    epochs = refit_epochs(setup, best)
    common = dict(_items(setup), epochs=epochs, average=study.refit_average)
    how = dict(objective=setup.objective, score_epoch=study.score_epoch, deadline=deadline)
    model = setup.model_of(settings)
    together = setup.trains_together(model)
    for attempt in range(REFIT_ATTEMPTS):
        setup.progress.refit_began(epochs)
        seed = derive(setup.seed, "refit", attempt)
        try:
            if together:
                member = Member(settings, **common, seed=seed)
                (trained,) = train_together(study.model, [member], task, **how, report=setup.progress.epochs)
                if isinstance(trained, Diverged):
                    raise trained
                looks = {0: draw_weights(model, seed), trained.best_epoch: trained.model}
                tensorboard.write_history(setup.run.tensorboard, trained.history, looks, task.x)
                return trained
            kept_by = setup.objective if study.refit == "stop" and study.score_epoch == "best" else None
            shown = tensorboard.refit_callbacks(setup.run.tensorboard, model, task.x, epochs, kept_by)
            callbacks = [setup.progress.callback(), *shown]
            return train(study.model, settings, task, **common, seed=seed, **how, callbacks=callbacks)
        except Diverged as error:
            store.add_event("refit", f"attempt {attempt}: {error}")
    raise WorkError(
        f"the refit of trial {best.number} diverged {REFIT_ATTEMPTS} times: narrow the range of learning_rate "
        "and repeat the command with --overwrite."
    )
