"""The trials of a search by several objectives, and the front of those that no other one beats."""

import numpy as np

from kerashw.figures.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    captioned,
    counted,
    legend_below,
    log_axis,
    number,
    numbers_of,
    panels,
    plain,
    whole_ticks,
)
from kerashw.figures.trials import check, outside_sentence, view
from kerashw.objectives import cost_sign
from kerashw.pareto import spans_decades
from kerashw.selection import in_words
from kerashw.tradeoff import against

NAMED = 12  # points of the front, up to which each is given the number of its trial
ROOM = (0.08, 0.07)  # of the axes, that a number takes


def pareto_front(*, trials, objectives, front, knee=None, winner=None, title=None):
    """Every completed trial by its first objective against each further one; the front in colour, its knee and winner.

    A trial is a dict: "number" and "values" {objective: value}; `objectives` is {name: "min" or "max"}. `front` has the
    numbers of the trials that no other one beats; of two objectives they are connected.

    >>> points = {0: (0.9, 500), 1: (0.8, 60), 2: (0.5, 50), 3: (0.5, 900)}
    >>> trials = [dict(number=n, values=dict(zip(("val_accuracy", "parameters"), v))) for n, v in points.items()]
    >>> goals = {"val_accuracy": "max", "parameters": "min"}
    >>> pareto_front(trials=trials, objectives=goals, front=[0, 1, 2], knee=1, winner=1).caption[-95:]
    'Against trial 0, the best by val_accuracy: 10 points less accurate with 12 % of the parameters.'
    """
    names = list(objectives)
    first, others = names[0], names[1:]
    columns = {name: numbers_of([trial["values"].get(name) for trial in trials]) for name in names}
    known = np.all([np.isfinite(column) for column in columns.values()], axis=0)
    values = {trial["number"]: {name: trial["values"].get(name) for name in names} for trial in trials}
    numbers = np.array([trial["number"] for trial in trials], int)
    on_front = np.isin(numbers, front) & known
    figure, axes = panels(1, len(others), title=title or f"The front: {in_words(names)}", height=4.8, sharey=True)
    outside = []
    for ax, name in zip(axes[0], others):
        for which, own in (("x", name), ("y", first)):
            low, high = _axis(ax, which, own, columns[own][known], objectives[own])
            outside.append(outside_sentence(columns[own][known], low, high))
        _draw(ax, columns[name], columns[first], known, on_front, [numbers, knee, winner],
              "post" if check(objectives[name]) == "min" else "pre", is_line=len(others) == 1)  # fmt: skip
    for ax in axes[0][1:]:
        ax.set_ylabel("")
    legend_below(figure)
    return captioned(figure, *_sentences(values, front, objectives, winner, knee), *dict.fromkeys(outside))


def _axis(ax, which, name, values, direction):
    """(low, high) of an axis that shows the values: logarithmic where they span more than two decades."""
    kind, low, high = view(values, direction)
    if spans_decades(values):
        low, high = values.min() / 1.4, values.max() * 1.4
        log_axis(ax, which, low, high)
    elif kind == "log":  # to the eye of the other figures, whose axes change over earlier
        room = 0.05 * np.ptp(values)
        low, high = values.min() - room, values.max() + room
    elif name == "parameters":
        whole_ticks(getattr(ax, f"{which}axis"))
    getattr(ax, f"set_{which}lim")(low, high)
    unit = " (ms for one item)" if name == "latency" else ""
    scale = " (log scale)" if spans_decades(values) else ""
    getattr(ax, f"set_{which}label")(f"{plain(name)}{unit}{scale}")
    return low, high


def _draw(ax, x, y, known, on_front, marked, where, is_line):
    """The trials of one panel; `marked` are the numbers of all, of the knee and of the winner."""
    x, y = (np.clip(values, *limits) for values, limits in ((x, ax.get_xlim()), (y, ax.get_ylim())))
    rest = known & ~on_front
    ax.scatter(x[rest], y[rest], s=22, color=GREY, alpha=0.55, linewidths=0, label="other trials")
    order = np.flatnonzero(on_front)[np.argsort(x[on_front], kind="stable")]
    if is_line:
        ax.step(x[order], y[order], where=where, color=BLUE, linewidth=1.2)
    ax.scatter(x[order], y[order], s=38, color=BLUE, label="on the front", zorder=3)
    numbers, knee, winner = marked
    for number_of, label, style in (
        (knee, "knee", dict(marker="D", markersize=13, markerfacecolor="none", markeredgecolor=VERMILION)),
        (winner, "winner", dict(marker="*", markersize=15, color=BLACK)),
    ):
        place = np.flatnonzero((numbers == number_of) & known) if number_of is not None else ()
        if len(place):
            ax.plot(x[place[:1]], y[place[:1]], linestyle="none", label=label, zorder=4, **style)
    named = []
    for place in order if len(order) <= NAMED else ():
        at = ax.transAxes.inverted().transform(ax.transData.transform((x[place], y[place])))  # from 0 to 1
        if all((abs(at - other) > ROOM).any() for other in named):
            named.append(at)
            right, side = (9, "left") if at[0] < 0.85 else (-9, "right")
            ax.annotate(str(numbers[place]), (x[place], y[place]), xytext=(right, -9), textcoords="offset points",
                        va="center", ha=side, fontsize=9, color=BLUE)  # fmt: skip


def _sentences(values, front, objectives, winner, knee):
    """How many trials lie on the front, and what the winner gives and costs against the best by the first objective."""
    if not front:
        yield "No trial has a value by each objective."
        return
    names = list(objectives)
    many = f"{len(front)} {'is' if len(front) == 1 else 'are'} on the front by {in_words(names)}"
    best = "nothing is better in one of these without being worse in another"
    yield f"Of {counted(len(values), 'trial')} {many}: {best}."
    if winner not in values or None in values[winner].values():
        return
    own = values[winner]
    told = ", ".join(f"{name} {number(own[name])}" for name in names)
    yield f"The winner is trial {winner}{', the knee of the front' if winner == knee else ''}: {told}."
    sign = cost_sign(objectives[names[0]])
    best = min(front, key=lambda trial: sign * values[trial][names[0]])
    if best != winner:
        yield f"Against trial {best}, the best by {names[0]}: {against(own, values[best])}."
