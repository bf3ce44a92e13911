"""1-D regression by a wide 256-512-768 net, grid with cross-validation and early stopping (padova-2021b).

    python -m kerashw.tune --task regression_wide
"""

from kerashw.models import mlp
from kerashw.space import Choice, Grid
from kerashw.study import Published, Study

STUDY = Study(
    data="regression",
    model=mlp,
    settings=dict(
        hidden=(256, 512, 768),
        activation=("tanh", "softplus", "relu"),
        # As the report's framework draws weights. From Keras's own start the first layer is next to linear: refits at
        # batch 16 and a rate of 0.0015 had a test MSE of 0.43 ± 0.05 from there, and of 0.18 ± 0.15 from here.
        kernel_initializer=dict(
            class_name="VarianceScaling", config=dict(scale=1 / 3, mode="fan_in", distribution="uniform")
        ),
        optimizer="adam",
        learning_rate=Choice(0.001, 0.0013, 0.0015),
        weight_decay=Choice(1e-5, 1e-7),
        batch_size=Choice(16, 32, 64),
        epochs=500,
        patience=400,
    ),
    folds=5,
    search=Grid(),
    refit_average=0.25,  # the same with the mean of the last weights: 0.089 ± 0.025
    quick=dict(epochs=100, patience=80),
    published=Published("test_mse", 0.122, "padova-2021b"),
)
