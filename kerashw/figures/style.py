"""One look for all figures: colours, panels, legends, titles, captions, and numbers as text.

Figures are matplotlib `Figure` objects without pyplot, so that any number of threads may draw at once.
"""

import math
import textwrap

import numpy as np
from matplotlib.figure import Figure

WIDTH = 9.0  # inches: 1080 pixels at 120 dots per inch
CHARACTER, ROW = 0.083, 0.215  # inches: the width of a character of a table at 9 points, generously, and its lines

# The colours of Okabe and Ito, which people with any colour vision tell apart; without their yellow, pale on white.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#777777"
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (9, 3)))

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"

# Above this ratio of the largest to the smallest value a linear axis hides the small ones.
LOG_ABOVE = 30


def panels(rows, columns, *, title, height, width=WIDTH, **options):
    """A Figure with its title and rows x columns of Axes in a 2-D array; `height` in inches is that of all.

    >>> figure, axes = panels(1, 2, title="Two panels", height=3)
    >>> axes.shape, title_of(figure)
    ((1, 2), 'Two panels')
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    heading = textwrap.fill(str(title), int(width * 9.5))  # so many characters of this size fit into an inch
    figure.suptitle(plain(heading), x=0.012, ha="left", fontsize=13, fontweight="bold")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        tidy(ax)
    return figure, axes


def panel_for_each(count, *, title, columns=4, panel_height=2.3, **options):
    """A Figure and a list of `count` Axes in rows of at most `columns`."""
    rows = max(1, math.ceil(count / columns))
    columns = max(1, math.ceil(count / rows))  # four panels stand two by two rather than three and one
    height = max(rows * panel_height, 2.8) + 0.8
    figure, axes = panels(rows, columns, title=title, height=height, **options)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:count])


def tidy(ax):
    """The Axes without the lines that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=9)
    ax.set_prop_cycle(color=PALETTE)


def bare(ax):
    """The Axes of a picture: no lines, ticks or grid at all."""
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def legend_below(figure, handles=None):
    """The legend of all panels, below them, in as many columns as fit; each label once."""
    if handles is None:
        handles = [handle for ax in figure.axes for handle in ax.get_legend_handles_labels()[0]]
    by_label = {}
    for handle in handles:
        by_label.setdefault(handle.get_label(), handle)
    if not by_label:
        return
    longest = max(map(len, by_label))
    columns = int(figure.get_figwidth() / (0.085 * longest + 0.65))  # inches of a character and of a line with its gaps
    figure.legend(
        by_label.values(), by_label.keys(), loc="outside lower center",
        ncols=max(1, min(columns, len(by_label))), frameon=False, fontsize=9.5, handlelength=2.6,
    )  # fmt: skip


def captioned(figure, *sentences):
    """The Figure with `figure.caption`: the sentences that say what is to be seen in it.

    >>> captioned(panels(1, 1, title="", height=2)[0], "One panel.", "", "It is empty.").caption
    'One panel. It is empty.'
    """
    figure.caption = " ".join(sentence for sentence in sentences if sentence)
    return figure


def title_of(figure):
    """The title of a Figure as plain text."""
    return " ".join(figure.get_suptitle().replace(r"\$", "$").split())


def plain(text):
    """Text that is drawn as it stands: a pair of dollars would be taken for mathematics."""
    return str(text).replace("$", r"\$")


def number(value):
    """A number as a reader wants it: four digits, thousands parted; "none" where there is none.

    >>> number(60000), number(0.0708171), number(12345.6), number(3e-05), number(float("nan"))
    ('60,000', '0.07082', '12,346', '3e-05', 'none')
    """
    if value is None or not math.isfinite(value):
        return "none"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def shown(value):
    """The value of a setting as text: numbers short, sequences with commas.

    >>> shown(0.00098362), shown([64, 32]), shown(None), shown("adam"), shown(True)
    ('0.0009836', '64, 32', 'none', 'adam', 'True')
    """
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(map(shown, value)) or "()"
    if value is None:
        return "none"
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return number(value).replace(",", "") if is_number else plain(value)


def counted(count, noun):
    """The number and its noun, in the plural where there are several.

    >>> counted(1, "trial"), counted(1200, "epoch")
    ('1 trial', '1,200 epochs')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def times(shape):
    """A shape in words; that of a single value is 1.

    >>> times((28, 28)), times(())
    ('28 x 28', '1')
    """
    return " x ".join(f"{size:,}" for size in shape) or "1"


def numbers_of(values):
    """A float array in which all that is no finite number is NaN: lists may hold None.

    >>> numbers_of([1, None, float("inf")])
    array([ 1., nan, nan])
    """
    array = np.array(values, dtype=float)
    array[~np.isfinite(array)] = np.nan
    return array


def wants_log(*values):
    """Whether only a logarithmic axis shows all the values: all above 0, and the largest many times the smallest.

    >>> wants_log([0.01, 1.0]), wants_log([0.5, 1.0]), wants_log([0.0, 1.0]), wants_log([])
    (True, False, False, False)
    """
    flat = np.concatenate([np.ravel(numbers_of(some)) for some in values]) if values else np.empty(0)
    flat = flat[np.isfinite(flat)]
    return bool(flat.size and flat.min() > 0 and flat.max() > LOG_ABOVE * flat.min())


def log_axis(ax, which, low, high):
    """A logarithmic axis that is labelled well between `low` and `high`: at 1, 2 and 5 where powers of ten are few.

    >>> _, axes = panels(1, 1, title="", height=2)
    >>> log_axis(axes[0, 0], "y", 0.2, 6)
    >>> [label.get_text() for label in axes[0, 0].get_yticklabels()]
    ['0.2', '0.5', '1', '2', '5']
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    getattr(ax, f"set_{which}scale")("log")
    if not 0 < low < high or high / low > 1e4:
        return
    axis = getattr(ax, f"{which}axis")
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    places = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    axis.set_major_locator(FixedLocator([place for place in places if low / 1.02 <= place <= high * 1.02]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_locator(NullLocator())


def whole_ticks(axis):
    """Ticks at whole numbers only, with thousands parted: epochs, trials, counts."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
