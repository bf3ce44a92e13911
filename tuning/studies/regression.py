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
    quick=dict(
        search=Bayesian(trials=24, initial=12),
        dropout=0.0,
        learning_rate=Real(1e-3, 1e-2, log=True),
        batch_size=Int(4, 16),
        epochs=3000,
    ),
    published=Published("test_mse", 0.070817, "padova-2020"),
)
