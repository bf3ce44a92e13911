"""Which trial of a search wins: the best, or with several objectives one of the front of those that none beats."""

import numpy as np

from kerashw.errors import UsageError
from kerashw.objectives import DIRECTIONS, cost_sign
from kerashw.pareto import front, knee


def value_of(trial, name):
    """The value of a trial that has ended by one objective of the search beside the first; None where it has none.

    >>> from kerashw.store import Store
    >>> store = Store(":memory:")
    >>> store.begin_trial(0, {})
    >>> store.end_trial(0, status="failed", reason="diverged", parameters=7)
    >>> value_of(store.trial(0), "parameters"), value_of(store.trial(0), "latency")
    (7, None)
    """
    if name == "parameters":
        return trial.parameters
    if not trial.executions:
        return None
    if name == "latency":  # of the model: each of its trainings has the same
        return trial.executions[0].metrics.get(name)
    return trial.mean_metrics().get(name)


def values_of(trial, objectives):
    """The values of a trial by all objectives, its score first."""
    return trial.score, *(value_of(trial, name) for name in objectives[1:])


def front_of(trials, objectives):
    """The completed trials that no other one beats, in the order of their numbers."""
    completed = sorted((trial for trial in trials if trial.status == "completed"), key=lambda trial: trial.number)
    return [completed[place] for place in front(_table(completed, objectives), _signs(objectives))]


def winner_of(trials, objectives, winner=None):
    """The trial that is to be trained anew; None where none has completed.

    With one objective it is the best, the first of equal ones; with several the knee of their front, unless `winner`
    is "best", which is by the first of them, or the number of a completed trial.
    """
    completed = sorted((trial for trial in trials if trial.status == "completed"), key=lambda trial: trial.number)
    if not completed:
        return None
    own = front_of(completed, objectives)
    if len(objectives) == 1 or winner == "best" or not own:
        return min(completed, key=lambda trial: _signs(objectives)[0] * trial.score)
    if winner in (None, "knee"):
        return own[knee(_table(own, objectives), _signs(objectives))]
    found = next((trial for trial in completed if trial.number == winner), None)
    if found is None:
        raise UsageError(
            f"winner {winner} is no trial that has completed: of this search choose one of the front, "
            f"{', '.join(str(trial.number) for trial in own)}, or knee, or best."
        )
    return found


def told_of(trials, objectives, winner):
    """What metrics.json says of a search by several objectives: the front, and how the winner was chosen from it."""
    told = [dict(zip(("trial", *objectives), (trial.number, *values_of(trial, objectives))))
            for trial in front_of(trials, objectives)]  # fmt: skip
    return {"objectives": list(objectives), "front": told, "chosen": "knee" if winner is None else winner}


def in_words(objectives):
    """The objectives as a list to read.

    >>> in_words(("val_accuracy", "parameters", "latency"))
    'val_accuracy, parameters and latency'
    """
    return f"{', '.join(objectives[:-1])} and {objectives[-1]}"


def chosen(metrics):
    """By which rule the winner was chosen, in words, from metrics.json.

    >>> chosen({"objectives": ["val_mse", "latency"], "front": [{}, {}, {}], "chosen": "knee"})
    'the knee of a front of 3 trials by val_mse and latency'
    """
    trials = f"{len(metrics['front'])} trial{'' if len(metrics['front']) == 1 else 's'}"
    place = f"a front of {trials} by {in_words(metrics['objectives'])}"
    if metrics["chosen"] == "knee":
        return f"the knee of {place}"
    if metrics["chosen"] == "best":
        return f"the best by {metrics['objectives'][0]}, of {place}"
    number = metrics["chosen"]
    is_on_it = any(trial["trial"] == number for trial in metrics["front"])
    return f"by hand, {'from' if is_on_it else 'though not on'} {place}"


def _signs(objectives):
    return [cost_sign(DIRECTIONS[name]) for name in objectives]


def _table(trials, objectives):
    return np.array([values_of(trial, objectives) for trial in trials], float).reshape(len(trials), len(objectives))
