"""Where in a search space its best trials lie: the same space, narrower. Spaces are plain, as in study.json."""

import math

LEAST = 3  # trials that count as the best, however few there are


def narrowed(spaces, trials, direction, *, margin=0.05):
    """{setting: the part of its space where the best quarter of the trials lies}; of a single choice only the choice.

    `trials` are pairs of settings and score, `direction` is "max" or "min". Beyond the best trials a range goes on
    for `margin` of its old width, on its own scale, as the next better one may lie just outside.

    >>> spaces = {"rate": {"real": {"low": 1.0, "high": 1e4, "log": True, "step": None}}, "kind": {"choice": ["a", "b"]}}
    >>> trials = [({"rate": 10.0 ** (place % 5), "kind": "ab"[place % 2]}, place % 5) for place in range(20)]
    >>> found = narrowed(spaces, trials, "min", margin=0.25)
    >>> round(found["rate"]["real"]["high"], 6), found["kind"]
    (100.0, {'choice': ['a', 'b']})
    """
    sign = -1 if direction == "max" else 1
    ranked = sorted(trials, key=lambda trial: sign * trial[1])
    best = [settings for settings, _ in ranked[: best_count(len(ranked))]]
    return {name: _narrower(space, [settings[name] for settings in best], margin) for name, space in spaces.items()}


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


def _narrower(space, values, margin):
    ((kind, inner),) = space.items()
    if kind == "choice":
        kept = [value for value in inner if value in values]
        return {"choice": kept} if len(kept) > 1 else kept[0]
    places = [place_of(space, value) for value in values]
    low, high = (value_at(space, place) for place in (min(places) - margin, max(places) + margin))
    return {kind: {**inner, "low": low, "high": high}} if low < high else low
