"""What a search may go by: metrics of validation, and what a model costs; which way each is better."""

from kerashw.errors import UsageError

# Metrics a search may go by, and which way is better.
OBJECTIVES = {"val_accuracy": "max", "val_loss": "min", "val_mse": "min", "val_r2": "max"}
# What else may be an objective beside them: how many parameters a model has; milliseconds it takes for one item.
COSTS = {"parameters": "min", "latency": "min"}
DIRECTIONS = {**OBJECTIVES, **COSTS}
WINNERS = ("knee", "best")  # which trial of a front wins; or the number of a trial


def cost_sign(direction):
    """1 where less is better ("min"), -1 where more is ("max"): a value times it is a cost.

    >>> sorted([0.8, 0.9, 0.7], key=lambda accuracy: cost_sign("max") * accuracy)
    [0.9, 0.8, 0.7]
    """
    return -1 if direction == "max" else 1


def check_objectives(objective, objectives, winner):
    """Nothing, where these fields of a study go together.

    >>> check_objectives(None, ("val_accuracy", "parameters"), "knee")
    >>> check_objectives(None, ("parameters", "val_accuracy"), None)
    Traceback (most recent call last):
    kerashw.errors.UsageError: objectives begin with a metric of validation (val_accuracy, val_loss, val_mse, val_r2), \
by which epochs are chosen and trials pruned, got 'parameters' first.
    """
    if objective is not None and objective not in OBJECTIVES:
        raise UsageError(f"objective must be one of {', '.join(OBJECTIVES)}, got {objective!r}.")
    if winner is not None:
        if winner not in WINNERS and (type(winner) is not int or winner < 0):
            raise UsageError(f"winner must be 'knee', 'best' or the number of a trial, got {winner!r}.")
        if objectives is None:
            raise UsageError(
                f"winner={winner!r} chooses from the front of several objectives: name them, or leave it out."
            )
    if objectives is None:
        return
    if objective is not None:
        raise UsageError(f"objective={objective!r} and objectives={objectives!r} are both given: leave one out.")
    if not isinstance(objectives, tuple) or len(objectives) < 2 or len({*map(repr, objectives)}) < len(objectives):
        raise UsageError(
            "objectives must be two or more names, each once, such as ('val_accuracy', 'parameters'), "
            f"got {objectives!r}; a single one is the `objective`."
        )
    for name in objectives:
        if name not in DIRECTIONS:
            raise UsageError(f"objectives must be of {', '.join(DIRECTIONS)}, got {name!r}.")
    if objectives[0] not in OBJECTIVES:
        raise UsageError(
            f"objectives begin with a metric of validation ({', '.join(OBJECTIVES)}), by which epochs are chosen and "
            f"trials pruned, got {objectives[0]!r} first."
        )


def objectives_of(declaration, default):
    """The objectives of a study as study.json keeps it, the first one leading; `default` where it names none.

    >>> objectives_of({"objective": None, "objectives": ["val_mse", "latency"]}, "val_mse")
    ('val_mse', 'latency')
    >>> objectives_of({"objective": None}, "val_mse")
    ('val_mse',)
    """
    return tuple(declaration.get("objectives") or [declaration["objective"] or default])
