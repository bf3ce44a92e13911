"""Study: one frozen declaration of what to tune, on which data, and how; it checks itself."""

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace

from kerashw.errors import UsageError, closest
from kerashw.narrowing import coarse_grid
from kerashw.objectives import check_objectives
from kerashw.settings import GIVEN, TRAINING, builder_keywords, check_setting
from kerashw.space import SEARCHES, VARIES, Bayesian, Choice, Grid, Hyperband, Real


@dataclass(frozen=True)
class Published:
    """The number a report states, to stand beside ours: the metric, its value and where it comes from."""

    metric: str
    value: float
    report: str
    per_epoch: tuple | None = None  # where the report has the whole curve


@contextlib.contextmanager
def _naming(part):
    """Faults in the body are told as faults of that part of the declaration."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{part}: {error}") from None


def _varying_parts(name, value):
    """The searched parts of one setting: itself, or the members of a tuple such as (Choice(...), 64)."""
    if isinstance(value, VARIES):
        yield name, value
    elif isinstance(value, tuple):
        for place, part in enumerate(value, 1):
            if isinstance(part, VARIES):
                yield f"{name}_{place}", part


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked: data, model, settings and search. A setting that is a Choice, Real or Int is searched.

    >>> from kerashw.models import mlp
    >>> from kerashw.space import Random, Real
    >>> study = Study(
    ...     data="regression", model=mlp, search=Random(trials=4),
    ...     settings=dict(hidden=(8,), learning_rate=Real(1e-3, 1e-1, log=True), epochs=5),
    ... )
    >>> list(study.searched)
    ['learning_rate']
    """

    data: str
    model: Callable
    settings: Mapping
    search: object
    objective: str | None = None  # by default val_accuracy for classes, val_mse for numbers
    objectives: tuple | None = None  # in its place: several, such as ("val_accuracy", "parameters"), the first leading
    winner: str | int | None = None  # of several objectives: "knee", "best" by the first, or a trial's number
    folds: int = 0  # 0: one hold-out part of size `validation`; otherwise cross-validation
    validation: float = 0.2
    executions: int = 1  # trainings per setting and fold, with other seeds
    score_epoch: str = "best"  # the epoch whose score counts: "best" or "last"
    prune: str | None = None  # "median": give up trials below the median of the earlier ones; Hyperband has its own way
    refit: str = "all"  # "all": on train + validation; "stop": on train, best epoch by the validation part
    refit_epochs: int | None = None  # by default as many as the search found best
    refit_average: float = 0.0  # the share of the refit's last epochs over which its weights are averaged
    refits: int = 1  # trainings of the winner with a seed each; the first gives the model, all of them the spread
    ensemble: bool = False  # whether all of them give the model, which answers with the mean of their answers
    parameters: tuple | None = None  # the least and the most trainable parameters allowed
    together: bool | None = None  # whether trainings share one loop; by default where model and data are small, in float32
    samples: int | None = None  # use only so many training items
    published: Published | None = None
    gradient_check: bool = False  # of the refitted model, by finite differences on one training item
    arms: Mapping = field(default_factory=dict)  # name -> changes; each arm is searched on its own
    quick: Mapping = field(default_factory=dict)  # the changes of the preset that ends within ten minutes

    def __post_init__(self):
        for name in ("settings", "arms", "quick"):
            if not isinstance(getattr(self, name), Mapping):
                raise UsageError(f"{name} must be a dict, got {getattr(self, name)!r}.")
            object.__setattr__(self, name, dict(getattr(self, name)))
        if self.arms:
            for name, changes in self.arms.items():
                if not isinstance(name, str) or not name.isidentifier():
                    raise UsageError(f"arm {name!r}: a name of letters, digits and _ is needed; it names a folder.")
                if not isinstance(changes, Mapping):
                    raise UsageError(f"arm {name!r} must be a dict of changes, got {changes!r}.")
                with _naming(f"arm {name!r}"):
                    arm = self.arm(name)
                if (arm.data, arm.samples) != (self.data, self.samples):
                    raise UsageError(
                        f"arm {name!r} has data={arm.data!r}, samples={arm.samples!r}, the study {self.data!r}, "
                        f"{self.samples!r}: arms are compared on the same items; make it a study of its own."
                    )
            return
        self._check_fields()
        self._check_settings()
        self._check_search()
        if self.quick:
            with _naming("quick"):
                self.at("quick")

    def _check_fields(self):
        whole = dict(folds=0, executions=1, refit_epochs=1, refits=1, samples=1)
        for name, least in whole.items():
            value = getattr(self, name)
            if value is None and name in ("refit_epochs", "samples"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}.")
        if self.folds == 1:
            raise UsageError("folds must be 0 (one hold-out part) or at least 2, got 1.")
        if not isinstance(self.validation, (int, float)) or not 0 < self.validation < 1:
            raise UsageError(f"validation is the fraction held out, between 0 and 1, got {self.validation!r}.")
        share = self.refit_average
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise UsageError(f"refit_average is a share of the epochs, from 0 to 1, got {share!r}.")
        if share and self.refit != "all":
            raise UsageError(f"refit_average={share} is for refit='all': refit={self.refit!r} takes its best epoch.")
        for name, allowed in dict(
            score_epoch=("best", "last"), refit=("all", "stop"), prune=("median", None)
        ).items():  # fmt: skip
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}.")
        for name in ("gradient_check", "ensemble"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} must be True or False, got {getattr(self, name)!r}.")
        if self.ensemble and self.refits == 1:
            raise UsageError("an ensemble is made of several refits, and refits=1: let there be more (--ensemble 5), or a "
                             "single network (--ensemble 1, in a study ensemble=False).")  # fmt: skip
        if self.ensemble and self.parameters is not None:
            raise UsageError("an ensemble has the parameters of all its networks, and parameters=(least, most) is of one: "
                             "leave one of them out.")  # fmt: skip
        check_objectives(self.objective, self.objectives, self.winner)
        if self.parameters is not None:
            pair = self.parameters
            if not isinstance(pair, tuple) or len(pair) != 2 or any(type(end) is not int for end in pair):
                raise UsageError(f"parameters must be two whole numbers, (least, most), got {pair!r}.")
            if not 0 <= pair[0] <= pair[1]:
                raise UsageError(f"parameters=(least, most) must be in order, got {pair!r}.")
        if not isinstance(self.data, str) or not self.data.strip():
            raise UsageError(f"data must be the name of a data set, such as 'mnist', got {self.data!r}.")
        if self.published is not None and not isinstance(self.published, Published):
            raise UsageError(f"published must be Published(metric, value, report), got {self.published!r}.")
        if not inspect.isfunction(self.model):
            raise UsageError(f"model must be a builder, a function such as kerashw.models.cnn, got {self.model!r}.")
        if not {*GIVEN} <= {*inspect.signature(self.model).parameters}:
            raise UsageError(
                f"model {self.model.__name__} must take input_shape and outputs, as kerashw.models.cnn does; "
                f"it takes {inspect.signature(self.model)}."
            )

    def _check_settings(self):
        own = builder_keywords(self.model)
        for name, value in self.settings.items():
            if name not in own and name not in TRAINING:
                raise UsageError(
                    f"setting {name!r} is no keyword of {self.model.__name__} nor of training."
                    f"{closest(name, (*own, *TRAINING))} Allowed: {', '.join((*own, *TRAINING))}."
                )
            for choice in _ends(value):
                check_setting(name, choice)
        optimizers = _ends(self.settings.get("optimizer", TRAINING["optimizer"]))
        if "momentum" in self.searched and "momentum" not in own and not {"sgd", "rmsprop"} & {*optimizers}:
            raise UsageError(
                f"momentum is searched, but {' and '.join(optimizers)} would ignore it: it is of sgd and rmsprop."
            )
        if "dtype_policy" in own:
            raise UsageError(
                f"{self.model.__name__} takes dtype_policy, which is a setting of training: call the builder's keyword "
                "by another name."
            )
        if self.together and self.is_mixed:
            raise UsageError("together=True is a loop that computes in float32: leave it or dtype_policy out.")
        if self.settings.get("patience") is not None and self.score_epoch == "last":
            raise UsageError("patience waits for a better epoch, and score_epoch='last' looks for none: leave one out.")

    def _check_search(self):
        search = self.search
        if not isinstance(search, tuple(SEARCHES.values())):
            raise UsageError(f"search must be Grid, Random, Bayesian or Hyperband, got {search!r}.")
        if isinstance(search, Hyperband):
            if self.folds:
                raise UsageError(
                    "Hyperband compares trainings stopped at different epochs and continues the best, which folds "
                    "would mix up: use --folds 0, or --tuner bayesian, random or grid with folds."
                )
            if "epochs" in self.searched:
                raise UsageError("Hyperband itself decides the epochs: give epochs a constant, the most it may use.")
            if self.score_epoch == "last":
                raise UsageError("Hyperband scores the best epoch: leave score_epoch='best'.")
        if isinstance(search, Bayesian) and search.coarse and self.searched:
            points = len(coarse_grid({name: plain(space) for name, space in self.searched.items()}, search.coarse))
            if points >= search.trials:
                raise UsageError(
                    f"the coarse grid of {search.coarse} values of each range has {points:,} points, and the search no "
                    f"more than {search.trials:,} trials in all: allow more, or make it coarser."
                )
        if isinstance(search, Grid):
            for name, space in self.searched.items():
                if isinstance(space, Real) and space.step is None:
                    raise UsageError(
                        f"a grid needs values for {name}: write Choice(...) or {space!r} with step=..., "
                        "or choose another --tuner."
                    )

    @property
    def prunes(self):
        """Whether losers are given up."""
        return self.prune is not None and not isinstance(self.search, Hyperband)

    @property
    def is_mixed(self):
        """Whether some of its trainings, or all, compute in bfloat16."""
        return "mixed_bfloat16" in _ends(self.settings.get("dtype_policy"))

    @property
    def searched(self):
        """The searched settings by name; the members of a tuple get a number, such as hidden_1."""
        return {
            name: space for key, value in self.settings.items() for name, space in _varying_parts(key, value)
        }

    def filled(self, values):
        """All settings as constants: the study's own, training's defaults, and the values a tuner proposes."""
        filled = dict(TRAINING)
        for key, value in self.settings.items():
            if isinstance(value, VARIES):
                value = values[key]
            elif isinstance(value, tuple):
                value = tuple(
                    values[f"{key}_{place}"] if isinstance(part, VARIES) else part
                    for place, part in enumerate(value, 1)
                )
            filled[key] = value
        return filled

    def but(self, **changes):
        """The same study with other fields or settings; what is no field is a setting.

        >>> from kerashw.models import mlp
        >>> from kerashw.space import Random
        >>> study = Study(data="mnist", model=mlp, settings={}, search=Random(trials=2))
        >>> study.but(folds=5, batch_size=64).settings
        {'batch_size': 64}
        """
        own = {f.name for f in fields(self)}
        settings = {**self.settings, **{key: value for key, value in changes.items() if key not in own}}
        return replace(self, **{"settings": settings, **{key: value for key, value in changes.items() if key in own}})

    def arm(self, name):
        """The study of one arm: the common settings with the arm's own changes."""
        return self.but(arms={}, **self.arms[name])

    def at(self, preset):
        """The study at a preset: "paper" is the declaration itself, "quick" prunes and applies its quick changes."""
        changes = {"prune": "median", **self.quick} if preset == "quick" and self.quick else {}
        return self.but(**{"quick": {}, **changes})

    def declaration(self):
        """The study as JSON-ready data: what study.json keeps and a continued run is compared with."""
        kept = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in ("arms", "quick")}
        return {**kept, "settings": {key: plain(value) for key, value in self.settings.items()}}


