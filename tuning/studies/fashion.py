"""Fashion-MNIST by a CNN of two wide convolutions, random search (padova-2022).

    python -m kerashw.tune --task fashion
"""

from kerashw.models import cnn
from kerashw.space import Choice, Random, Real
from kerashw.study import Published, Study

STUDY = Study(
    data="fashion",
    model=cnn,
    settings=dict(
        filters=(32, 64),
        kernel_size=5,
        pool=("max", None),
        hidden=(128,),
        dropout=0.3,
        optimizer=Choice("adam", "sgd", "rmsprop"),
        learning_rate=Real(1e-4, 1e-1, log=True),
        l2=Real(1e-5, 1e-1, log=True),
        batch_size=Choice(64, 128, 256),
        epochs=20,
    ),
    search=Random(trials=50),
    refit_epochs=100,
    # Around the report's final settings; a rate that falls to 0 makes up for the shorter refit.
    quick=dict(
        search=Random(trials=4),
        optimizer="adam",
        learning_rate=Real(3e-4, 2e-3, log=True),
        l2=Real(1e-6, 1e-4, log=True),
        epochs=2,
        schedule="cosine",
        refit_epochs=12,
    ),
    published=Published("test_accuracy", 0.92, "padova-2022"),
)
