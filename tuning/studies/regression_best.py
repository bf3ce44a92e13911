"""1-D regression by two sigmoid layers again, with what keeps the curve calm in the gaps of the data.

    python -m kerashw.tune --task regression_best --preset paper
"""

from kerashw.models import mlp
from kerashw.space import Bayesian, Choice, Int, Real
from kerashw.study import Study

STUDY = Study(
    data="regression",
    model=mlp,
    settings=dict(
        hidden=(Choice(64, 128, 256), Choice(64, 128, 256)),
        activation="sigmoid",
        l2=Real(3e-6, 1e-4, log=True),
        optimizer="adam",
        learning_rate=Real(1e-3, 1e-2, log=True),
        batch_size=Int(4, 40),
        epochs=2500,
    ),
    # Scored by the last epoch, as the refit has no other to go by: the best one of 2,500 hides that a curve goes wild.
    # Folds do not see the gaps, so L2 is kept from vanishing; a score of one training is mostly noise.
    folds=5,
    score_epoch="last",
    executions=2,
    search=Bayesian(trials=60),
    refit_average=0.25,
    refits=8,
    quick=dict(search=Bayesian(trials=12, initial=8), hidden=(64, 256), executions=1, prune=None),
)
