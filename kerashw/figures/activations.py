"""What the units of dense layers answer to single inputs: how many of them a layer uses."""

import numpy as np

from kerashw.figures.style import BLUE, VERMILION, captioned, numbers_of, panels, plain, whole_ticks


def activation_profiles(*, activations, inputs, inactive=None, title="Activations of the hidden layers"):
    """A row for each layer, a column for each input: the activation of every unit as a bar.

    `activations` is {layer: array (inputs, units)}, `inputs` names the columns ("left, x = -4.9"); `inactive` is
    {layer: share of units that stay near zero}, which goes into the titles of the rows.

    >>> activation_profiles(activations={"dense_1": [[0.0, 2.0]]}, inputs=["x = 0"], inactive={"dense_1": 0.5}).caption
    'Share of inactive units: dense_1 50 % of 2.'
    """
    tables = {name: numbers_of(values) for name, values in activations.items()}
    rows, columns = max(len(tables), 1), max(len(inputs), 1)
    figure, axes = panels(rows, columns, title=title, height=0.9 + 2.0 * rows, sharey="row")
    for row, (name, table) in zip(axes, tables.items()):
        units = np.arange(table.shape[1])
        few = len(units) <= 40
        for ax, label, values in zip(row, inputs, table):
            known = np.isfinite(values)
            ax.vlines(units[known], 0, values[known], color=BLUE, linewidth=_stroke(len(units), columns))
            if few:
                ax.plot(units[known], values[known], "o", color=BLUE, markersize=3.5)
            ax.axhline(0, color="black", linewidth=0.6)
            ax.set_xlim(-0.02 * len(units) - 0.5, 1.02 * len(units) - 0.5)
            if np.isfinite(table).any() and not table[np.isfinite(table)].any():
                ax.set_ylim(-1, 1)  # all zero: an axis around a flat line
                ax.text(0.5, 0.7, "all zero", transform=ax.transAxes, ha="center", color=VERMILION)
            whole_ticks(ax.xaxis)
        row[0].set_ylabel("activation")
        for ax, label in zip(row, inputs):
            ax.set_title(plain(label), fontsize=9.5, y=1, pad=6)
            ax.set_xlabel("unit", labelpad=1)
        heading = f"{plain(name)}, {table.shape[1]:,} units{_share(inactive, name)}"
        above = row[0].annotate(
            heading, (0, 1), (0, 22), xycoords="axes fraction", textcoords="offset points", fontsize=10.5,
            fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        above.set_in_layout(False)  # it may reach over the next column, so blank lines keep its place
        row[0].set_title(" \n ", loc="left", fontsize=12, y=1)
    shares = [
        f"{name} {100 * inactive[name]:.0f} % of {table.shape[1]:,}"
        for name, table in tables.items()
        if inactive and _known(inactive.get(name))
    ]
    told = f"Share of inactive units: {', '.join(shares)}." if shares else _ranges(tables)
    return captioned(figure, told)


def _stroke(units, columns):
    """The width of a bar in points, so that bars neither touch nor vanish."""
    inches = 7.5 / columns
    return float(np.clip(0.6 * 72 * inches / max(units, 1), 0.4, 3.0))


def _known(share):
    return share is not None and np.isfinite(share)


def _share(inactive, name):
    return f": {100 * inactive[name]:.0f} % inactive" if inactive and _known(inactive.get(name)) else ""


def _ranges(tables):
    texts = []
    for name, table in tables.items():
        known = table[np.isfinite(table)]
        texts.append(f"{name} {known.min():.3g} to {known.max():.3g}" if known.size else f"{name} nothing finite")
    return f"Range of the activations: {', '.join(texts)}." if texts else "There are no hidden layers."
