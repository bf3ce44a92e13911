"""The oracle of a study's search: KerasTuner's, made deterministic in the seed and the trials that have ended."""

import itertools
import math

import keras_tuner
import numpy as np

from kerashw.seeds import derive
from kerashw.space import Bayesian, Grid, Hyperband, Random
from kerashw.objectives import DIRECTIONS
from tuning.bayesian import BayesianOracle
from tuning.replayable import IDLE, RUNNING, STOPPED, Replayable


class _RoundIsRunning(Exception):
    """Nothing can be proposed before the trials that were proposed last have ended."""


class _RandomOracle(Replayable, keras_tuner.oracles.RandomSearchOracle):
    learns = False


class _GridOracle(Replayable, keras_tuner.Oracle):
    """Every combination that `allowed` lets through, in the order of the settings."""

    learns = False

    def keep(self, allowed):
        self.points = [values for values in self.combinations() if allowed is None or allowed(values)]
        return self

    def propose(self, trial_id):
        number = int(trial_id)
        return {**RUNNING, "values": self.points[number]} if number < len(self.points) else STOPPED


class _HyperbandOracle(Replayable, keras_tuner.oracles.HyperbandOracle):
    """A batch is a whole round: the next round, or bracket, waits until all of it has ended.

    In flight a trial is promoted as soon as it is certain to be, and until then the next bracket begins.
    """

    def batch_of(self, number):
        return number, math.inf

    def propose(self, trial_id):
        try:
            return super().propose(trial_id)
        except _RoundIsRunning:
            return IDLE

    def _increment_bracket_num(self):
        if self.ongoing_trials and not self.in_flight:
            raise _RoundIsRunning
        super()._increment_bracket_num()

    def _remove_completed_brackets(self):
        if not self.ongoing_trials:  # one of them may fail, and its place be given to another
            super()._remove_completed_brackets()

    def end_trial(self, trial):
        super().end_trial(trial)
        if trial.status == "FAILED":
            # Its whole line leaves the bracket, and its place in the first round is given to another. Were only
            # the failed one to leave, the next round would wait for it in vain, or its parent be promoted again.
            line = [trial.trial_id]
            while (parent := self.trials[line[-1]].hyperparameters.values.get("tuner/trial_id")) is not None:
                line.append(parent)
            for entries in itertools.chain.from_iterable(bracket["rounds"] for bracket in self._brackets):
                entries[:] = [entry for entry in entries if entry["id"] not in line]

    def _random_values(self):
        """Where the rounds hold more trials than the space has points, those that did not fail come again."""
        values = super()._random_values()
        if values is not None:
            return values
        points = {"COMPLETED": [], "RUNNING": [], "FAILED": []}
        for trial in self.trials.values():
            points[trial.status].append({name: trial.hyperparameters.values[name] for name in self.names})
        if any(point not in points["COMPLETED"] for point in points["RUNNING"]):
            raise _RoundIsRunning  # it may fail
        known = points["COMPLETED"] + points["RUNNING"]
        return min(known, key=known.count, default=None)

    def sizes(self):
        """(trials, epochs) of every round of every bracket of one sweep."""
        for bracket in range(self._get_num_brackets()):
            for number in range(self._get_num_rounds(bracket)):
                before = self._get_epochs(bracket, number - 1) if number else 0
                yield self._get_size(bracket, number), self._get_epochs(bracket, number) - before


def make_oracle(study, hypermodel, *, objective, others=(), seed, allowed=None):
    """The oracle of a study's search; `allowed` tells which grid values keep to the budget of parameters.

    KerasTuner knows of one objective; the `others` count in a Bayesian search.
    """
    search = study.search
    common = dict(
        objective=keras_tuner.Objective(objective, DIRECTIONS[objective]),
        hyperparameters=hypermodel.space(),
        seed=derive(seed, "oracle") + 1,  # KerasTuner takes 0 for "any"
    )
    if isinstance(search, Grid) or not study.searched:
        return _GridOracle(**common).prepare(study, seed).keep(allowed)
    if isinstance(search, Random):
        return _RandomOracle(**common).prepare(study, seed)
    if isinstance(search, Bayesian):
        oracle = BayesianOracle(num_initial_points=search.initial, **common).prepare(study, seed)
        oracle.coarse = search.coarse
        oracle.directions = [DIRECTIONS[name] for name in (objective, *others)]
        return oracle
    assert isinstance(search, Hyperband)
    epochs = study.filled({name: None for name in study.searched})["epochs"]
    return _HyperbandOracle(
        max_epochs=epochs, factor=search.factor, hyperband_iterations=search.iterations, **common
    ).prepare(study, seed)


def expected_work(oracle, study):
    """(trials, epochs): how many trials the search will make and how many epochs they have in all, at most."""
    if isinstance(oracle, _HyperbandOracle):
        sizes = [size for size in oracle.sizes() for _ in range(oracle.hyperband_iterations)]
        trials, epochs = sum(count for count, _ in sizes), sum(count * long for count, long in sizes) * study.executions
        if oracle.max_trials and oracle.max_trials < trials:
            return oracle.max_trials, math.ceil(epochs * oracle.max_trials / trials)
        return trials, epochs
    trials = oracle.max_trials or math.inf
    if isinstance(oracle, _GridOracle):
        trials = min(trials, len(oracle.points))
    elif oracle.axes is not None:
        trials = min(trials, math.prod(map(len, oracle.axes)))
    searched = study.searched.get("epochs")
    each = np.mean(searched.values) if searched else study.filled(dict.fromkeys(study.searched))["epochs"]
    return trials, math.ceil(trials * each) * max(study.folds, 1) * study.executions
