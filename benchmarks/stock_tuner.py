"""KerasTuner with `model.fit`: what a training costs, and what the tuner itself costs for a trial.

Both are measured apart. Of a sample of trials that kerashw's own search made, the first training runs for a few
epochs; the rest is extrapolated. KerasTuner's own share (its oracle, and its files) is measured by tuners whose
trials train nothing, at several numbers of finished trials. What would be added by KerasTuner's checkpoint of every
better epoch, by collecting garbage before every model, and by the refit is left out, to its advantage.
"""

import functools
import gc
import tempfile
import time

import keras_tuner
import numpy as np

from benchmarks.problem import EpochClock, Training
from tuning.hypermodel import StudyHyperModel

TUNERS = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}


def fit_trainings(problem, proposals, epochs):
    """A Training by Keras's fit for each proposal, under the model that KerasTuner would build."""
    import keras

    task = problem.task()
    x, y, x_held, y_held = problem.first_fold(task)
    hypermodel = StudyHyperModel(problem.study, task)
    trainings = []
    for proposed in proposals:
        keras.backend.clear_session()
        gc.collect()
        clock = EpochClock()
        began = time.perf_counter()
        hp = hypermodel.space()
        hp.values = dict(proposed)
        model = hypermodel.build(hp)
        hypermodel.fit(
            hp, model, x, y, validation_data=(x_held, y_held), epochs=epochs, callbacks=[clock.callback()]
        )
        trainings.append(Training.timed(began, clock))
    return trainings


def overhead(kind, problem, finished, count=2):
    """Seconds KerasTuner needs for one trial beside its training, at each of the numbers of finished trials."""
    with tempfile.TemporaryDirectory() as folder:
        tuner = _untrained(kind)(
            StudyHyperModel(problem.study, problem.task()), keras_tuner.Objective("val_mse", "min"), max_trials=1,
            seed=1, directory=folder, project_name="untrained",
        )  # fmt: skip
        measured = []
        for number in finished:
            _fill(tuner, number)
            began = time.perf_counter()
            _run(tuner, number + count)
            measured.append((time.perf_counter() - began) / count)
        return measured


@functools.cache
def _untrained(kind):
    """KerasTuner's tuner with trials that end at once, by chance."""

    class Untrained(TUNERS[kind]):
        chance = np.random.default_rng(0)

        def run_trial(self, trial, *args, **kwargs):
            return {"val_mse": float(self.chance.random())}

    return Untrained


def _fill(tuner, number):
    """So many trials are finished; drawn by chance, as only the ones that are measured need the oracle's thought."""
    oracle = tuner.oracle
    if hasattr(oracle, "num_initial_points"):
        oracle.num_initial_points = 10**9
    _run(tuner, number)
    if hasattr(oracle, "num_initial_points"):
        oracle.num_initial_points = None


def _run(tuner, trials):
    if trials:
        tuner.oracle.max_trials = trials
        tuner.search(verbose=0)
