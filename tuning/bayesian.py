"""KerasTuner's Bayesian oracle with a Gaussian process of ours, for batches and after a coarse grid."""

import functools

import keras_tuner
import numpy as np

from kerashw.narrowing import coarse_grid, narrowed
from kerashw.objectives import cost_sign
from kerashw.seeds import derive
from tuning.gaussian import suggest
from tuning.replayable import RUNNING, STOPPED, Replayable
from tuning.scalarisation import scalarised


class BayesianOracle(Replayable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Faster than KerasTuner's own, for batches, and categories have no order.

    All of a batch learns from the trials before it; the points drawn at first are one batch. Where a coarse grid comes
    first, its points take their place, and all that is suggested later lies where the best of them do.
    """

    coarse = None  # values of each range in the grid that comes first
    directions = ("min",)  # of the objectives; several are brought down to one score, anew for each proposal

    @property
    def drawn(self):
        """How many points are drawn by chance, or lie on the grid, before there is something to learn from."""
        return len(self.grid) if self.coarse else max(self.num_initial_points or 3 * len(self.names), 2)

    @functools.cached_property
    def grid(self):
        """The points of the coarse grid."""
        return coarse_grid({hp.name: _plain(hp) for hp in self.hyperparameters.space}, self.coarse)

    def narrow(self, known, scores):
        """Of each setting what the grid has left: the ends of its range, or its values, as numbers in [0, 1].

        None where all of the grid failed, which says nothing of where to look.
        """
        trials = [(trial.hyperparameters.values, score) for trial, score in zip(known, scores)
                  if int(trial.trial_id) < self.drawn]  # fmt: skip
        if not trials:
            return None
        spaces = {hp.name: _plain(hp) for hp in self.hyperparameters.space}
        found = narrowed(spaces, trials, "min", cells=self.coarse)
        return [_chances_left(hp, found[hp.name]) for hp in self.hyperparameters.space]

    def batch_of(self, number):
        if self.batch == 1:
            return number, number + 1
        if number < self.drawn:
            return 0, self.drawn
        first = self.drawn + (number - self.drawn) // self.batch * self.batch
        return first, first + self.batch

    def propose(self, trial_id):
        number = int(trial_id)
        if self.coarse and number < self.drawn:
            return {**RUNNING, "values": dict(self.grid[number])}
        first, end = self.batch_of(number)
        earlier = [trial for name, trial in self.trials.items() if int(name) < first]
        known = [trial for trial in earlier if trial.status == "COMPLETED"]
        pending = [trial for trial in earlier if trial.status == "RUNNING"]  # in flight
        if len(known) < 2 or len(known) + len(pending) < (2 if self.coarse else self.drawn):
            return self._random_populate_space()
        if number in self.recorded:  # nothing to learn from fitting the process again
            return {**RUNNING, "values": dict(self.recorded[number])}
        if self.has_several:
            # Each proposal has weights of its own, and with them a kernel of its own.
            pending = [trial for trial in self.trials.values() if trial.status == "RUNNING"]
            (proposals,) = self._suggest(number, 1, known, self._scalarised(known, number), pending, kernels={})
        else:
            if first not in self.suggested:
                sign = cost_sign(self.objective.direction)
                scores = np.array([sign * trial.score for trial in known])
                self.suggested = {first: self._suggest(first, end - first, known, scores, pending, self.kernels)}
            proposals = self.suggested[first][number - first]
        fresh = next((values for values in proposals if not self._duplicate(values)), None) or self._random_values()
        return {**RUNNING, "values": fresh} if fresh else STOPPED

    @property
    def has_several(self):
        """Whether there are several objectives."""
        return len(self.directions) > 1

    def _scalarised(self, known, number):
        """The known trials' scores by all objectives, as they count for the proposal of that number; less is better."""
        values = [(trial.score, *self.others[trial.trial_id]) for trial in known]
        signs = [cost_sign(direction) for direction in self.directions]
        return scalarised(values, signs, seed=derive(self.run_seed, "weights", number))

    def _suggest(self, number, count, known, scores, pending, kernels):
        """What the process suggests for so many places from that number on."""
        left = self.narrow(known, scores) if self.coarse else None
        chances = [self._chances(trial.hyperparameters.values) for trial in known]
        return suggest(
            np.array([self._columns(one) for one in chances]), scores,
            lambda generator, near: self._candidate(generator, None if near is None else chances[near], left),
            count=count, seed=derive(self.run_seed, "batch", number), kernels=kernels,
            pending=[self._columns(self._chances(trial.hyperparameters.values)) for trial in pending],
        )

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

    def _candidate(self, generator, near, left):
        """(columns, values) of a point drawn from anywhere in what is left, or from around another."""
        chances = generator.random(len(self.names))
        if near is not None:
            ordered = np.array([getattr(hp, "ordered", True) for hp in self.hyperparameters.space])
            moved = near + 0.1 * generator.standard_normal(len(near))
            keeps = ordered | (generator.random(len(near)) < 0.8)
            chances = np.where(keeps, np.where(ordered, moved, near), chances)
        chances = np.clip(chances, 0.0, 1.0 - 1e-9)
        if left is not None:
            chances = [_within(own, chance, near is not None) for own, chance in zip(left, chances)]
        values = {hp.name: hp.prob_to_value(chance) for hp, chance in zip(self.hyperparameters.space, chances)}
        return self._columns(self._chances(values)), values


def _plain(hp):
    """The space of a KerasTuner hyperparameter as study.json would have it."""
    if hasattr(hp, "ordered"):
        return {"choice": list(hp.values)}
    return {type(hp).__name__.lower().replace("float", "real"): {
        "low": hp.min_value, "high": hp.max_value, "log": hp.sampling == "log", "step": None}}  # fmt: skip


def _chances_left(hp, space):
    """What of a hyperparameter is left: the ends of its range, or the values of its choice, as numbers in [0, 1]."""
    if not isinstance(space, dict):
        return [hp.value_to_prob(space)]
    ((kind, inner),) = space.items()
    if kind == "choice":
        return [hp.value_to_prob(value) for value in inner]
    return hp.value_to_prob(inner["low"]), hp.value_to_prob(inner["high"])


def _within(left, chance, is_near):
    """A number in [0, 1] brought to what is left: one near a known point stays, the others are spread anew."""
    if isinstance(left, tuple):
        low, high = left
        return min(max(chance, low), high) if is_near else low + chance * (high - low)
    return left[min(int(chance * len(left)), len(left) - 1)] if chance not in left else chance
