"""KerasTuner's oracles, made deterministic in the seed and the trials that have ended, so that they can be replayed.

What an oracle proposes as number n depends on the run's seed, on n and on the ended trials: never on the clock,
on a file, or on how often the process was started. The state of the search is kept elsewhere (kerashw.store).
"""

import functools
import itertools
import math

import keras_tuner
import numpy as np

from kerashw.errors import WorkError
from kerashw.seeds import derive
from kerashw.space import Bayesian, Grid, Hyperband, Random, Real
from kerashw.study import OBJECTIVES
from tuning.gaussian import suggest

RUNNING = {"status": "RUNNING"}
STOPPED = {"status": "STOPPED", "values": None}
IDLE = {"status": "IDLE", "values": None}


class _Replayable:
    """An oracle without files and without a retry of its own, seeded anew for each proposal."""

    recorded = {}  # the values that trials of an earlier process had, by their numbers
    batch = 1  # trials that are asked for at once

    def prepare(self, study, seed):
        """The oracle for a run's seed; None trials mean as many as the space or the brackets hold."""
        self.run_seed = seed
        self.names = list(study.searched)
        finite = not any(isinstance(space, Real) and space.step is None for space in study.searched.values())
        self.axes = [_encoded(self.hyperparameters, *one) for one in study.searched.items()] if finite else None
        self.max_trials = study.search.trials
        self.max_consecutive_failed_trials = None
        self.verbose = 0
        return self

    def populate_space(self, trial_id):
        # KerasTuner draws value after value from consecutive seeds, so each proposal starts at a number of its own.
        self._seed_state = derive(self.run_seed, "proposal", int(trial_id))
        self._random_state = np.random.RandomState(self._seed_state)
        response = self.propose(trial_id)
        recorded = self.recorded.get(int(trial_id))
        if recorded is not None and response.get("values") not in (None, recorded):
            raise WorkError(
                f"trials.db: trial {int(trial_id)} was {recorded}, but this study, seed and tuner propose "
                f"{response.get('values')}: continue with the versions that began the run, or use --overwrite."
            )
        return response

    def propose(self, trial_id):
        return super().populate_space(trial_id)

    def batch_of(self, number):
        """The first number of the batch that a trial belongs to, and the first after it."""
        first = number // self.batch * self.batch
        return first, first + self.batch

    def combinations(self):
        """Every point of a finite space, in the order of the settings."""
        return (dict(zip(self.names, point)) for point in itertools.product(*self.axes))

    def _random_values(self):
        """KerasTuner gives up after some draws of points it knows; a small space may hold others yet."""
        values = super()._random_values()
        if values is None and self.axes is not None:
            others = [values for values in self.combinations() if not self._duplicate(values)]
            values = others[self._random_state.randint(len(others))] if others else None
        return values

    def save(self):
        pass

    def _save_trial(self, trial):
        pass


class _RoundIsRunning(Exception):
    """Nothing can be proposed before the trials that were proposed last have ended."""


class _RandomOracle(_Replayable, keras_tuner.oracles.RandomSearchOracle):
    pass


