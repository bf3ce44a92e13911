"""1-D regression by a 10-20-10 net, random search scored by 5-fold cross-validation (padova-2022).

    python -m kerashw.tune --task regression_cv
"""

from kerashw.models import mlp
from kerashw.space import Choice, Random, Real
from kerashw.study import Published, Study

STUDY = Study(
    data="regression",
    model=mlp,
    settings=dict(
        hidden=(10, 20, 10),
        activation=Choice("relu", "leaky_relu", "sigmoid", "tanh"),
        optimizer=Choice("adam", "sgd", "rmsprop"),
        learning_rate=Real(1e-4, 1e-1, log=True),
        l2=Real(1e-5, 1e-1, log=True),
        batch_size=Choice(4, 8, 10, 12),
        epochs=150,
    ),
    folds=5,
    search=Random(trials=300),
    refit_average=0.25,  # 8 refits of a search's winner: a test MSE of 0.13 ± 0.05, without 0.20 ± 0.14
    quick=dict(search=Random(trials=100)),
    published=Published("test_mse", 0.112, "padova-2022"),
)
