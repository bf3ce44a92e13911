"""What every oracle of ours has in common: it is seeded anew for each proposal, so that a search can be replayed.

What an oracle proposes as number n depends on the run's seed, on n and on the ended trials: never on the clock,
on a file, or on how often the process was started. The state of the search is kept elsewhere (kerashw.store).
"""

import itertools

import numpy as np

from kerashw.errors import WorkError
from kerashw.seeds import derive
from kerashw.space import Real

RUNNING = {"status": "RUNNING"}
STOPPED = {"status": "STOPPED", "values": None}
IDLE = {"status": "IDLE", "values": None}


class Replayable:
    """An oracle without files and without a retry of its own, seeded anew for each proposal."""

    recorded = {}  # the values that trials of an earlier process had, by their numbers
    batch = 1  # trials that are asked for at once
    learns = True  # whether what it proposes depends on what it was told
    in_flight = False  # whether it is asked for more while some are being trained

    def prepare(self, study, seed):
        """The oracle for a run's seed; None trials mean as many as the space or the brackets hold."""
        self.run_seed = seed
        self.scores, self.others = {}, {}  # of the trials that were told: their values by the objective, by further ones
        self._random_state = np.random.RandomState()
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
        self._random_state.seed(self._seed_state)
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

    def score_trial(self, trial):
        """KerasTuner keeps a history of every metric for it; here a trial is told of once."""
        trial.score, trial.best_step = self.scores[trial.trial_id], 0

    def _check_consecutive_failures(self):
        """Nothing: KerasTuner goes through all trials at every result; a search here has a rule of its own."""

    def save(self):
        pass

    def _save_trial(self, trial):
        pass


def _encoded(hp, name, space):
    """The values of one axis of a grid as `hp` writes them."""
    known = next(known for known in hp.space if known.name == name)
    if isinstance(space, Real):
        return list(map(float, space.values))
    return known.values if hasattr(known, "ordered") else space.values
