"""`python -m kerashw.compare RUN RUN...`: a page with finished runs beside each other, and whether they differ."""

import os
import sys
from pathlib import Path

from kerashw.commands import Parser, folder, quiet_tensorflow, run
from kerashw.errors import UsageError
from kerashw.progress import Progress
from kerashw.report import data_of, records_of
from kerashw.run import Run, check_writable, make_folder

EPILOG = """The folder of a comparison stands for its arms. The pictures lie beside the page, in a folder of its name.
"""


def main(argv):
    """Writes the page, and prints where it is."""
    parser = Parser("compare", description=__doc__, epilog=EPILOG)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of finished runs, at least two")
    parser.add_argument("--out", metavar="FILE", help="the page (default: compare.html in the folder above the runs)")
    parser.add_argument("--data-dir", type=folder, metavar="DIR", help="where the runs' own data lie now")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    options = parser.parse_args(argv)
    runs = [one for named in options.runs for one in Run.all_finished(named)]
    names = names_of(runs)
    check_comparable(runs)
    page = page_of(options.out, runs)
    data = data_of(runs, options.data_dir)
    quiet_tensorflow()
    records = dict(zip(names, records_of(runs, data), strict=True))
    print(write(records, page, Progress(page.stem, quiet=options.quiet).say))


def names_of(runs):
    """What each run is called on the page: its folder's name, or where two have the same, as much of its path.

    >>> names_of([Run("a/mnist"), Run("b/mnist"), Run("b/fashion")])
    ['a/mnist', 'b/mnist', 'fashion']
    """
    places = [one.folder.resolve() for one in runs]
    if len(set(places)) < max(2, len(runs)):
        told = ", ".join(str(one.folder) for one in runs)
        raise UsageError(f"compare needs at least two runs, each named once, got {told}.")
    names = []
    for place in places:
        depth = 1
        while sum(other.parts[-depth:] == place.parts[-depth:] for other in places) > 1:
            depth += 1
        names.append("/".join(place.parts[-depth:]))
    return names


def check_comparable(runs):
    """Nothing where all runs have metrics in common."""
    tested = {tuple(one.metrics()["test"]): one for one in runs}
    if len(tested) > 1:
        told = "; ".join(f"{one.folder} has {', '.join(metrics)}" for metrics, one in tested.items())
        raise UsageError(f"compare needs runs that are tested by the same metrics, but {told}.")


def page_of(out, runs):
    """The path of the page."""
    above = os.path.commonpath([one.folder.resolve().parent for one in runs])
    page = Path(out or os.path.relpath(Path(above) / "compare.html"))
    if page.suffix != ".html":
        raise UsageError(f"--out {out}: the page is one HTML file, so give a name that ends in .html.")
    if Run(page.parent).exists:
        raise UsageError(f"--out {out}: {page.parent} is the folder of a run, whose own page it may be; name another folder.")
    check_writable(page.parent)
    return page


def write(records, page, say):
    """The path of the page, written with the figures it shows."""
    from kerashw.pages import write_comparison

    beside = Run(page.with_name(f"{page.stem}_files"))
    make_folder(page.parent)
    for file in beside.figures.glob("arms*.*"):  # of an earlier comparison, maybe of other runs
        file.unlink()
    return write_comparison(records, beside, page, title=page.stem, say=say)


if __name__ == "__main__":
    sys.exit(run(main))
