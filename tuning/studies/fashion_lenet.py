"""Fashion-MNIST by a LeNet without tuning: the baseline (padova-2021).

    python -m kerashw.tune --task fashion_lenet
"""

from kerashw.models import cnn
from kerashw.space import Grid
from kerashw.study import Published, Study

STUDY = Study(
    data="fashion",
    model=cnn,
    settings=dict(
        filters=(6, 16), kernel_size=3, hidden=(120, 84), optimizer="sgd", learning_rate=0.01, batch_size=64, epochs=100
    ),
    search=Grid(),
    quick=dict(epochs=8),
    published=Published("val_accuracy", 0.60, "padova-2021"),
)
