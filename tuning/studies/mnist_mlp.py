"""MNIST by a 784-128-64-10 net (padova-2020).

    python -m kerashw.tune --task mnist_mlp
"""

from kerashw.models import mlp
from kerashw.space import Choice, Random, Real
from kerashw.study import Published, Study

STUDY = Study(
    data="mnist",
    model=mlp,
    settings=dict(
        hidden=(128, 64),
        optimizer="adam",
        learning_rate=Real(1e-4, 1e-2, log=True),
        batch_size=Choice(64, 128, 256),
        epochs=20,
    ),
    search=Random(trials=20),
    quick=dict(
        search=Random(trials=4), learning_rate=Real(5e-4, 3e-3, log=True), epochs=3, schedule="cosine", refit_epochs=12
    ),
    published=Published("test_accuracy", 0.97, "padova-2020"),
)
