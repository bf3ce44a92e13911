"""A search of 2,000 trials in one process, and the work and memory that each 500 of them take.

    python tests/many_driver.py FOLDER PATH TUNER MANY     PATH is fit, by trainings that train nothing, or population

It prints, as JSON, after every 500 trials: their number, statements to the state so far, and the most memory in MB.
"""

import contextlib
import json
import resource
import sys
from pathlib import Path

import numpy as np
from kill_driver import POINTS, quick_training

import tuning.pipeline
from kerashw.models import linear
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Bayesian, Random, Real
from kerashw.study import Study
from tuning import trials
from tuning.search import prepare, search

TUNERS = {"random": Random, "bayesian": Bayesian}


def main(folder, path, tuner, many):
    """One search, with a look at it now and then."""
    if path == "fit":
        trials.train = quick_training
    rates = dict(learning_rate=Real(1e-5, 1e-1, log=True), momentum=Real(0.0, 0.9), optimizer="sgd")
    study = Study(data="points", model=linear, search=TUNERS[tuner](trials=int(many)), together=path == "population", prune="median",
                  settings=dict(rates, batch_size=4, epochs=4))  # fmt: skip
    statements, found = [0], []

    class Watching(Progress):
        def trial_ended(self, trial, best):
            super().trial_ended(trial, best)
            if self.trials % (int(many) // 4) == 0:
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                found.append((self.trials, statements[0], memory))

    def count(statement):
        statements[0] += 1

    one = Run(Path(folder))
    one.folder.mkdir()
    one.begin({"tuner": tuner})
    setup = tuning.pipeline.make_setup(study, POINTS, one, seed=0, progress=Watching("", quiet=True))
    with contextlib.closing(one.store()) as store:
        store.database._connection.set_trace_callback(count)
        best = search(setup, store, prepare(setup))
        assert np.isfinite(best.score)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