def _ends(value):
    """The constants by which a setting is checked: its choices, the ends of its range, or itself."""
    if isinstance(value, Choice):
        return value.values
    if isinstance(value, Real):
        return (float(value.low), float(value.high))  # what lies between is not whole either
    if isinstance(value, VARIES):
        return (value.low, value.high)
    if isinstance(value, tuple) and any(isinstance(part, VARIES) for part in value):
        ends = [_ends(part) for part in value]
        first = [end[0] for end in ends]
        return tuple((*first[:place], one, *first[place + 1 :]) for place, end in enumerate(ends) for one in end)
    return (value,)


def plain(value):
    """A declaration's value as JSON-ready data."""
    if isinstance(value, Choice):
        return {"choice": [plain(part) for part in value.values]}
    if is_dataclass(value):
        return {type(value).__name__.lower(): plain(asdict(value))}
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if callable(value):
        return _name_of(value)
    return value


def _name_of(builder):
    """A builder's full name, with a hash of the source where it is a person's own: that can change between starts."""
    name = f"{builder.__module__}.{builder.__qualname__}"
    if builder.__module__.startswith("kerashw."):
        return name
    try:
        source = inspect.getsource(builder)
    except (OSError, TypeError):
        return name
    return f"{name}#{hashlib.sha256(source.encode()).hexdigest()[:12]}"
