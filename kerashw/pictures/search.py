"""A run's search, as numbers for its figures: trials with their settings, scores and fates."""

from kerashw.importance import FEW, importance as importance_of
from kerashw.objectives import DIRECTIONS
from kerashw.selection import front_of, values_of, winner_of

PAUSE = 60  # seconds without any trial: no tuner thinks for so long, so nobody searched


def has_trials(record):
    """Whether there were several trials."""
    return len(record.trials) > 1


def is_searched(record):
    """Whether settings were searched and several trials tell of them."""
    return bool(record.searched) and len(record.trials) > 1


def is_ranked(record):
    """Whether there are enough completed trials to tell which settings matter."""
    completed = [trial for trial in record.trials if trial.status == "completed"]
    return bool(record.searched) and len(completed) >= FEW


def is_table(record):
    """Whether the search was a grid, or scored its trials by folds."""
    return is_searched(record) and ("grid" in record.declaration["search"] or record.declaration["folds"] > 0)


def search_history(record):
    """The score of every trial in the order of the search."""
    return {"trials": trials(record), "metric": record.objective, "direction": record.direction}


def has_front(record):
    """Whether the search went by several objectives, and some trial has a value by each."""
    return len(record.objectives) > 1 and bool(front_of(record.trials, record.objectives))


def front(record):
    """Every completed trial by all objectives, and which of them no other one beats."""
    objectives = record.objectives
    completed = [trial for trial in record.trials if trial.status == "completed"]
    return {
        "trials": [{"number": trial.number, "values": dict(zip(objectives, values_of(trial, objectives)))}
                   for trial in completed],
        "objectives": {name: DIRECTIONS[name] for name in objectives},
        "front": [trial.number for trial in front_of(completed, objectives)],
        "knee": winner_of(completed, objectives).number, "winner": record.winner.number,
    }  # fmt: skip


def is_timed(record):
    """Whether it is known of several trials when they ran."""
    return len(_timed(record)) > 1


def timeline(record):
    """When each trial began and ended, by a clock that stood still while the search was interrupted."""
    timed = _timed(record)
    first = latest = timed[0].began
    lost, bars, stops = 0.0, [], []
    for trial in timed:
        if trial.began > latest + PAUSE:
            stops.append(latest - lost - first)
            lost += trial.began - latest
        bars.append({
            "number": trial.number, "begin": trial.began - lost - first, "end": trial.ended - lost - first,
            "status": trial.status, "reason": trial.reason,
        })  # fmt: skip
        latest = max(latest, trial.ended)
    return {"trials": bars, "stops": stops}


def table(record):
    """The score of every trial, fold by fold."""
    which = "All combinations" if "grid" in record.declaration["search"] else "The trials"
    return {**search_history(record), "title": f"{which} by {record.objective}"}


def slices(record):
    """The scores against each searched setting, on the scale on which it was searched."""
    return {**search_history(record), "scales": record.searched}


def importance(record):
    """The share of each searched setting in the ranking of the trials."""
    found = trials(record)
    scores = [trial["score"] if trial["status"] == "completed" else None for trial in found]
    log = [name for name, kind in record.searched.items() if kind == "log"]
    return importance_of([trial["settings"] for trial in found], scores, log=log, seed=record.seed).numbers()


def trials(record):
    """The trials as figures read them: a dict for each, with the settings that were searched."""
    return [
        {
            "number": trial.number,
            "settings": {name: trial.proposed[name] for name in record.searched if name in trial.proposed},
            "score": trial.score, "scores": trial.fold_scores(), "deviation": trial.deviation,
            "status": trial.status, "reason": trial.reason,
        }
        for trial in record.trials
    ]  # fmt: skip


def _timed(record):
    timed = [trial for trial in record.trials if trial.began is not None and trial.ended is not None]
    return sorted(timed, key=lambda trial: trial.began)
