"""The refit: the winner trained anew, once or several times; what it gave is kept, and read back by a process that
continues the run.
"""

import json
import math
import shutil
from dataclasses import dataclass, field, replace

from kerashw import interrupts
from kerashw.averaging import averaged_of
from kerashw.ensemble import ensemble
from kerashw.errors import WorkError
from kerashw.evaluation import metrics, predict
from kerashw.formats import Served, adopt, entries, export, load_keras
from kerashw.formats.exports import digest
from kerashw.pictures.record import UNDRAWN
from kerashw.progress import duration
from kerashw.reuse import drawn_layers, with_weights
from kerashw.run import keep_aside, write_csv
from kerashw.selection import winner_of
from kerashw.training import Diverged
from tuning.refits import train_refits
from tuning.standing import refit_epochs, refit_seconds, refits_at_once

ATTEMPTS = 3  # other weights may save a refit that diverged
DONE = "refitted"  # the event that ends this stage: what is kept of it, with the SHA-256 of its files
AGAIN = "refitted again"  # with another seed: how long it took and what it came to
UNITED = "united"  # the event that the networks of an ensemble are one model: as DONE, which it takes the place of
CHECKPOINT = "refit"  # the weights of a network of an ensemble, until they are in model.keras


@dataclass(frozen=True)
class Refitted:
    """The model of a run, the trial whose settings it has, and how it was trained; `best_epoch` counts from 1."""

    trial: int
    epochs: int
    best_epoch: int
    seconds: float
    averaged: int = 1  # epochs after which the weights were averaged
    planned: int | None = None  # epochs, of a refit that the time budget cut short
    networks: int = 1  # of an ensemble, of which all but the seconds is that of the first
    test: dict | None = None  # what the first network of an ensemble came to by itself, once they are united
    model: object = field(default=None, repr=False)


def kept_refit(setup, store, dataset):
    """The refit that an earlier process has brought to its end, or None; a file of it that has changed lies aside.

    Of several objectives another trial may have been chosen since. Of an ensemble it is the first network, where
    the others are not known to be united with it.
    """
    run, study = setup.run, setup.study
    told = store.events(UNITED) or store.events(DONE)
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
    kept.setdefault("averaged", averaged_of(kept["epochs"], kept["epochs"], study.refit_average))  # of an earlier version
    done = Refitted(**kept)
    if study.ensemble and done.test is None:
        network = _network(setup, store.trial(done.trial), run.load_checkpoint(CHECKPOINT))
        return replace(done, model=network)
    model = load_keras(run.keras_file)
    if "keras" not in entries(run):  # exports.json was lost
        adopt(run, Served.of(model, dataset))
    return replace(done, model=model)


def refit(setup, store, best, dataset, deadline):
    """The winner, trained anew, as history.csv and model.keras in the run's folder; of an ensemble the first network.

    Where workers are at hand, they are at the other refits meanwhile.
    """
    _forget(setup, store, best)
    numbers = [0] if setup.crew.is_one else [0, *_missing(setup, store)]
    _announce(setup, store, best, len(numbers))
    for attempt in range(ATTEMPTS):
        done = None
        for number, trained in train_refits(setup, best, numbers, deadline, attempt):
            interrupts.check()
            if number:
                _keep_again(setup, store, best, number, trained, dataset)
            elif isinstance(trained, Diverged):
                store.add_event("refit", f"attempt {attempt}: {trained}")
            else:
                done = _keep_first(setup, store, best, trained, dataset)
        if done is not None:
            return done
        numbers = [0]
    raise WorkError(
        f"the refit of trial {best.number} diverged {ATTEMPTS} times: narrow the range of learning_rate "
        "and repeat the command with --overwrite."
    )


def repeated(setup, store, best, dataset, deadline):
    """What the winner came to when it was trained again with other seeds: best epoch, seconds and test metrics of each.

    With the refit itself they are as many as the study wants, or fewer where the deadline comes first. Of one that
    diverged all is None. Those that an earlier process has finished are kept.
    """
    if missing := _missing(setup, store):
        for number, trained in train_refits(setup, best, missing, deadline):
            interrupts.check()
            _keep_again(setup, store, best, number, trained, dataset)
    return list(_again(setup, store).values())


def united(setup, store, best, refitted, dataset):
    """The refits as one model, as model.keras in the run's folder; as they are where they are one already."""
    if refitted.test is not None:
        return refitted
    run, others = setup.run, {number: told for number, told in _again(setup, store).items() if told["test"]}
    networks = [refitted.model, *(_network(setup, best, run.load_checkpoint(CHECKPOINT, number)) for number in others)]
    is_classification = setup.task.is_classification
    alone = metrics(predict(refitted.model, dataset.x_test), dataset.y_test, is_classification=is_classification)
    model = ensemble(networks, is_classification=is_classification) if others else refitted.model
    if len(networks) < setup.study.refits:
        setup.progress.say(f"the model is made of {len(networks)} of {setup.study.refits} networks: the others diverged, or "
                           "the time budget ended before them.")  # fmt: skip
    seconds = refitted.seconds + sum(told["seconds"] for told in others.values())
    export(run, "keras", Served.of(model, dataset))
    done = replace(refitted, networks=len(networks), test=alone, seconds=seconds, model=model)
    _tell(run, store, UNITED, done, run.keras_file)
    return done


