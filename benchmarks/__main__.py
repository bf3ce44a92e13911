"""The command line: which benchmarks, how much of each, and where the numbers go."""

import argparse
import datetime
import os
import pkgutil
import shlex
import sys
import time
from dataclasses import replace

from benchmarks import __doc__ as documentation
from benchmarks.asked import Asked
from benchmarks.report import line, markdown, read, save, table

# name: (function that gives the rows, what it measures)
BENCHMARKS = {
    "regression-cv": ("searches:regression_cv", "300 trials x 5 folds x 150 epochs against KerasTuner and PyTorch"),
    "regression": ("searches:regression", "Bayesian trials x 1,500 epochs against KerasTuner and PyTorch"),
    "regression-leaky": ("searches:regression_leaky", "two grids with 4 folds against skorch's grid search"),
    "member-epoch": ("member_epoch:measure", "1, 8 and 64 nets at once against the arithmetic floor"),
    "images": ("images:measure", "convolutional nets against Keras's fit"),
    "exports": ("exports:measure", "what the callbacks that draw pictures add to a training"),
    "start": ("start:measure", "from the command to the first finished trial"),
    "growth": ("growth:measure", "time and memory against the number of trials"),
    "suggestion": ("suggestion:measure", "one Bayesian suggestion against KerasTuner's oracle and Optuna"),
    "best-after": ("best_after:measure", "the best of n Bayesian trials against the same two"),
    "pruning": ("pruning:measure", "a search with and without stopping losers early"),
    "workers": ("workers:measure", "two workers against one, and what handing out trials costs by itself"),
}
ON_REQUEST = ("exports", "best-after", "pruning", "workers")  # asked for by name or by --full, as all together take too long
FOLDERS = {"--data-dir": "DIR", "--json": "FILE"}


def parser():
    """The options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="published budgets and more seeds")
    size.add_argument("--smoke", action="store_true", help="as little as possible, to see that all of it runs")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help="some of those that --list shows "
                        f"(default: all, but {', '.join(ON_REQUEST)} only with --full)")
    parser.add_argument("--json", metavar="FILE", help="write the rows with machine, versions and date there")
    parser.add_argument("--data-dir", metavar="DIR", default=os.environ.get("KERASHW_DATA_DIR") or None,
                        help="folder with mnist, fashion-mnist and regression (default: KERASHW_DATA_DIR)")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="the benchmarks by name, and nothing else")
    parser.add_argument("--markdown", metavar="FILE", help="print the README's section from a saved run, and no more")
    return parser


def rows_of(name, asked, function=None):
    """The rows of one benchmark; where it fails, what it had and a row with the reason."""
    try:
        measure = function or pkgutil.resolve_name(f"benchmarks.{BENCHMARKS[name][0]}")
        for row in measure(asked):
            yield replace(row, benchmark=name)
    except Exception as error:  # whatever a peer or a command raises, the others are still measured
        from benchmarks.rows import Row

        yield Row(what=name, benchmark=name, failed=f"{type(error).__name__}: {error}")


def main(argv=None):
    """The exit code: 1 where a benchmark failed."""
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.list:
        for name, (_, description) in BENCHMARKS.items():
            print(f"{name:<18}{description}")
        return 0
    if options.markdown:
        print(markdown(read(options.markdown)), end="")
        return 0
    from benchmarks.machine import machine, software

    asked = Asked("full" if options.full else "smoke" if options.smoke else "quick", options.data_dir)
    if not options.data_dir:
        print("no --data-dir: STAND-INS take the place of the data", file=sys.stderr)
    measured = {
        "date": datetime.date.today().isoformat(),
        "command": told(argv),
        "size": asked.size, "real_data": bool(options.data_dir), "machine": machine(), "software": software(),
        "rows": [],
    }  # fmt: skip
    began = time.monotonic()
    for name in options.only or [name for name in BENCHMARKS if asked.size != "quick" or name not in ON_REQUEST]:
        for row in rows_of(name, asked):
            measured["rows"].append(row.plain())
            print(line(row.plain()), file=sys.stderr, flush=True)
        measured["seconds"] = round(time.monotonic() - began, 1)
        if options.json:  # after each, so that what is measured is not lost with what comes later
            save(options.json, measured)
    print(table(measured["rows"]))
    return int(any(row["failed"] for row in measured["rows"]))


def told(argv):
    """The command as it may be shown: where the files of this machine lie is nobody else's concern.

    >>> told(["--full", "--data-dir", "/home/me/data", "--json=mine.json"])
    'python -m benchmarks --full --data-dir DIR --json FILE'
    """
    shown, hide = [], None
    for word in argv:
        option, _, _ = word.partition("=")
        if hide:
            hide = None
            continue
        shown.append(option if option in FOLDERS else word)
        if option in FOLDERS:
            shown.append(FOLDERS[option])
            hide = "=" not in word
    return shlex.join(["python", "-m", "benchmarks", *shown])


if __name__ == "__main__":
    sys.exit(main())
