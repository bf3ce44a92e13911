"""1-D regression by ten LeakyReLU units with dropout, SGD against Adam, grid with 4 folds (padova-2021).

    python -m kerashw.tune --task regression_leaky
"""

from kerashw.models import mlp
from kerashw.space import Choice, Grid
from kerashw.study import Published, Study

STUDY = Study(
    data="regression",
    model=mlp,
    settings=dict(
        hidden=(10,),
        activation="leaky_relu",
        dropout=0.5,
        learning_rate=Choice(0.01, 0.001, 0.005, 0.1),
        batch_size=128,
        epochs=Choice(50, 100, 150),
    ),
    objective="val_r2",
    score_epoch="last",
    folds=4,
    search=Grid(),
    arms=dict(
        sgd=dict(optimizer="sgd", published=Published("val_r2", 0.955, "padova-2021")),
        adam=dict(optimizer="adam", published=Published("val_r2", 0.4176, "padova-2021")),
    ),
)
