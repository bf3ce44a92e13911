"""How much work a study means and how long it will take here: measured on a few batches, nothing is kept."""

import time

import numpy as np

from kerashw.training import Task, train
from tuning.oracles import expected_work
from tuning.pipeline import make_setup
from tuning.search import first_settings, prepare

MEASURED_BATCHES = 64


def estimate(study, dataset, *, seed):
    """Trials, epochs, refit epochs and seconds, judged by the study's first settings."""
    import keras

    setup = make_setup(study, dataset, None, seed=seed, progress=None)
    trials, epochs = expected_work(prepare(setup), study)
    settings = first_settings(setup)
    batch_size = settings["batch_size"]
    few = np.arange(min(len(setup.task.x), batch_size * MEASURED_BATCHES), dtype="int32")
    times = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: times.append(time.monotonic()))
    began = time.monotonic()
    train(study.model, settings, Task.of(dataset), train_indices=few, seed=seed, epochs=3, callbacks=[clock])
    each = (times[-1] - times[-2]) / len(few)  # seconds per item, without the start
    start = max(times[0] - began - each * len(few), 0.0)
    trained = len(setup.splits[0][0])
    # Validation goes forward only: about a third of a training step.
    per_epoch = each * (trained + (len(setup.task.x) - trained) / 3)
    refit_epochs = study.refit_epochs or settings["epochs"]
    trainings = trials * max(study.folds, 1) * study.executions
    seconds = trainings * start + epochs * per_epoch + start + refit_epochs * each * len(setup.task.x)
    return {
        "trials": trials,
        "epochs": epochs,
        "refit_epochs": refit_epochs,
        "parameters": setup.model_of(settings).count_params(),
        "seconds": round(seconds, 1),
    }
