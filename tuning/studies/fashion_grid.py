"""Fashion-MNIST by a small CNN with dropout, grid around one good point, early stopping (padova-2021b).

    python -m kerashw.tune --task fashion_grid
"""

from kerashw.models import cnn
from kerashw.space import Choice, Grid
from kerashw.study import Published, Study

STUDY = Study(
    data="fashion",
    model=cnn,
    settings=dict(
        filters=(32, 48), kernel_size=3, hidden=(128, 256), dropout=0.2,
        optimizer="adam", learning_rate=Choice(3e-4, 1e-4, 3e-5), l2=Choice(1e-8, 1e-7, 1e-6),
        batch_size=64, epochs=15, patience=3,
    ),
    search=Grid(),
    refit_average=0.25,  # the rate stays as it is to the end, so the last weights are one draw of many
    quick=dict(l2=1e-7, epochs=3, refit_epochs=8),
    published=Published("test_accuracy", 0.898, "padova-2021b"),
)  # fmt: skip
