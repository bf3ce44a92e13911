"""Bayesian searches without training: ours, KerasTuner's and Optuna's, each a generator of (seconds, score).

The seconds are those it took to propose the point; `score` is a function of the proposed values, the lower the better.
"""

import tempfile
import time

from kerashw.space import Choice, Int
from tuning.hypermodel import StudyHyperModel

OBJECTIVE = "val_mse"  # any that is better the lower it is


def ours(study, score, seed):
    """kerashw's oracle, asked in batches as its search asks."""
    from tuning.dialogue import ask, tell
    from tuning.oracles import make_oracle

    oracle = make_oracle(study, StudyHyperModel(study, None), objective=OBJECTIVE, seed=seed)
    oracle.batch = max(1, min(16, study.search.trials // 10))
    while True:
        began = time.perf_counter()
        proposals = ask(oracle)
        seconds = time.perf_counter() - began
        if not proposals:
            return
        for proposal in proposals:
            value = score(proposal.proposed)
            tell(oracle, proposal, value)
            yield seconds / len(proposals), value


def keras_tuner(study, score, seed, think_at=None):
    """KerasTuner's own oracle. With `think_at` the points are random, but for those numbers and the next after each."""
    import keras_tuner

    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=keras_tuner.Objective(OBJECTIVE, "min"), max_trials=study.search.trials,
        num_initial_points=study.search.initial, hyperparameters=StudyHyperModel(study, None).space(),
        seed=seed + 1,  # 0 means any
    )  # fmt: skip
    oracle.verbose = 0
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "oracle")
        for number in range(study.search.trials):
            if think_at is not None:
                thinks = number in think_at or number - 1 in think_at
                oracle.num_initial_points = study.search.initial if thinks else 10**9
            began = time.perf_counter()
            trial = oracle.create_trial("tuner")
            seconds = time.perf_counter() - began
            if trial.status != "RUNNING":
                return
            value = score(trial.hyperparameters.values)
            oracle.update_trial(trial.trial_id, {OBJECTIVE: value})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            yield seconds, value


def optuna(study, score, seed):
    """Optuna's TPE in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, **(
        {} if study.search.initial is None else {"n_startup_trials": study.search.initial}))  # fmt: skip
    searched = optuna.create_study(direction="minimize", sampler=sampler)
    for _ in range(study.search.trials):
        began = time.perf_counter()
        trial = searched.ask()
        values = {name: _suggested(trial, name, space) for name, space in study.searched.items()}
        seconds = time.perf_counter() - began
        value = score(values)
        searched.tell(trial, value)
        yield seconds, value


def _suggested(trial, name, space):
    if isinstance(space, Choice) or space.step is not None:
        return trial.suggest_categorical(name, list(space.values))
    suggest = trial.suggest_int if isinstance(space, Int) else trial.suggest_float
    return suggest(name, space.low, space.high, log=space.log)


SIDES = {"ours": ours, "KerasTuner": keras_tuner, "Optuna TPE": optuna}