def _announce(setup, store, best, count):
    """Workers tell of a refit no earlier than at its end: so it is said before how long that takes."""
    at_once = min(refits_at_once(setup, best), count)
    if at_once > 1 and setup.crew.workers:  # else nobody knows how much room there is
        took = duration(refit_seconds(setup, store, best) * math.ceil(count / at_once))
        epochs = f"{refit_epochs(setup, best):,} epochs"
        setup.progress.say(f"{setup.progress.name}: {count} refits of {epochs}, {at_once} at a time, in about {took}.")


def _keep_first(setup, store, best, trained, dataset):
    run, names = setup.run, list(trained.history)
    write_csv(run.history_file, [names, *zip(*(trained.history[name] for name in names))])
    drawn = drawn_layers(trained.model)
    if others := [layer.name for layer in trained.model.layers if layer.name not in drawn]:
        store.add_event(UNDRAWN, json.dumps(others))
    planned, epochs = refit_epochs(setup, best), len(trained.history["epoch"])
    if trained.cut:
        setup.progress.say(f"the time budget ended the refit after {epochs:,} of {planned:,} epochs.")
    averaged = averaged_of(epochs, planned, setup.study.refit_average)
    done = Refitted(best.number, epochs, trained.best_epoch, trained.seconds, averaged,
                    planned if trained.cut else None, model=trained.model)  # fmt: skip
    if setup.study.ensemble:
        run.save_checkpoint(CHECKPOINT, trained.model.get_weights())
        _tell(run, store, DONE, done, run.checkpoint_of(CHECKPOINT))
    else:
        export(run, "keras", Served.of(trained.model, dataset))
        _tell(run, store, DONE, done, run.keras_file)
    return done


def _keep_again(setup, store, best, number, trained, dataset):
    run, told, sha256 = setup.run, {"best_epoch": None, "seconds": None, "test": None}, None
    if not isinstance(trained, Diverged):
        outputs = predict(trained.model, dataset.x_test)
        tested = metrics(outputs, dataset.y_test, is_classification=setup.task.is_classification)
        told = {"best_epoch": trained.best_epoch, "seconds": trained.seconds, "test": tested}
        if setup.study.ensemble:
            run.save_checkpoint(CHECKPOINT, trained.model.get_weights(), number)
            sha256 = digest(run.checkpoint_of(CHECKPOINT, number))
    store.add_event(AGAIN, json.dumps({"number": number, "trial": best.number, **told, "sha256": sha256}))


def _tell(run, store, event, done, file):
    """What another process has to know, without the model, but with what its file and the history must hash to."""
    told = {name: value for name, value in vars(done).items() if name != "model"}
    sha256 = {path.relative_to(run.folder).as_posix(): digest(path) for path in (file, run.history_file)}
    store.add_event(event, json.dumps({**told, "sha256": sha256}))
    store.copy_to(run.store_copy)


def _again(setup, store):
    """{number: what it came to} of the refits with other seeds; of an ensemble those whose weights are as they were left.

    Earlier versions counted them without a number.
    """
    last = {}
    for place, text in enumerate(store.events(AGAIN), 1):
        told = json.loads(text)
        last[told.get("number", place)] = told
    needs_weights = setup.study.ensemble and not store.events(UNITED)
    return {number: {name: told[name] for name in ("best_epoch", "seconds", "test")}
            for number, told in sorted(last.items())
            if not needs_weights or not told["test"] or _is_kept(setup, told)}  # fmt: skip


def _is_kept(setup, told):
    """Whether the weights of a network are there; what is damaged lies aside from now on."""
    file = setup.run.checkpoint_of(CHECKPOINT, told["number"])
    if not file.exists():
        return False
    if digest(file) != told["sha256"]:
        aside = keep_aside(file).name
        setup.progress.say(f"{file}: has changed since it was written: kept as {aside}; the network is trained anew.")
        return False
    return True


def _missing(setup, store):
    """The numbers of the refits with other seeds that are still to be made."""
    if store.events(UNITED):
        return []
    found = _again(setup, store)
    return [number for number in range(1, setup.study.refits) if number not in found]


def _network(setup, trial, weights):
    return with_weights(setup.model_of(setup.settings_of(trial.proposed)), weights)


def _forget(setup, store, best):
    """Nothing is left that tells of an earlier model; metrics.json goes first, as the run is finished no longer.

    The other refits stay where they are of the same trial.
    """
    run = setup.run
    run.metrics_file.unlink(missing_ok=True)
    for kind in (DONE, UNITED, UNDRAWN, "refit"):
        store.forget_events(kind)
    if any(json.loads(text).get("trial") != best.number for text in store.events(AGAIN)):
        store.forget_events(AGAIN)
    shutil.rmtree(run.figures, ignore_errors=True)
    for path in (run.curves_file, run.exports_file, run.litert_file, run.onnx_file):
        path.unlink(missing_ok=True)
