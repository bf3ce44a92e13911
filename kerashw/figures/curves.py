"""What happened epoch by epoch: the curves of one training, and of several arms beside each other."""

import numpy as np

from kerashw.figures.bands import band_sentence, draw_runs, middle, middle_of_all, runs_of
from kerashw.figures.style import (
    BLUE,
    DASHES,
    GREY,
    PALETTE,
    VERMILION,
    captioned,
    legend_below,
    log_axis,
    number,
    panel_for_each,
    panels,
    plain,
    wants_log,
    whole_ticks,
)


def learning_curves(
    *, history, best_epoch=None, mark="best epoch", monitor=None, direction="min", band="range",
    title="Learning curves",
):  # fmt: skip
    """The metrics of a history, one panel for each, training and validation together, the best epoch marked.

    `history` is that of Keras: {"loss": ..., "val_loss": ..., ...}, each a list over epochs, or one list for each fold
    or execution; "epoch" may give their numbers. `best_epoch` is found by `monitor` and `direction` unless given;
    `mark` says what it is.

    >>> learning_curves(history={"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.7]}).caption
    'Validation loss was lowest, 2.5, at epoch 2 of 3; training loss was 2 there.'
    """
    tables = {name: runs_of(values) for name, values in history.items() if name != "epoch"}
    epochs = _epochs(history, tables)
    monitor = monitor or _usual_monitor(tables)
    best = _place_of_best(tables, epochs, monitor, best_epoch, direction)
    metrics = list(dict.fromkeys(name.removeprefix("val_") for name in tables))
    figure, axes = panel_for_each(len(metrics), title=title, columns=3 if len(metrics) == 3 else 2, panel_height=3.6)
    for ax, metric in zip(axes, metrics):
        both = {key: tables[key] for key in (metric, f"val_{metric}") if key in tables}
        for key, runs in both.items():
            # Dashes would drown in the noise of a long curve.
            dash = DASHES[1] if key != metric and len(epochs) <= 200 else "-"
            label, color = ("validation", VERMILION) if key != metric else ("training", BLUE)
            draw_runs(ax, epochs[: runs.shape[1]], runs, band=band, color=color, label=label, linestyle=dash)
        _axes_of_epochs(ax, plain(metric), both.values())
        if best is not None:
            ax.axvline(epochs[best], color=GREY, linewidth=1, linestyle=":", label=f"{mark} ({epochs[best]:,.0f})")
    legend_below(figure)
    return captioned(
        figure, _best_sentence(tables, epochs, monitor, best, best_epoch, direction),
        _lost_sentence(tables, epochs), band_sentence(tables.values(), band),
    )  # fmt: skip