class _BayesianOracle(_Replayable, keras_tuner.oracles.BayesianOptimizationOracle):
    """KerasTuner's oracle with a Gaussian process of ours: faster, for batches, and categories have no order.

    All of a batch learns from the trials before it; the points drawn at first are one batch.
    """

    @property
    def drawn(self):
        """How many points are drawn by chance before there is something to learn from."""
        return max(self.num_initial_points or 3 * len(self.names), 2)

    def batch_of(self, number):
        if self.batch == 1:
            return number, number + 1
        if number < self.drawn:
            return 0, self.drawn
        first = self.drawn + (number - self.drawn) // self.batch * self.batch
        return first, first + self.batch

    def propose(self, trial_id):
        number = int(trial_id)
        first, end = self.batch_of(number)
        known = [trial for name, trial in self.trials.items() if int(name) < first and trial.status == "COMPLETED"]
        if len(known) < self.drawn:
            return self._random_populate_space()
        if number in self.recorded:  # nothing to learn from fitting the process again
            return {**RUNNING, "values": dict(self.recorded[number])}
        if first not in self.suggested:
            sign = -1 if self.objective.direction == "max" else 1
            chances = [self._chances(trial.hyperparameters.values) for trial in known]
            self.suggested = {first: suggest(
                np.array([self._columns(one) for one in chances]), np.array([sign * trial.score for trial in known]),
                lambda generator, near: self._candidate(generator, None if near is None else chances[near]),
                count=end - first, seed=derive(self.run_seed, "batch", first), kernels=self.kernels,
            )}  # fmt: skip
        proposals = self.suggested[first][number - first]
        fresh = next((values for values in proposals if not self._duplicate(values)), None) or self._random_values()
        return {**RUNNING, "values": fresh} if fresh else STOPPED

    @functools.cached_property
    def kernels(self):
        """Fitted kernels by the number of scores that decided them."""
        return {}

    @functools.cached_property
    def suggested(self):
        """What the process suggests for every place of the batch that begins with that number."""
        return {}

    def _chances(self, values):
        """Each value as a number in [0, 1], by its place in its range."""
        return np.array([hp.value_to_prob(values[hp.name]) for hp in self.hyperparameters.space])

    def _columns(self, chances):
        """What the process sees of a point: one column for an ordered setting, one for each unordered value."""
        columns = []
        for hp, chance in zip(self.hyperparameters.space, chances):
            if getattr(hp, "ordered", True):
                columns.append(chance)
            else:
                marks = np.zeros(len(hp.values))
                marks[min(int(chance * len(marks)), len(marks) - 1)] = 0.5**0.5  # so two values are 1 apart
                columns.extend(marks)
        return columns

    def _candidate(self, generator, near=None):
        """(columns, values) of a point drawn from anywhere, or from around another."""
        chances = generator.random(len(self.names))
        if near is not None:
            ordered = np.array([getattr(hp, "ordered", True) for hp in self.hyperparameters.space])
            moved = near + 0.1 * generator.standard_normal(len(near))
            keeps = ordered | (generator.random(len(near)) < 0.8)
            chances = np.where(keeps, np.where(ordered, moved, near), chances)
        chances = np.clip(chances, 0.0, 1.0 - 1e-9)
        values = {hp.name: hp.prob_to_value(chance) for hp, chance in zip(self.hyperparameters.space, chances)}
        return self._columns(self._chances(values)), values


class _GridOracle(_Replayable, keras_tuner.Oracle):
    """Every combination that `allowed` lets through, in the order of the settings."""

    def keep(self, allowed):
        self.points = [values for values in self.combinations() if allowed is None or allowed(values)]
        return self

    def propose(self, trial_id):
        number = int(trial_id)
        return {**RUNNING, "values": self.points[number]} if number < len(self.points) else STOPPED


class _HyperbandOracle(_Replayable, keras_tuner.oracles.HyperbandOracle):
    """A batch is a whole round: the next round, or bracket, waits until all of it has ended."""

    def batch_of(self, number):
        return number, math.inf

    def propose(self, trial_id):
        try:
            return super().propose(trial_id)
        except _RoundIsRunning:
            return IDLE

    def _increment_bracket_num(self):
        if self.ongoing_trials:
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


def make_oracle(study, hypermodel, *, objective, seed, allowed=None):
    """The oracle of a study's search; `allowed` tells which grid values keep to the budget of parameters."""
    search = study.search
    common = dict(
        objective=keras_tuner.Objective(objective, OBJECTIVES[objective]),
        hyperparameters=hypermodel.space(),
        seed=derive(seed, "oracle") + 1,  # KerasTuner takes 0 for "any"
    )
    if isinstance(search, Grid) or not study.searched:
        return _GridOracle(**common).prepare(study, seed).keep(allowed)
    if isinstance(search, Random):
        return _RandomOracle(**common).prepare(study, seed)
    if isinstance(search, Bayesian):
        return _BayesianOracle(num_initial_points=search.initial, **common).prepare(study, seed)
    assert isinstance(search, Hyperband)
    epochs = study.filled({name: None for name in study.searched})["epochs"]
    return _HyperbandOracle(
        max_epochs=epochs, factor=search.factor, hyperband_iterations=search.iterations, **common
    ).prepare(study, seed)


def expected_work(oracle, study):
    """(trials, epochs): how many trials the search will make and how many epochs they have in all, at most."""
    if isinstance(oracle, _HyperbandOracle):
        sizes = [size for size in oracle.sizes() for _ in range(oracle.hyperband_iterations)]
        trials, epochs = sum(count for count, _ in sizes), sum(count * long for count, long in sizes)
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


def _encoded(hp, name, space):
    """The values of one axis of a grid as `hp` writes them."""
    known = next(known for known in hp.space if known.name == name)
    if isinstance(space, Real):
        return list(map(float, space.values))
    return known.values if hasattr(known, "ordered") else space.values
