"""Pages to read: what a run has left in its folder as one HTML file, and several runs beside each other.

`write_report` needs neither the data nor any training; `write_comparison` asks the models for their answers to the test
items. A page is written in three steps: what the run kept becomes a Page of plain data (`report`, `comparison`), which
the one template turns into HTML (`html`).
"""

from kerashw.pages.comparison import comparison
from kerashw.pages.html import write
from kerashw.pages.report import report
from kerashw.pictures import draw_comparison

__all__ = ["write_comparison", "write_report"]


def write_report(run):
    """The path of a finished run's report.html."""
    return write(report(run), run.report_file)


def write_comparison(records, above, path, *, title, say=None):
    """The path of a page that compares {name: Record}, with figures in the folder of the run `above` them.

    These are drawn first where there is someone to `say` so; without, the page shows those that are there.
    """
    if say is not None:
        draw_comparison(above, records, name=title, say=say)
    return write(comparison(records, title=title, figures=above.figures, folder=path.parent), path)
