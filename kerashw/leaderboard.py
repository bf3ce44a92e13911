"""A search's trials as a table: what each tried, how it scored in every fold, and how it ranks."""

from kerashw.objectives import OBJECTIVES, cost_sign
from kerashw.selection import front_of, value_of


def leaderboard(trials, settings_of, *, settings, objectives, folds, executions):
    """The names of the columns, and a row for each trial that has ended; None where a trial has no such value.

    `settings_of` gives the values of a trial's `settings`; `folds` is at least 1. Scores and ranks are by the first of
    the objectives; where there are several, a column each has the others, and one whether no other trial beats it.

    >>> from kerashw.store import Store
    >>> store = Store(":memory:")
    >>> store.begin_trial(0, {"units": 4})
    >>> store.end_trial(0, status="completed", score=0.5, deviation=0.0, parameters=9, seconds=1.0)
    >>> header, rows = leaderboard(store.trials(), lambda trial: trial.proposed, settings=["units"],
    ...                            objectives=["val_mse"], folds=1, executions=1)
    >>> header[:6], rows[0][:6]
    (['trial', 'units', 'score_fold0', 'mean', 'std', 'rank'], [0, 4, None, 0.5, 0.0, 1])
    """
    trials = [trial for trial in trials if trial.status != "running"]
    places = [(fold, execution) for fold in range(folds) for execution in range(executions)]
    labels = [f"score_fold{fold}" + (f"_execution{execution}" if executions > 1 else "") for fold, execution in places]
    ranks = ranking(objectives[0], trials)
    others = further(objectives)
    front = {trial.number for trial in front_of(trials, objectives)} if len(objectives) > 1 else None
    header = ["trial", *settings, *labels, "mean", "std", "rank", *others, *(["front"] if front is not None else []),
              "status", "reason", "message", "best_epoch", "parameters", "seconds"]  # fmt: skip
    rows = []
    for trial in trials:
        values = settings_of(trial)
        scores = {(done.fold, done.execution): done.score for done in trial.executions}
        epochs = [done.best_epoch for done in trial.executions]
        rows.append([
            trial.number, *(values[name] for name in settings), *(scores.get(place) for place in places),
            trial.score, trial.deviation, ranks.get(trial.number),
            *(value_of(trial, name) for name in others), *([trial.number in front] if front is not None else []),
            trial.status, trial.reason, trial.message,
            round(sum(epochs) / len(epochs)) if epochs else None, trial.parameters,
            None if trial.seconds is None else round(trial.seconds, 3),
        ])  # fmt: skip
    return header, rows


def further(objectives):
    """The objectives with a column of their own: the first is the score, and parameters are a column anyway.

    >>> further(("val_accuracy", "parameters", "latency"))
    ['latency']
    """
    return [name for name in objectives[1:] if name != "parameters"]


def ranking(objective, trials):
    """{number of a completed trial: its rank}; equal scores share a rank."""
    sign = cost_sign(OBJECTIVES[objective])
    completed = [trial for trial in trials if trial.status == "completed"]
    scores = [sign * trial.score for trial in completed]
    return {trial.number: 1 + sum(other < sign * trial.score for other in scores) for trial in completed}


def searched_spaces(declaration):
    """{searched setting: its space as study.json keeps it}; the members of a tuple get a number, such as hidden_1.

    >>> searched_spaces({"settings": {"epochs": 5, "hidden": [{"choice": [8, 16]}, 4]}})
    {'hidden_1': {'choice': [8, 16]}}
    """
    found = {}
    for key, value in declaration["settings"].items():
        parts = {f"{key}_{place}": part for place, part in enumerate(value, 1)} if isinstance(value, list) else {}
        for name, part in (parts or {key: value}).items():
            if isinstance(part, dict) and len(part) == 1 and set(part) <= {"choice", "real", "int"}:
                found[name] = part
    return found


def searched_values(spaces, proposed):
    """A trial's searched settings as the study writes them, from the tuner's own values.

    A tuner takes tuples, None and mixtures of types as text only.

    >>> searched_values({"hidden": {"choice": [[8], [8, 4]]}}, {"hidden": "(8, 4)"})
    {'hidden': [8, 4]}
    """
    return {name: _value(space, proposed.get(name)) for name, space in spaces.items()}


def _value(space, proposed):
    choices = space.get("choice", ())
    return next((value for value in choices if proposed in (value, repr(_tuples(value)))), proposed)


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
