"""How much work a study means and how long it will take here: measured on a few batches, nothing is kept."""

import itertools
import time

import numpy as np

from kerashw.machine import processors
from kerashw.population import Member, most_in_loop, train_together
from kerashw.training import train
from tuning.oracles import expected_work
from tuning.pipeline import make_setup
from tuning.search import first_settings, prepare

MEASURED_BATCHES = 64
MEASURED_EPOCHS = 50  # of small models


def estimate(study, dataset, *, seed):
    """Trials, epochs, refit epochs, parameters and seconds, judged by the study's first settings."""
    setup = make_setup(study, dataset, None, seed=seed, progress=None)
    oracle = prepare(setup)
    trials, epochs = expected_work(oracle, study)
    settings = first_settings(setup)
    model = setup.model_of(settings)
    items, trained = len(setup.task.x), len(setup.splits[0][0])
    refit_epochs = (study.refit_epochs or settings["epochs"]) * study.refits
    if setup.trains_together(model):
        trainings = min(oracle.batch, trials) * len(setup.places)
        start, per_epoch = _together(setup, settings, min(trainings, most_in_loop(model) * processors()))
        starts = -(-trials // oracle.batch) + 1
        per_refit_epoch = per_epoch * items / trained
    else:
        start, each = _alone(setup, settings)
        starts = trials * len(setup.places) + 1
        # Validation goes forward only: about a third of a training step.
        per_epoch, per_refit_epoch = each * (trained + (items - trained) / 3), each * items
    return {
        "trials": trials,
        "epochs": epochs,
        "refit_epochs": refit_epochs,
        "parameters": model.count_params(),
        "seconds": round(starts * start + epochs * per_epoch + refit_epochs * per_refit_epoch, 1),
    }


def _together(setup, settings, trainings):
    """Seconds to start a loop, and seconds of an epoch of one member where so many are trained together."""
    folds = itertools.cycle(setup.splits)
    members = [
        Member(settings, *next(folds), seed=number, epochs=MEASURED_EPOCHS) for number in range(trainings)
    ]  # fmt: skip
    times = []
    for _ in range(2):  # only the first has to be compiled
        began = time.monotonic()
        train_together(setup.study.model, members, setup.task, objective=setup.objective, keep_models=False)
        times.append(time.monotonic() - began)
    return max(times[0] - times[1], 0.0), times[1] / len(members) / MEASURED_EPOCHS


def _alone(setup, settings):
    """Seconds to start a training, and seconds per item after that."""
    import keras

    few = np.arange(min(len(setup.task.x), settings["batch_size"] * MEASURED_BATCHES), dtype="int32")
    times = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: times.append(time.monotonic()))
    began = time.monotonic()
    train(setup.study.model, settings, setup.task, train_indices=few, seed=0, epochs=3, callbacks=[clock])
    each = (times[-1] - times[-2]) / len(few)
    return max(times[0] - began - each * len(few), 0.0), each
