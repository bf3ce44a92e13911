"""`python -m kerashw.report RUN...`: the figures and report.html of finished runs again, without training."""

import sys

from kerashw.commands import Parser, folder, quiet_tensorflow, run
from kerashw.progress import Progress
from kerashw.run import Run

EPILOG = """The folder of a comparison gets a page that sets its arms beside each other, and each arm one of its own.
"""


def main(argv):
    """Writes the pages, and prints where they are."""
    parser = Parser("report", description=__doc__, epilog=EPILOG)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of finished runs, such as saved_models/mnist")
    parser.add_argument("--no-figures", action="store_true", help="keep the figures as they are, write the page only")
    parser.add_argument("--data-dir", type=folder, metavar="DIR", help="where the run's own data lie now")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    options = parser.parse_args(argv)
    asked = {one: Run.all_finished(one) for one in options.runs}
    drawn = [one for named, runs in asked.items() for one in runs if not options.no_figures or not Run(named).exists]
    data = data_of(drawn, options.data_dir)
    quiet_tensorflow()
    from kerashw.pages import write_comparison, write_report
    from kerashw.pictures import draw_figures

    for named, runs in asked.items():
        above, say = Run(named), Progress(named, quiet=options.quiet).say
        is_arms = not above.exists
        records = [] if options.no_figures and not is_arms else records_of(runs, data)
        if not options.no_figures:
            for record in records:
                draw_figures(record, say=say)
        for one in runs:
            print(write_report(one))
        if is_arms:
            arms = {record.run.folder.name: record for record in records}
            title = above.folder.resolve().name
            say = None if options.no_figures else say
            print(write_comparison(arms, above, above.report_file, title=title, say=say))


def data_of(runs, data_dir=None):
    """{hash: data set} of finished runs, whose models are whole; data that several share are loaded once."""
    from kerashw.formats import verify
    from kerashw.provenance import dataset_of

    loaded = {}
    for one in runs:
        verify(one, "keras")  # a figure that cannot be drawn again would be lost
        digest = one.study()["data_sha256"]
        if digest not in loaded:
            loaded[digest] = dataset_of(one, data_dir)
    return loaded


def records_of(runs, data):
    """The Records of finished runs, with their data by hash."""
    from kerashw.pictures import Record

    return [Record.read(one, data[one.study()["data_sha256"]]) for one in runs]


if __name__ == "__main__":
    sys.exit(run(main))
