"""How a run searched, for its page: the space, the budget, every trial in the order of their ranks, the analysis."""

import itertools
import re

from kerashw.figures.style import counted, number
from kerashw.leaderboard import further
from kerashw.narrowing import coarse_grid, narrowed
from kerashw.objectives import DIRECTIONS, OBJECTIVES, cost_sign
from kerashw.pages.blocks import Cell, Facts, Notice, cell, section, table
from kerashw.pages.pictures import take
from kerashw.pages.words import in_words, is_searched, length_of, weights_of
from kerashw.progress import duration
from kerashw.selection import chosen, in_words as listed, values_of
from kerashw.space import SEARCHES
from kerashw.tradeoff import against

FIRST, LAST = ("rank", "trial", "mean", "std"), ("status", "seconds", "best_epoch", "parameters", "reason", "message")


def space(kept):
    """The section on what was searched, how, and with what budget."""
    declared, filled = kept.study["declaration"]["settings"], kept.metrics["settings"]
    searched = [name for name, value in declared.items() if is_searched(value)]
    names = [*searched, *(name for name in filled if name not in searched)]
    return section(
        "space", "Search space and budget",
        table({
            "setting": names,
            "searched over": [in_words(declared[name]) if name in searched else "" for name in names],
            "fixed at": ["" if name in searched else in_words(filled[name]) for name in names],
            "winner": [Cell(in_words(filled[name])) if name in searched else "" for name in names],
        }),
        Facts(_budget(kept)),
    )  # fmt: skip


def _budget(kept):
    study, metrics = kept.study["declaration"], kept.metrics
    refit = metrics["refit"]
    held_out = f"{100 * study['validation']:.0f} % of the training items held out"
    parts = f"{study['folds']} folds" if study["folds"] else held_out
    is_hyperband = "hyperband" in study["search"]
    unpruned = "by the rounds of Hyperband itself" if is_hyperband else "none: all were trained to their end"
    budget = {
        "search": _search(study["search"]),
        "scored by": f"{metrics['objective']} of the {study['score_epoch']} epoch, {parts}, "
                     f"{counted(study['executions'], 'training')} each",
        "trials": ", ".join(f"{count:,} {status}" for status, count in metrics["trials"].items()),
        "pruning": metrics["pruning"] or unpruned,
        "time": f"{duration(metrics['seconds']['search'])} of search"
                + (f" within a budget of {duration(kept.study['time_budget'])}" if kept.study["time_budget"] else ""),
        "final training": f"{length_of(refit)} on {counted(refit['items'], 'item')}, "
                          f"the weights are {weights_of(refit)}",
    }  # fmt: skip
    if metrics.get("objectives"):
        budget["objectives"] = f"{listed(metrics['objectives'])}; epochs and pruning go by {metrics['objective']}"
    if study["parameters"]:
        budget["parameters"] = "from {:,} to {:,} allowed".format(*study["parameters"])
    return budget


def _search(search):
    ((name, options),) = search.items()
    told = [f"{option} {number(value)}" for option, value in options.items() if value is not None]
    return ", ".join([SEARCHES[name].__name__, *told])


def leaderboard(kept):
    """The section with every trial, the best first; those without a score last."""
    trials = sorted(kept.trials, key=lambda trial: (int(trial["rank"] or 10**9), int(trial["trial"])))
    scores = [name for name in trials[0] if name.startswith("score_")]
    objectives = kept.metrics.get("objectives", [])
    others = [*further(objectives), *(["front"] if objectives else [])]
    settings = [name for name in trials[0] if name not in (*FIRST, *LAST, *scores, *others)]
    scores = scores if len(scores) > 1 else []  # of one score the mean says it all
    names = (*FIRST, *others, *scores, *settings, *LAST)
    empty = [name for name in ("reason", "message") if not any(trial[name] for trial in trials)]
    columns = {_heading(name): [_field(trial[name]) for trial in trials] for name in names if name not in empty}
    note = f"{counted(len(trials), 'trial')} by {kept.metrics['objective']}, the best first."
    return section("leaderboard", "Leaderboard", table(columns, note=note, is_sortable=True))


