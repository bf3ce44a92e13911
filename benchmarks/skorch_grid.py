"""The grid of `regression_leaky` by skorch and scikit-learn's GridSearchCV, one search for each arm."""

import time

from benchmarks.problem import Problem


def leaky(units=10, dropout=0.5):
    """1-10-1 with LeakyReLU and dropout; the processes of the search find it by its name."""
    from torch import nn

    return nn.Sequential(nn.Linear(1, units), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(units, 1))


def grid_seconds(data_dir, epochs=None):
    """Seconds of both searches on all processors; `epochs` takes the place of the grid's."""
    import torch
    from joblib.externals.loky import get_reusable_executor
    from sklearn.model_selection import GridSearchCV, KFold
    from skorch import NeuralNetRegressor

    began = time.perf_counter()
    for arm, optimizer in {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}.items():
        problem = Problem("regression_leaky", data_dir, arm)
        task, settings = problem.task(), problem.study.settings
        estimator = NeuralNetRegressor(
            leaky, optimizer=optimizer, batch_size=settings["batch_size"], train_split=None, verbose=0
        )
        grid = {"lr": list(settings["learning_rate"].values),
                "max_epochs": [epochs] if epochs else list(settings["epochs"].values)}  # fmt: skip
        folds = KFold(problem.study.folds, shuffle=True, random_state=0)
        search = GridSearchCV(estimator, grid, scoring="r2", cv=folds, n_jobs=-1, error_score=0.0)
        search.fit(task.x.copy(), task.y.copy())
    seconds = time.perf_counter() - began
    get_reusable_executor().shutdown(kill_workers=True)  # or this process would wait for its workers for ever
    return seconds
