"""The grid of `regression_leaky` by skorch and scikit-learn's GridSearchCV, one search for each arm."""

import time

import torch
from sklearn.model_selection import GridSearchCV, KFold
from skorch import NeuralNetRegressor

from benchmarks.problem import Problem

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class Leaky(torch.nn.Sequential):
    """1-10-1 with LeakyReLU and dropout, by one argument each, as skorch wants it."""

    def __init__(self, units=10, dropout=0.5):
        super().__init__(
            torch.nn.Linear(1, units), torch.nn.LeakyReLU(), torch.nn.Dropout(dropout), torch.nn.Linear(units, 1)
        )


def grid_seconds(data_dir, epochs=None):
    """Seconds of both searches on all processors, start-up not counted; `epochs` takes the place of the grid's."""
    began = time.perf_counter()
    for arm, optimizer in OPTIMIZERS.items():
        problem = Problem("regression_leaky", data_dir, arm)
        task, settings = problem.task(), problem.study.settings
        estimator = NeuralNetRegressor(
            Leaky, optimizer=optimizer, batch_size=settings["batch_size"], train_split=None, verbose=0
        )
        grid = {"lr": list(settings["learning_rate"].values),
                "max_epochs": [epochs] if epochs else list(settings["epochs"].values)}  # fmt: skip
        folds = KFold(problem.study.folds, shuffle=True, random_state=0)
        search = GridSearchCV(estimator, grid, scoring="r2", cv=folds, n_jobs=-1, refit=True, error_score=0.0)
        search.fit(task.x.copy(), task.y.copy())
    return time.perf_counter() - began
