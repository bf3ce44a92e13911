"""MNIST by a 784-500-400-10 net from zero, normal and Glorot weights: how a start decides (montreal-2020).

    python -m kerashw.tune --task mnist_init
"""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Published, Study

NORMAL = (2.058, 1.644, 1.385, 1.209, 1.121, 1.023, 0.899, 0.835, 0.822, 0.773)
GLOROT = (1.935, 1.568, 1.257, 0.994, 0.832, 0.724, 0.649, 0.594, 0.552, 0.519)


def published(*losses):
    """The training loss of each epoch, the last of which is the result."""
    return Published("loss", losses[-1], "montreal-2020", per_epoch=losses)


STUDY = Study(
    data="mnist",
    model=mlp,
    settings=dict(hidden=(500, 400), optimizer="sgd", learning_rate=7e-4, batch_size=64, epochs=10),
    score_epoch="last",
    refit="stop",
    search=Grid(),
    quick=dict(epochs=4),
    arms=dict(
        zero=dict(kernel_initializer="zeros", published=Published("loss", 2.30256, "montreal-2020")),
        normal=dict(
            kernel_initializer=dict(class_name="RandomNormal", config=dict(mean=0.0, stddev=1.0)),
            published=published(*NORMAL),
        ),
        glorot=dict(kernel_initializer="glorot_uniform", published=published(*GLOROT)),
    ),
)
