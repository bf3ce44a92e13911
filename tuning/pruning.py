"""Giving up on losers: a training that lies below the median of the earlier ones is not trained to its end."""

import numpy as np

from kerashw.objectives import OBJECTIVES

RUNGS = (0.25, 0.5, 0.75)  # of a training's epochs, where it is compared
LEAST = 3  # earlier trials, before there is a median to speak of

RULE = (
    "median: a training is given up after a quarter, a half or three quarters of its epochs, if by then its score was "
    f"worse than the median of what the earlier trials had reached by the same epoch ({LEAST} of them at least)"
)


class Medians:
    """What the trials so far had reached, epoch by epoch; a trial that was given up keeps what it had.

    Each training of a trial, by fold and execution, is compared with the same training of the others. So what is
    given up does not depend on the order in which trainings were run.
    """

    def __init__(self, store, objective, score_epoch):
        self.store, self.objective, self.score_epoch = store, objective, score_epoch
        self.curves = {}  # by (fold, execution)

    def learn(self, trial):
        """An ended trial counts from now on; a failed one does not."""
        if trial.status == "failed":
            return
        for done in trial.executions:
            place = (done.fold, done.execution)
            values = np.array(self.store.history(trial.number, *place)[self.objective], float)
            if self.score_epoch == "best":
                best = np.fmax if OBJECTIVES[self.objective] == "max" else np.fmin
                values = best.accumulate(values)
            self.curves.setdefault(place, []).append(values)

    def bars(self, place, epochs):
        """((epoch, what has to be reached by then), ...) for a training of so many epochs; none without enough others."""
        curves = self.curves.get(place, ())
        if len(curves) < LEAST:
            return ()
        rungs = sorted({max(1, round(share * epochs)) for share in RUNGS} - {epochs})
        return tuple((rung, float(np.median([curve[min(rung, len(curve)) - 1] for curve in curves]))) for rung in rungs)
