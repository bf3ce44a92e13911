"""Where in a search space its best trials lie: the same space, narrower. Spaces are plain, as in study.json.

A search that begins with a coarse grid goes on in the cells of the grid where its best trials lie.
"""

import itertools
import math

from kerashw.objectives import cost_sign

LEAST = 3  # trials that count as the best, however few there are


def coarse_grid(spaces, count):
    """The points of a grid over the spaces: `count` values of each range or row of numbers, all of other choices.

    A range is cut into `count` cells of equal width on its own scale, and each gives its middle.

    >>> spaces = {"rate": {"real": {"low": 1.0, "high": 1e4, "log": True, "step": None}}, "kind": {"choice": ["a", "b"]}}
    >>> [round(point["rate"]) for point in coarse_grid(spaces, 2)], coarse_grid(spaces, 2)[1]["kind"]
    ([10, 10, 1000, 1000], 'b')
    """
    axes = [_levels(space, count) for space in spaces.values()]
    return [dict(zip(spaces, point)) for point in itertools.product(*axes)]


def narrowed(spaces, trials, direction, *, margin=0.05, cells=None):
    """{setting: the part of its space where the best quarter of the trials lies}; of a single choice only the choice.

    `trials` are pairs of settings and score, `direction` is "max" or "min". Beyond the best trials a range goes on
    for `margin` of its old width, on its own scale, as the next better one may lie just outside; with `cells`, the
    `count` of a coarse grid, to the ends of the cells that hold the best.

    >>> spaces = {"rate": {"real": {"low": 1.0, "high": 1e4, "log": True, "step": None}}, "kind": {"choice": ["a", "b"]}}
    >>> trials = [(point, abs(point["rate"] - 10)) for point in coarse_grid(spaces, 4)]
    >>> found = narrowed(spaces, trials, "min", cells=4)
    >>> round(found["rate"]["real"]["high"], 6), found["kind"]
    (100.0, {'choice': ['a', 'b']})
    """
    sign = cost_sign(direction)
    ranked = sorted(trials, key=lambda trial: sign * trial[1])
    best = [settings for settings, _ in ranked[: best_count(len(ranked))]]

    def wider(low, high):
        if cells is None:
            return low - margin, high + margin
        return math.floor(low * cells) / cells, min(math.floor(high * cells) + 1, cells) / cells

    return {name: _narrower(space, [settings[name] for settings in best], wider) for name, space in spaces.items()}


def best_count(trials):
    """How many of so many trials are the best quarter.

    >>> best_count(2), best_count(8), best_count(40)
    (2, 3, 10)
    """
    return min(trials, max(LEAST, trials // 4))


def place_of(space, value):
    """Where a number lies in its range, on the scale of the range: 0 at its low end, 1 at its high end.

    >>> place_of({"int": {"low": 10, "high": 20, "log": False, "step": None}}, 15)
    0.5
    """
    (ends,) = space.values()
    scale = math.log if ends["log"] else float
    low, high = scale(ends["low"]), scale(ends["high"])
    return (scale(value) - low) / (high - low)


def value_at(space, place):
    """The number at a place from 0 to 1 of a range; a whole one where the range is of whole numbers."""
    ((kind, ends),) = space.items()
    if ends["log"]:
        value = ends["low"] * (ends["high"] / ends["low"]) ** place
    else:
        value = ends["low"] + (ends["high"] - ends["low"]) * place
    value = min(max(value, ends["low"]), ends["high"])
    return round(value) if kind == "int" else value


def _is_row(choices):
    """Whether choices are numbers, which lie in a row as those of a range do."""
    return all(type(value) in (int, float) for value in choices)


def _levels(space, count):
    ((kind, inner),) = space.items()
    if kind == "choice" and not _is_row(inner):
        return inner
    middles = [(cell + 0.5) / count for cell in range(count)]
    if kind == "choice":
        row = sorted(inner)
        found = [row[int(place * len(row))] for place in middles]
    else:
        found = [value_at(space, place) for place in middles]
    return list(dict.fromkeys(found))  # a short row, or few whole numbers, may give one twice


def _narrower(space, values, wider):
    ((kind, inner),) = space.items()
    if kind == "choice":
        if _is_row(inner):
            places = {value: (place + 0.5) / len(inner) for place, value in enumerate(sorted(inner))}
            low, high = wider(min(places[value] for value in values), max(places[value] for value in values))
            kept = [value for value in inner if low <= places[value] <= high]
        else:
            kept = [value for value in inner if value in values]
        return {"choice": kept} if len(kept) > 1 else kept[0]
    places = [place_of(space, value) for value in values]
    low, high = (value_at(space, place) for place in wider(min(places), max(places)))
    return {kind: {**inner, "low": low, "high": high}} if low < high else low