def analysis(kept, found):
    """The section on what the search found out; None of a single trial."""
    if len(kept.trials) < 2 and "search" not in found:
        return None
    counts, rule = kept.metrics["trials"], kept.metrics["pruning"]
    pruned = None
    if rule:
        of_all = f"{counts['pruned']:,} of {counted(sum(counts.values()), 'trial')}"
        pruned = Notice(f"{of_all} were pruned by the rule of the {rule}.")
    notices = coarse_stage(kept), pruned, side_by_side(kept.turns), front(kept)
    return section("analysis", "Analysis of the search", *notices, *take(found, "search"))


def side_by_side(turns):
    """How many trials were in flight at a time and in which order their results came; None where one did it all.

    >>> side_by_side([("asked", 0), ("asked", 1), ("told", 1), ("asked", 2), ("told", 0), ("told", 2)]).text
    'Up to 2 trials were trained side by side; their results came in the order 1, 0, 2.'
    """
    if not turns:
        return None
    told = [trial for kind, trial in turns if kind == "told"]
    in_flight = list(itertools.accumulate(1 if kind == "asked" else -1 for kind, _ in turns))
    order = ", ".join(map(str, told))
    return Notice(
        f"Up to {counted(max(in_flight), 'trial')} were trained side by side; their results came in the order {order}."
    )


def front(kept):
    """The table of the trials that no other one beats, with what each gives and costs against the winner; or None."""
    objectives, trials = kept.metrics.get("objectives"), kept.metrics.get("front")
    if not trials:
        return None
    values = {trial["trial"]: {name: trial[name] for name in objectives} for trial in trials}
    won = kept.metrics["validation"]["trial"]
    winner = next(trial for trial in kept.ended if trial.number == won)
    own = dict(zip(objectives, values_of(winner, objectives)))
    sign = cost_sign(DIRECTIONS[objectives[0]])
    numbers = sorted(values, key=lambda number: sign * values[number][objectives[0]])
    words = {number: "the winner" if number == won else against(values[number], own) for number in numbers
             if None not in own.values()}  # fmt: skip  a trial chosen by hand may lack a value
    settings = {name: [_told(kept.scored[number][0][name]) for number in numbers] for name in kept.spaces}
    return table({
        "trial": numbers,
        **{name.replace("_", " "): [values[number][name] for number in numbers] for name in objectives},
        **{name.replace("_", " "): column for name, column in settings.items() if name not in objectives},
        **({f"against trial {won}": list(words.values())} if words else {}),
    }, note=f"The winner is {chosen(kept.metrics)}. Nothing is better than one of these in one way without being worse "
            "in another.", is_sortable=True)  # fmt: skip


def _told(value):
    """A value of a setting for a table, which sorts numbers."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else in_words(value)


def coarse_stage(kept):
    """What the coarse grid at the beginning of a Bayesian search has narrowed; None where there was none."""
    coarse = kept.study["declaration"]["search"].get("bayesian", {}).get("coarse")
    if not coarse or not kept.spaces:
        return None
    if kept.metrics.get("objectives"):
        return Notice(
            f"The search began with a coarse grid of {coarse} values of each range. Each proposal after it weighs the "
            "objectives in another way, and kept to where the best quarter of the grid lies by these weights."
        )
    points = len(coarse_grid(kept.spaces, coarse))
    trials = [trial for number, trial in kept.scored.items() if number < points]
    if len(trials) < 2:
        return None
    found = narrowed(kept.spaces, trials, OBJECTIVES[kept.metrics["objective"]], cells=coarse)
    told = [f"{name} {in_words(space)}" for name, space in found.items() if space != kept.spaces[name]]
    after = f"narrowed the space to {'; '.join(told)}" if told else "left the space as wide as it was"
    return Notice(
        f"The first {points} trials were a coarse grid of {coarse} values of each range; its best quarter {after}. "
        f"The Gaussian process kept to that in the {len(kept.trials) - points} trials after it."
    )  # fmt: skip


def _heading(name):
    """A column of trials.csv as a heading: folds and executions count from 1, as in the figures.

    >>> _heading("score_fold0_execution1"), _heading("learning_rate")
    ('fold 1, execution 2', 'learning rate')
    """
    name = re.sub(r"^score_fold(\d+)", lambda found: f"fold {int(found[1]) + 1}", name)
    name = re.sub(r"_execution(\d+)$", lambda found: f", execution {int(found[1]) + 1}", name)
    return name.replace("_", " ")


def _field(text):
    """The Cell of a field of trials.csv."""
    try:
        value = float(text)
    except ValueError:
        return cell(text)
    return Cell(number(value), value)
