"""What one trial gives and costs against another, in words computed from their values by each objective."""

from kerashw.objectives import COSTS, DIRECTIONS

WORTH_TELLING = 0.005  # of a value: what is nearer than half a percent is told as equal


def against(values, others):
    """How a trial compares with another one; both are {objective: value}.

    >>> small = {"val_accuracy": 0.976, "parameters": 1_200, "latency": 0.2}
    >>> large = {"val_accuracy": 0.98, "parameters": 10_000, "latency": 0.2}
    >>> against(small, large)
    '0.4 points less accurate with 12 % of the parameters and the same latency'
    >>> against(large, small)
    '0.4 points more accurate with 8.3 times the parameters and the same latency'
    >>> against({"val_mse": 0.3, "val_r2": 0.5}, {"val_mse": 0.2, "val_r2": 0.5})
    'val_mse 50 % higher and the same val_r2'
    """
    gained = [_metric(name, values[name], others[name]) for name in values if name not in COSTS]
    paid = [_cost(name, values[name], others[name]) for name in values if name in COSTS]
    return " with ".join(" and ".join(some) for some in (gained, paid) if some)


def _metric(name, value, other):
    difference = value - other
    if name == "val_accuracy":
        points = 100 * abs(difference)
        if points < WORTH_TELLING:
            return "as accurate"
        shown = f"{points:.1f}".removesuffix(".0") if points >= 0.1 else f"{points:.2g}"
        return f"{shown} points {'more' if difference > 0 else 'less'} accurate"
    if abs(difference) < WORTH_TELLING * abs(other) or not difference:
        return f"the same {name}"
    share = abs(difference) if DIRECTIONS[name] == "max" or not other else abs(difference / other)
    # R2 has a unit of its own; a loss has that of its data, so that only its ratio says something.
    size = f"{share:.2g}" if DIRECTIONS[name] == "max" or not other else _percent(share)
    return f"{name} {size} {'higher' if difference > 0 else 'lower'}"


def _cost(name, value, other):
    ratio = value / other if other else float(value > 0) + 1.0
    if abs(ratio - 1) < WORTH_TELLING:
        return f"the same {name}" if name == "latency" else f"as many {name}"
    if ratio < 1:
        return f"{_percent(ratio)} of the {name}"
    if ratio < 2:
        return f"{_percent(ratio - 1)} more {name}"
    return f"{ratio:,.0f} times the {name}" if ratio >= 10 else f"{ratio:.2g} times the {name}"


def _percent(share):
    """A share in percent, short.

    >>> _percent(0.117), _percent(0.004), _percent(12.0)
    ('12 %', '0.4 %', '1,200 %')
    """
    return f"{100 * share:,.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
