"""Plain tables: the layers of a model, the results of several runs."""

from kerashw.errors import UsageError
from kerashw.figures.style import BLACK, CHARACTER, GREY, ROW, captioned, counted, panels, plain, shown

ROWS_AT_MOST = 40


def table(*, columns, title, note=""):
    """The columns {heading: cells} side by side: words to the left, numbers to the right, thousands parted.

    >>> table(columns={"layer": ["dense_1", "output"], "parameters": [1280, 10]}, title="The layers").caption
    '2 rows: dense_1, output.'
    """
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise UsageError(f"the columns have {', '.join(map(str, sorted(lengths)))} cells, expected as many in each.")
    count = max(lengths, default=0)
    texts = {name: [_text(cell) for cell in cells[:ROWS_AT_MOST]] for name, cells in columns.items()}
    is_number = {name: all(not isinstance(cell, str) for cell in cells) for name, cells in columns.items()}
    widths = [CHARACTER * (max(map(len, (name, *cells))) + 2.5) for name, cells in texts.items()]
    cut = f"The first {ROWS_AT_MOST} of {count:,} rows are shown." if count > ROWS_AT_MOST else ""
    below = " ".join(text for text in (plain(note), cut) if text)
    lines = min(count, ROWS_AT_MOST) + 1.4 + (1.3 if below else 0)
    across = max(sum(widths), CHARACTER * len(below), 5.5)
    figure, axes = panels(1, 1, title=title, height=ROW * lines + 0.75, width=across + 0.3)
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set(xlim=(0, across + 0.1), ylim=(lines * ROW, 0))
    left = 0.05
    for (name, cells), width in zip(texts.items(), widths):
        x, side = (left + width - 0.22, "right") if is_number[name] else (left, "left")
        ax.text(x, 0.6 * ROW, plain(name), ha=side, va="center", fontsize=9, fontweight="bold")
        for place, text in enumerate(cells):
            ax.text(x, (place + 1.7) * ROW, plain(text), ha=side, va="center", fontsize=9)
        left += width
    ax.plot([0, sum(widths)], [1.1 * ROW] * 2, color=BLACK, linewidth=0.9)
    for place in range(1, min(count, ROWS_AT_MOST), 2):
        ax.axhspan((place + 1.2) * ROW, (place + 2.2) * ROW, xmax=sum(widths) / (across + 0.1), color="#F3F3F3",
                   linewidth=0)  # fmt: skip
    if below:
        ax.text(0.05, (min(count, ROWS_AT_MOST) + 1.95) * ROW, below, fontsize=9, va="center", color=GREY)
    names = next(iter(texts.values()), [])
    named = ", ".join(names[:12]) + (f" and {count - 12:,} more" if count > 12 else "")
    told = f"{counted(count, 'row')}: {named}." if count else "There are no rows."
    return captioned(figure, told, note, cut)


def _text(cell):
    """A cell as a reader wants it; nothing for None.

    >>> _text(58250), _text(0.0708171), _text(None), _text("5 x 5")
    ('58,250', '0.07082', '', '5 x 5')
    """
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else shown(cell)
