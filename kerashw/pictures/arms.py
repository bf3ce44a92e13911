"""The arms of a study beside each other, as numbers for figures; all is read from the folders of their runs."""

from kerashw.evaluation import predict
from kerashw.objectives import OBJECTIVES
from kerashw.pictures.data import curve_places, is_curve, points
from kerashw.pictures.training import without_twins


def alike(arms):
    """The arms whose curves stand beside each other: where several are single trainings, without those that search.

    The winner of a search has settings that were chosen for it, and its curves are means over folds, so it is no rival
    of trainings with fixed settings.
    """
    single = {name: record for name, record in arms.items() if not record.searched}
    return single if len(single) > 1 else arms


def metrics_of(arms):
    """The metrics that the winners of all arms recorded epoch by epoch."""
    histories = [without_twins(record.winner_history) for record in alike(arms).values()]
    return [name for name in histories[0] if name != "epoch" and all(name in history for history in histories)]


def curves(arms, metric):
    """One metric of the winner of each arm, epoch by epoch, with what is published of it."""
    arms = alike(arms)
    where = "validation" if metric.startswith("val_") else "training"
    several = any(len(record.winner.executions) > 1 for record in arms.values())
    return {
        "arms": {name: record.winner_history[metric] for name, record in arms.items()},
        "published": _published(arms, metric), "metric": metric,
        "direction": OBJECTIVES[f"val_{metric.removeprefix('val_')}"],
        "title": f"Compared: {where} {metric.removeprefix('val_')} of {'each winner' if several else 'each'}",
    }  # fmt: skip


def are_curves(arms):
    """Whether the models of the arms are curves over points."""
    return all(is_curve(record) for record in arms.values())


def fits(arms):
    """The curve of each arm after its final training, over the points."""
    first = next(iter(arms.values()))
    found = points(first)
    x = curve_places(first)
    told = {name: f"{name}, test MSE {record.run.metrics()['test']['mse']:.4g}" for name, record in arms.items()}
    return {
        "points": found, "x": x, "title": "Compared: fit after training",
        "curves": {told[name]: predict(record.model, x[:, None])[:, 0] for name, record in arms.items()},
    }  # fmt: skip


def results(arms):
    """What each arm came to: parameters, validation and test, with what is published."""
    kept = {name: record.run.metrics() for name, record in arms.items()}
    tested = list(next(iter(kept.values()))["test"])
    objectives = list(dict.fromkeys(one["objective"] for one in kept.values()))
    columns = {
        "arm": list(kept),
        "parameters": [one["parameters"] for one in kept.values()],
        "trials": [sum(one["trials"].values()) for one in kept.values()],
        "epochs": [one["refit"]["epochs"] for one in kept.values()],
    }
    for objective in objectives:
        columns[objective] = [one["validation"].get(objective) for one in kept.values()]
    for name in tested:
        columns[f"test_{name}"] = [one["test"][name] for one in kept.values()]
    if any(one["published"] for one in kept.values()):
        columns["published"] = [_said(one["published"]) for one in kept.values()]
    return {"columns": columns, "title": "Compared: results"}


def _published(arms, metric):
    """{arm: the published values}; under the name of their report where all arms have the same, and None without any."""
    stated = {name: record.declaration["published"] for name, record in arms.items()}
    known = {name: one["published"] for name, one in stated.items() if one and one["published"]["metric"] == metric}
    values = {name: list(one["per_epoch"] or [one["value"]]) for name, one in known.items()}
    first = next(iter(known.values()), None)
    if len(known) == len(arms) > 1 and all(one == first for one in known.values()):
        return {first["report"]: values[next(iter(values))]}
    return values or None


def _said(published):
    return f"{published['metric']} {published['value']:g}" if published else ""