def arms(*, arms, metric, published=None, direction="min", band="range", x_label="epoch", title="The arms compared"):
    """One metric of several arms, {"adam": values per epoch or one list per execution}, with published values dashed.

    `published` has a list over epochs, or one number, under the name of its arm or of its own.

    >>> arms(arms={"sgd": [3.0, 2.0], "adam": [2.0, 1.0]}, metric="val_loss").caption
    'adam ends lowest, with val_loss 1; sgd follows with 2.'
    """
    tables = {name: runs_of(values) for name, values in arms.items()}
    stated = {name: runs_of(values) for name, values in (published or {}).items()}
    figure, axes = panels(1, 1, title=title, height=5.2)
    ax = axes[0, 0]
    steps = max((runs.shape[1] for runs in tables.values()), default=1)
    colors = dict(zip(dict.fromkeys([*tables, *stated]), _repeated(PALETTE)))
    for place, (name, runs) in enumerate(tables.items()):
        x = np.arange(1, runs.shape[1] + 1)
        # Beyond the colours there are dashes of their own; dashed with even gaps is kept for what is published.
        dash = DASHES[place // len(PALETTE) * 2 % len(DASHES)]
        draw_runs(ax, x, runs, band=band, color=colors[name], label=plain(name), linestyle=dash)
    for name, runs in stated.items():
        label, look = f"{plain(name)}, published", dict(color=colors[name], linestyle=DASHES[1], linewidth=1.2)
        if runs.shape[1] == 1:
            if np.isfinite(runs[0, 0]):
                ax.axhline(runs[0, 0], label=label, **look)
        else:
            ax.plot(np.arange(1, runs.shape[1] + 1), middle(runs), marker=".", label=label, **look)
            steps = max(steps, runs.shape[1])
    _axes_of_epochs(ax, plain(metric), [*tables.values(), *stated.values()], x_label)
    ax.set_xlim(1 - 0.02 * steps, steps + 0.02 * steps)
    legend_below(figure)
    return captioned(
        figure, _order_sentence(tables, metric, direction), _published_sentence(stated),
        band_sentence(tables.values(), band),
    )  # fmt: skip


def _epochs(history, tables):
    steps = max((runs.shape[1] for runs in tables.values()), default=0)
    given = list(history.get("epoch", ()))
    return np.array(given if len(given) == steps else range(1, steps + 1), dtype=float)


def _usual_monitor(tables):
    for name in ("val_loss", *(name for name in tables if name.startswith("val_")), "loss", *tables):
        if name in tables:
            return name
    return None


def _place_of_best(tables, epochs, monitor, best_epoch, direction):
    if best_epoch is not None:
        return int(np.abs(epochs - best_epoch).argmin()) if len(epochs) else None
    line = middle_of_all(tables[monitor]) if monitor in tables else np.empty(0)
    if not np.isfinite(line).any():
        return None
    return int(np.nanargmax(line) if direction == "max" else np.nanargmin(line))


def _axes_of_epochs(ax, metric, tables, x_label="epoch"):
    log = wants_log(*tables)
    if log:
        log_axis(ax, "y", *ax.get_ylim())
    ax.set(xlabel=x_label, ylabel=f"{metric} (log scale)" if log else metric)
    whole_ticks(ax.xaxis)


def _called(name):
    return f"Validation {name[4:]}" if name.startswith("val_") else f"Training {name}"


def _best_sentence(tables, epochs, monitor, best, given, direction):
    if monitor not in tables:
        return "The history holds no metrics." if not tables else f"The history holds no {monitor}."
    if best is None:
        return f"{_called(monitor)} was not finite in any epoch."
    line = middle_of_all(tables[monitor])
    value = number(line[best]) if best < len(line) else "none"
    how = "highest" if direction == "max" else "lowest"
    reached = f"{epochs[best]:,.0f} of {epochs[-1]:,.0f}"
    begin = f"{_called(monitor)} was {value}" if given is not None else f"{_called(monitor)} was {how}, {value},"
    text = f"{begin} at epoch {reached}"
    partner = monitor.removeprefix("val_")
    if partner != monitor and partner in tables and best < tables[partner].shape[1]:
        text += f"; training {partner} was {number(middle(tables[partner])[best])} there"
    return text + "."


def _lost_sentence(tables, epochs):
    """Where a metric stopped being finite, although later epochs were recorded."""
    lost = [name for name, runs in tables.items() if runs.size and not np.isfinite(middle(runs)).all()]
    if not lost:
        return ""
    first = min(int(np.flatnonzero(~np.isfinite(middle(tables[name])))[0]) for name in lost)
    return f"From epoch {epochs[first]:,.0f} on not every value is finite ({', '.join(lost)})."


def _order_sentence(tables, metric, direction):
    last = {}
    for name, runs in tables.items():
        line = middle_of_all(runs)
        last[name] = line[np.isfinite(line)][-1] if np.isfinite(line).any() else np.nan
    known = sorted((name for name in last if np.isfinite(last[name])), key=last.get, reverse=direction == "max")
    bad = [name for name in last if name not in known]
    sentences = [f"{', '.join(bad)} {'has' if len(bad) == 1 else 'have'} no finite {metric}."] if bad else []
    if known:
        place = "" if len(known) == 1 else " highest," if direction == "max" else " lowest,"
        parts = [f"{known[0]} ends{place} with {metric} {number(last[known[0]])}"]
        parts += [f"{known[1]} follows with {number(last[known[1]])}"] if len(known) > 1 else []
        parts += [f"the last is {known[-1]} with {number(last[known[-1]])}"] if len(known) > 2 else []
        sentences.insert(0, "; ".join(parts) + ".")
    return " ".join(sentences) or "There are no arms."


def _published_sentence(stated):
    ends = []
    for name, runs in stated.items():
        line = middle(runs)
        if np.isfinite(line).any():
            ends.append(f"{number(line[np.isfinite(line)][-1])} for {name}")
    return f"Published, and drawn dashed: {', '.join(ends)}." if ends else ""


def _repeated(colors):
    while True:
        yield from colors
