"""What may vary (Choice, Real, Int) and how it is searched (Grid, Random, Bayesian, Hyperband): plain data.

    settings = dict(hidden=Choice((64,), (128, 64)), learning_rate=Real(1e-4, 1e-2, log=True), momentum=0.9)
    search = Bayesian(trials=50)
"""

import math
import sys
from dataclasses import dataclass

from kerashw.errors import UsageError


def _number(owner, field, value, *, whole=False):
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not abs(value) <= sys.float_info.max:
        kind = "a whole number" if whole else "a finite number"
        raise UsageError(f"{owner}: {field} must be {kind}, got {value!r}.")


def _range(self, *, whole):
    name = type(self).__name__
    _number(name, "low", self.low, whole=whole)
    _number(name, "high", self.high, whole=whole)
    if self.low >= self.high:
        raise UsageError(f"{name}({self.low}, {self.high}): low must lie below high; a constant needs no {name}.")
    if self.log and self.low <= 0:
        raise UsageError(f"{name}({self.low}, {self.high}, log=True): a logarithmic range starts above 0.")
    if self.step is not None:
        _number(name, "step", self.step, whole=whole)
        least = 1 if self.log else 0
        if self.step <= least:
            raise UsageError(f"{name}: step must be above {least}{' (a factor)' if self.log else ''}, got {self.step}.")


def _values(self):
    """The values of a stepped range: low, low + step, ... or, on a log scale, low, low * step, ..."""
    count = (
        int(math.log(self.high / self.low, self.step) + 1e-9)
        if self.log
        else int((self.high - self.low) / self.step + 1e-9)
    )
    return tuple(self.low * self.step**i if self.log else self.low + self.step * i for i in range(count + 1))


@dataclass(frozen=True, init=False)
class Choice:
    """One of the values given: names, numbers, tuples, None; without an order between them unless all are numbers.

    >>> Choice("adam", "sgd").values
    ('adam', 'sgd')
    """

    values: tuple

    def __init__(self, *values):
        object.__setattr__(self, "values", values)
        if len(values) < 2:
            raise UsageError(f"Choice{values!r}: give at least two values; a single one is written as a constant.")
        for value in values:
            if isinstance(value, (list, dict, set, Choice, Real, Int)):
                raise UsageError(f"Choice: {value!r} cannot be chosen; use numbers, text, None or tuples of these.")
        as_text, as_numbers = map(str, values), (v if type(v) in (int, float) else str(v) for v in values)
        if min(len(set(as_text)), len(set(as_numbers))) < len(values):
            raise UsageError(f"Choice{values!r}: a value stands in it twice.")

    def __repr__(self):
        return f"Choice({', '.join(map(repr, self.values))})"


@dataclass(frozen=True)
class Real:
    """A real number from low to high, both included; `log=True` spreads it over the orders of magnitude.

    >>> Real(0.1, 0.5, step=0.2).values
    (0.1, 0.30000000000000004, 0.5)
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self):
        _range(self, whole=False)

    @property
    def values(self):
        """The values a grid visits; only a stepped range has them."""
        return _values(self)


@dataclass(frozen=True)
class Int:
    """A whole number from low to high, both included; `step` adds, or multiplies where `log=True`.

    >>> Int(16, 64, log=True, step=2).values
    (16, 32, 64)
    """

    low: int
    high: int
    log: bool = False
    step: int | None = None

    def __post_init__(self):
        _range(self, whole=True)

    @property
    def values(self):
        """The values a grid visits: every whole number where no step is given."""
        return tuple(range(self.low, self.high + 1)) if self.step is None else _values(self)


VARIES = (Choice, Real, Int)


def _positive(self, *fields):
    for field in fields:
        value = getattr(self, field)
        if value is not None:
            _number(type(self).__name__, field, value, whole=True)
            if value < 1:
                raise UsageError(f"{type(self).__name__}: {field} must be at least 1, got {value}.")


@dataclass(frozen=True)
class Grid:
    """Every combination, in the order of the settings; `trials` ends it early."""

    trials: int | None = None
    name = "grid"

    def __post_init__(self):
        _positive(self, "trials")


@dataclass(frozen=True)
class Random:
    """Independent draws, none of them twice."""

    trials: int
    name = "random"

    def __post_init__(self):
        _positive(self, "trials")


@dataclass(frozen=True)
class Bayesian:
    """Draws that a Gaussian process directs after `initial` random ones (three per searched setting by default).

    With `coarse` a grid of so many values of each range comes first instead, and the draws keep to where its best
    quarter lies. `trials` counts the grid as well.
    """

    trials: int
    initial: int | None = None
    coarse: int | None = None
    name = "bayesian"

    def __post_init__(self):
        _positive(self, "trials", "initial", "coarse")
        if self.coarse == 1:
            raise UsageError("Bayesian: coarse must be at least 2 values of each range, or None, got 1.")
        if self.coarse and self.initial:
            raise UsageError("Bayesian: the points of the coarse grid are the initial ones; leave `initial` out.")


@dataclass(frozen=True)
class Hyperband:
    """Many short trainings; one in `factor` of them goes on for `factor` times as long, up to the setting `epochs`.

    `trials` ends it early; without it, `iterations` whole sweeps decide.
    """

    factor: int = 3
    iterations: int = 1
    trials: int | None = None
    name = "hyperband"

    def __post_init__(self):
        _positive(self, "factor", "iterations", "trials")
        if self.factor < 2:
            raise UsageError(f"Hyperband: factor must be at least 2, got {self.factor}.")


SEARCHES = {search.name: search for search in (Hyperband, Bayesian, Random, Grid)}
