"""Fashion-MNIST with spatial dropout: four optimizers side by side, and a grid with 4 folds (padova-2021).

    python -m kerashw.tune --task fashion_spatial
"""

from kerashw.models import cnn
from kerashw.space import Choice, Grid
from kerashw.study import Published, Study

STUDY = Study(
    data="fashion",
    model=cnn,
    settings=dict(
        filters=(10, 20), kernel_size=5, spatial_dropout=(0, 0.5), hidden=(50,),
        learning_rate=0.001, batch_size=128, epochs=50,
    ),
    search=Grid(),
    quick=dict(epochs=2),
    arms=dict(
        sgd=dict(optimizer="sgd", learning_rate=0.01, momentum=0.9),
        rmsprop=dict(optimizer="rmsprop"),
        adam=dict(optimizer="adam"),
        adadelta=dict(optimizer="adadelta", learning_rate=1.0),
        grid=dict(
            optimizer="sgd", momentum=0.9, learning_rate=Choice(0.001, 0.005, 0.01), epochs=Choice(50, 100),
            folds=4, score_epoch="last", published=Published("val_accuracy", 0.738, "padova-2021"),
        ),
    ),
)  # fmt: skip
