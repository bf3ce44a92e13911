"""MNIST by a small CNN with average pooling and augmentation, Bayesian search (padova-2020).

    python -m kerashw.tune --task mnist
"""

from kerashw.augment import Augment
from kerashw.models import cnn
from kerashw.space import Bayesian, Int, Real
from kerashw.study import Published, Study

STUDY = Study(
    data="mnist",
    model=cnn,
    settings=dict(
        filters=(10, 20),
        kernel_size=5,
        pool="average",
        hidden=(160,),
        augment=Augment(rotation=20, zoom=0.10, width_shift=0.05, height_shift=0.05),
        optimizer="sgd",
        learning_rate=Real(1e-4, 1e-2, log=True),
        momentum=Real(0.0, 0.99),
        weight_decay=Real(1e-8, 1e-1, log=True),
        batch_size=Int(4, 400, log=True),
        epochs=20,
    ),
    search=Bayesian(trials=300),
    # The corner of the space in which the report's long search ended, so that a few trials are enough.
    quick=dict(
        search=Bayesian(trials=6, initial=5),
        learning_rate=Real(2e-3, 1e-2, log=True),
        momentum=Real(0.8, 0.95),
        weight_decay=Real(1e-8, 1e-3, log=True),
        batch_size=Int(16, 64, log=True),
        epochs=2,
        schedule="cosine",
        refit_epochs=15,
    ),
    published=Published("test_accuracy", 0.9946, "padova-2020"),
)
