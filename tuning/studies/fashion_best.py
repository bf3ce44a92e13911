"""Fashion-MNIST with what an hour on two processors has room for: five normalised convolutions, flips, a cosine schedule.

    python -m kerashw.tune --task fashion_best --preset paper

It is made for processors with AMX, as bfloat16 is fast there; where they have no instructions for it, try
`--set dtype_policy=None`.
"""

from kerashw.augment import Augment
from kerashw.models import cnn
from kerashw.space import Bayesian, Choice, Real
from kerashw.study import Study

STUDY = Study(
    data="fashion",
    model=cnn,
    settings=dict(
        filters=(32, 48, 48, 96, 96),
        kernel_size=3,
        padding="same",
        pool=("max", None, "max", None, "max"),
        conv_dropout=(0.05, 0, 0.1, 0, 0.2),
        hidden=(128,),
        batch_normalization=True,
        dropout=Real(0.2, 0.5),
        augment=Augment(horizontal_flip=True, zoom=0.05, width_shift=0.07, height_shift=0.07),
        optimizer="adamw",
        weight_decay=0.02,
        learning_rate=Real(5e-4, 5e-3, log=True),
        schedule="cosine",
        batch_size=Choice(64, 128),
        dtype_policy="mixed_bfloat16",
        epochs=2,
    ),
    prune="median",
    search=Bayesian(trials=8, initial=5),
    refit_epochs=45,
    quick=dict(search=Bayesian(trials=2), epochs=1, dtype_policy=None, batch_size=128, dropout=0.4, refit_epochs=4),
)
