"""1-D regression from 100 noisy points by two sigmoid layers, Bayesian search (padova-2020).

    python -m kerashw.tune --task regression
"""

from kerashw.models import mlp
from kerashw.space import Bayesian, Choice, Int, Real
from kerashw.study import Published, Study

STUDY = Study(
    data="regression",
    model=mlp,
    settings=dict(
        hidden=(Choice(64, 128, 256), Choice(64, 128, 256)),
        activation="sigmoid",
        dropout=Real(0.0, 0.5),
        optimizer="adam",
        learning_rate=Real(1e-4, 1e-2, log=True),
        batch_size=Int(4, 40),
        l2=1e-5,
        epochs=1500,
    ),
    validation=0.25,
    # The space is the report's, what keeps the curve calm where no training point lies is ours: a little L2; trials
    # scored by their last epoch, as the refit has no other to go by; the mean of the last weights, which is without the
    # noise of each; and the mean of several networks, each of which guesses otherwise what lies in a gap.
    score_epoch="last",
    search=Bayesian(trials=400),
    refit_epochs=2500,
    refit_average=0.25,
    refits=8,
    ensemble=True,
    quick=dict(
        search=Bayesian(trials=12, initial=8),
        hidden=(64, 256),
        dropout=0.0,
        l2=Real(3e-6, 1e-4, log=True),
        learning_rate=Real(4e-3, 1e-2, log=True),
        batch_size=Int(8, 16),
        epochs=2500,
        folds=5,
        prune=None,
        refits=1,
        ensemble=False,
    ),
    published=Published("test_mse", 0.070817, "padova-2020"),
)
