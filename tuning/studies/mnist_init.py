"""MNIST by a 784-500-400-10 net from zero, normal and Glorot weights: how a start decides (montreal-2020).

    python -m kerashw.tune --task mnist_init
"""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Published, Study

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
            published=Published("loss", 0.773, "montreal-2020"),
        ),
        glorot=dict(kernel_initializer="glorot_uniform", published=Published("loss", 0.519, "montreal-2020")),
    ),
)
