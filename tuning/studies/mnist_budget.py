"""MNIST by two hidden layers within half a million to a million parameters, grid of 72 (montreal-2020).

    python -m kerashw.tune --task mnist_budget
"""

from kerashw.models import mlp
from kerashw.space import Choice, Grid, Random
from kerashw.study import Published, Study

STUDY = Study(
    data="mnist",
    model=mlp,
    settings=dict(
        learning_rate=Choice(0.1, 0.01, 0.001),
        batch_size=Choice(16, 32, 64),
        hidden=(Choice(400, 500, 600), Choice(400, 500, 600)),
        optimizer="sgd",
        epochs=15,
    ),
    parameters=(500_000, 1_000_000),
    search=Grid(),
    quick=dict(search=Random(trials=8), epochs=2, refit_epochs=10),
    published=Published("val_accuracy", 0.9842, "montreal-2020"),
)
