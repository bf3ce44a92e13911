"""A straight line and a polynomial through the regression points, before and after 100 steps (padova-2021).

    python -m kerashw.tune --task regression_linear
"""

from kerashw.models import linear
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(
    data="regression",
    model=linear,
    settings=dict(scale=5.0, optimizer="sgd", learning_rate=0.1, batch_size=100, epochs=100),
    score_epoch="last",
    search=Grid(),
    arms=dict(line=dict(degree=1), polynomial=dict(degree=5)),
)
