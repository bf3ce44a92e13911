"""MNIST by a 784-500-400-10 net whose gradients are to be checked by finite differences (montreal-2020).

    python -m kerashw.tune --task mnist_gradcheck
"""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(
    data="mnist",
    model=mlp,
    settings=dict(hidden=(500, 400), optimizer="sgd", learning_rate=0.1, batch_size=64, epochs=10),
    search=Grid(),
    gradient_check=True,
    quick=dict(epochs=3),
)
