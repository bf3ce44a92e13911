"""MNIST by three convolutions against the best MLP, and with dropout against without (montreal-2020).

    python -m kerashw.tune --task mnist_deep
"""

from kerashw.models import cnn, mlp
from kerashw.space import Grid
from kerashw.study import Published, Study

CONVOLUTIONS = dict(
    model=cnn, filters=(20, 30, 40), kernel_size=(5, 4, 3), pool=("max", None, "max"), hidden=(500,)
)
PUBLISHED = Published("val_accuracy", 0.98, "montreal-2020")

STUDY = Study(
    data="mnist",
    model=cnn,
    # A refit has no epoch to pick: with a rate that stays, three of the CNN had 98.5 to 99.0 % on the test items.
    settings=dict(optimizer="sgd", learning_rate=0.1, schedule="cosine", batch_size=64, epochs=10),
    search=Grid(),
    quick=dict(epochs=2),
    arms=dict(
        cnn=dict(CONVOLUTIONS, published=PUBLISHED),
        cnn_dropout=dict(CONVOLUTIONS, conv_dropout=(0, 0, 0.25), dropout=0.5, published=PUBLISHED),
        mlp=dict(model=mlp, hidden=(600, 400), batch_size=16, published=PUBLISHED),
    ),
)
