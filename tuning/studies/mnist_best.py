"""MNIST with what an hour on two processors has room for: six nets of seven normalised convolutions, with augmentation.

    python -m kerashw.tune --task mnist_best --preset paper

With `--workers 2` trials and nets are trained two at a time. It is made for processors with AMX, where bfloat16 leaves
room for more epochs; where they have no instructions for it, try `--set dtype_policy=None`.
"""

from kerashw.augment import Augment
from kerashw.models import cnn
from kerashw.space import Bayesian, Real
from kerashw.study import Study

STUDY = Study(
    data="mnist",
    model=cnn,
    settings=dict(
        filters=(32, 48, 48, 96, 96, 96, 96),
        kernel_size=3,
        padding="same",
        pool=("max", None, "max", None, None, None, "max"),
        conv_dropout=(0, 0, 0.1, 0, 0, 0, 0.1),
        hidden=(128,),
        batch_normalization=True,
        dropout=Real(0.2, 0.5),
        augment=Augment(rotation=12, zoom=0.10, shear=6, width_shift=0.08, height_shift=0.08),
        optimizer="adamw",
        weight_decay=0.1,
        learning_rate=Real(5e-4, 5e-3, log=True),
        schedule="cosine",
        batch_size=128,
        dtype_policy="mixed_bfloat16",
        epochs=2,
    ),
    prune="median",
    search=Bayesian(trials=8, initial=5),
    refit_epochs=36,
    refits=6,
    ensemble=True,
    quick=dict(search=Bayesian(trials=2), epochs=1, dtype_policy=None, dropout=0.4, refit_epochs=4, refits=1, ensemble=False),
)
