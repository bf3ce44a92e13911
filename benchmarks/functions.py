"""What Bayesian searches are compared on: three standard functions, and the regression study as a table of scores."""

import itertools
import math

import numpy as np

from kerashw.space import Bayesian, Choice, Real
from kerashw.study import Study

STEP = 10**0.25  # between two learning rates of the table
EPOCHS = 100  # of each score in the table


def branin(x):
    """Three equal minima of 0.398 for x in [-5, 10] x [0, 15].

    >>> round(branin((math.pi, 2.275)), 3)
    0.398
    """
    first, second = x
    bent = second - 5.1 / (4 * math.pi**2) * first**2 + 5 / math.pi * first - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(first) + 10


def hartmann(x):
    """Six local minima in the unit cube of six dimensions, the least -3.322.

    >>> round(hartmann((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)), 3)
    -3.322
    """
    widths = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
                       [17, 8, 0.05, 10, 0.1, 14]])  # fmt: skip
    centres = np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                        [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]) / 1e4  # fmt: skip
    return float(-np.array([1, 1.2, 3, 3.2]) @ np.exp(-(widths * (np.asarray(x) - centres) ** 2).sum(axis=1)))


def rosenbrock(x):
    """A bent valley in four dimensions, 0 at its bottom.

    >>> rosenbrock((1.0, 1.0, 1.0, 1.0))
    0.0
    """
    return sum(100 * (after - before**2) ** 2 + (1 - before) ** 2 for before, after in itertools.pairwise(x))


FUNCTIONS = {
    "Branin": (branin, [(-5.0, 10.0), (0.0, 15.0)]),
    "Hartmann 6": (hartmann, [(0.0, 1.0)] * 6),
    "Rosenbrock 4": (rosenbrock, [(-2.0, 2.0)] * 4),
}


def point(*, input_shape, outputs, x_1=0.0, x_2=0.0, x_3=0.0, x_4=0.0, x_5=0.0, x_6=0.0):
    """Stands where a study has its builder; nothing is ever built."""
    raise NotImplementedError("a point of a function is no model")


def study_of(name, trials, initial):
    """A study that searches a function's range, or the table of the regression study.

    >>> list(study_of("Branin", 20, None).searched)
    ['x_1', 'x_2']
    """
    search = Bayesian(trials=trials, initial=initial)
    if name == "regression":
        return _regression(search)
    settings = {f"x_{place}": Real(*ends) for place, ends in enumerate(FUNCTIONS[name][1], 1)}
    return Study(data="points", model=point, settings=settings, search=search)


def score_of(name, table):
    """The function from an oracle's values to their score, the lower the better."""
    if name == "regression":
        return lambda values: table[key(values)]
    function, ends = FUNCTIONS[name]
    return lambda values: function([values[f"x_{place}"] for place in range(1, len(ends) + 1)])


def key(values):
    """What the table goes by: the values in the order of their names, each as one number."""
    return tuple(round(float(values[name]), 9) for name in sorted(values))


def _regression(search):
    from kerashw.models import mlp

    return Study(
        data="regression", model=mlp, search=search, validation=0.25,
        settings=dict(
            hidden=(Choice(64, 128, 256), 64), activation="sigmoid", dropout=Choice(0.0, 0.25, 0.5),
            optimizer="adam", learning_rate=Real(1e-4, 1e-2, log=True, step=STEP), batch_size=Choice(8, 16, 32),
            epochs=EPOCHS,
        ),
    )  # fmt: skip


def grid():
    """Every point of the regression study on its grid, by the names of its settings."""
    searched = study_of("regression", 1, None).searched
    return [dict(zip(searched, values)) for values in itertools.product(*(space.values for space in searched.values()))]


def regression_table(data_dir, points, epochs=EPOCHS):
    """The validation MSE of points of the regression study, each trained for a few epochs."""
    from benchmarks.problem import Problem
    from kerashw.population import Member, train_together
    from kerashw.seeds import derive
    from kerashw.splits import split

    study = study_of("regression", 1, None)
    task = Problem("regression", data_dir).task()
    ((train, held),) = split(task.y, stratify=False, validation=study.validation, seed=derive(0, "split"))
    members = [Member({**study.filled(values), "epochs": epochs}, train, held, seed=number)
               for number, values in enumerate(points)]  # fmt: skip
    trained = train_together(study.model, members, task, keep_models=False)
    return {key(values): one.at_best()["val_mse"] for values, one in zip(points, trained)}
