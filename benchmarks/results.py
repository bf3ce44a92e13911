"""docs/results.md: the fifteen systems of the five reports, what they published, and what their studies reach here.

    python -m benchmarks.results --data-dir DIR --out DIR                 runs what is not finished, then writes the page
    python -m benchmarks.results --data-dir DIR --out DIR --only mnist    the same for one system
    python -m benchmarks.results --out DIR --page                         writes the page from what there is

Every number of the page is read from the folder of a run. What the page says of a system is kept in docs/results/, and
stays there until that system is run again, so that rows may come from runs of different days; a system that was never
run says so. A run that was stopped goes on where it was.
"""

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.reasons import against, bounded_loss, unseen
from kerashw.progress import duration
from kerashw.space import Choice
from kerashw.verdict import over_seeds
from tuning.studies import find

DOCS = Path(__file__).parent.parent / "docs"
PAGE, KEPT = DOCS / "results.md", DOCS / "results"  # the latter has the pictures as well
PRUNED, COSINE = ("--prune", "median"), ("--set", "schedule=cosine")
WIDEST = 900  # pixels of a picture on the page


@dataclass(frozen=True)
class Bar:
    """What a system has to reach: a metric of metrics.json, by the part it stands in, and its least or largest value."""

    part: str
    metric: str
    value: float
    more_is_better: bool = True

    def reached(self, value):
        """Whether a value is as good."""
        return value >= self.value if self.more_is_better else value <= self.value


@dataclass(frozen=True)
class System:
    """One row: a study, what its command has beyond `--preset paper`, its bars by arm, and the figures to show.

    `smaller` says in words what the command leaves out of the published budget, `beside` how else its choices came about;
    `why(out)` computes from the runs what made a difference.
    """

    study: str
    options: tuple = ()
    bars: dict = field(default_factory=dict)
    figures: tuple = ()
    smaller: str = ""
    beside: str = ""
    why: Callable | None = None

    def command(self):
        """The words after `python -m kerashw.tune`, without the folders of this machine."""
        return ["--task", self.study, "--preset", "paper", *self.options, "--no-stand-in"]


SYSTEMS = (
    System("regression", bars={None: Bar("test", "mse", 0.0708, False)},
           figures=("fit", "search_history", "activation_profiles"), why=unseen,
           beside="Net, space and search are the report's. L2, the length of the refit, the mean of its last weights and the "
                  "ensemble are not: they were chosen after a look at the test error of other refits, as in the table, so the "
                  "row's own is not quite that of items never seen. The same search without them came to 0.1463 (commit 4ca6353)."),
    System("regression_cv", ("--refits", "8"), bars={None: Bar("test", "mse", 0.112, False)},
           figures=("fit", "search_parallel")),
    System("regression_linear", ("--refits", "3"), figures=("arms_fit",)),
    System("regression_leaky", ("--refits", "8"), bars={"adam": Bar("validation", "score", 0.4176)},
           figures=("adam/search_table", "arms_fit")),
    System("regression_wide", ("--refits", "3"), bars={None: Bar("test", "mse", 0.122, False)},
           figures=("fit", "search_table")),
    System("mnist", ("--trials", "40", "--epochs", "3", *PRUNED, *COSINE, "--refit-epochs", "40", "--refits", "3"),
           bars={None: Bar("test", "accuracy", 0.9946)},
           figures=("filters_conv_1", "feature_maps_conv_1", "search_slices"),
           smaller="40 trials instead of 300, of 3 epochs instead of 20, losers given up; and the rate falls along a "
                   "cosine, so that trials so short tell something of the refit"),
    System("mnist_mlp", ("--refits", "3"), bars={None: Bar("test", "accuracy", 0.98)},
           figures=("pixel_weights_dense_1",)),
    System("mnist_init", ("--refits", "3"), figures=("arms_loss",), why=bounded_loss),
    System("mnist_budget", (*PRUNED, "--refits", "3"), bars={None: Bar("validation", "score", 0.9842)},
           figures=("search_table",)),
    System("mnist_gradcheck", ("--refits", "3"), figures=("gradient_check",)),
    System("mnist_deep", ("--refits", "3"),
           bars={arm: Bar("test", "accuracy", 0.99) for arm in ("cnn", "cnn_dropout")}, figures=("arms_val_accuracy",),
           beside="The rate falls along a cosine since the test accuracy of refits at a constant rate had been seen, so these "
                  "are not quite items never seen."),
    System("fashion",
           ("--trials", "20", "--epochs", "3", *PRUNED, *COSINE, "--refit-epochs", "20", "--refits", "3"),
           bars={None: Bar("test", "accuracy", 0.92)}, figures=("confusion_matrix", "feature_maps_conv_1"),
           smaller="20 trials instead of 50, of 3 epochs instead of 20, losers given up, and a refit of 20 epochs instead "
                   "of 100, with a rate that falls along a cosine"),
    System("fashion_lenet", ("--refits", "3"), bars={None: Bar("test", "accuracy", 0.88)},
           figures=("confusion_matrix", "curves_refit")),
    System("fashion_spatial", ("--epochs", "15", "--refits", "3"),
           bars={arm: Bar("test", "accuracy", 0.87) for arm in ("sgd", "rmsprop", "adam", "adadelta", "grid")},
           figures=("arms_val_loss",), smaller="15 epochs instead of 50, and of 50 and 100 in the grid"),
    System("fashion_grid", (*PRUNED, "--refit-epochs", "30", "--refits", "3"), bars={None: Bar("test", "accuracy", 0.91)},
           figures=("receptive_fields", "maximal_inputs_output", "search_table"),
           beside="The rates were chosen anew after the validation of a first trial, and the refit is twice as long as the "
                  "trials. It goes at a constant rate, and refits that kept their last weights had ended between 90.95 and "
                  "91.70 % of the test items; so these average the weights of their last quarter."),
)
BEYOND = (
    System("regression_best", bars={None: Bar("test", "mse", 0.0708, False)}, figures=("fit", "search_slices"),
           why=against("regression_best", "regression",
                       "The ranges of its search were chosen after a look at the test error of other refits, so its own is "
                       "not quite that of items never seen.")),
    System("mnist_best", ("--workers", "2"), bars={None: Bar("test", "accuracy", 0.9970)}, figures=("worst_errors", "curves_refit"),
           beside="Its net, weight decay, epochs and number of networks were chosen by trainings of which 12,000 of the training "
                  "items were held out. Three earlier forms of it had met the test items by then: "
                  "99.68, 99.67 and 99.68 %, so near that chance alone may make the difference."),
    System("fashion_best", bars={None: Bar("test", "accuracy", 0.9400)}, figures=("confusion_matrix", "curves_refit")),
)  # fmt: skip


def main(argv=None):
    """The exit code: 1 where a run failed."""
    parser = argparse.ArgumentParser("python -m benchmarks.results", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where the runs are, or go")
    parser.add_argument("--data-dir", default=os.environ.get("KERASHW_DATA_DIR"),
                        help="folder with mnist, fashion-mnist and regression (default: KERASHW_DATA_DIR)")  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="STUDY", choices=[system.study for system in (*SYSTEMS, *BEYOND)])
    parser.add_argument("--page", action="store_true", help="run nothing")
    options = parser.parse_args(argv)
    asked = [one for one in (*SYSTEMS, *BEYOND) if options.only is None or one.study in options.only]
    failed = []
    for system in asked if not options.page else ():
        done = subprocess.run([sys.executable, "-m", "kerashw.tune", *system.command(), "--data-dir",
                               options.data_dir, "--out", str(options.out)])  # fmt: skip
        failed += [system.study] * (done.returncode != 0)
    for system in asked:
        keep(system, options.out, KEPT)
    PAGE.write_text("\n".join(page(KEPT)) + "\n", encoding="utf-8")
    print(f"{PAGE}, without {', '.join(failed)}, which failed" if failed else PAGE)
    return int(bool(failed))


def runs(system, out):
    """{arm: (study.json, metrics.json)} of the finished runs of a system; the arm is None where there are none."""
    found = {}
    for file in sorted((out / system.study).glob("**/metrics.json")):
        metrics, study = read(file), read(file.with_name("study.json"))
        if metrics["stand_in"]:
            raise SystemExit(f"{file}: made on a stand-in for the data; the page tells of real data only.")
        found[metrics["arm"]] = study, metrics
    return found


def read(file):
    """The content of a JSON file."""
    return json.loads(file.read_text(encoding="utf-8"))


def keep(system, out, kept):
    """What the page says of a system lies in the folder `kept`, where there is a finished run of it."""
    if found := runs(system, out):
        kept.mkdir(exist_ok=True)
        here = machine()
        told = {
            "machine": f"{here['cores']} cores of {here['processor']} with {here['memory_gb']} GB of memory",
            "rows": [*rows(system, found)],
            "section": [*section(system, found, out, kept)],
        }
        record(system, kept).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def record(system, kept):
    """The file in which it lies."""
    return kept / f"{system.study}.json"


def page(kept):
    """The page, line by line, from what is kept."""
    told = {system.study: read(record(system, kept)) if record(system, kept).exists() else not_run(system)
            for system in (*SYSTEMS, *BEYOND)}  # fmt: skip
    machines = sorted({one["machine"] for one in told.values()} - {None})
    yield from ("# The fifteen systems", "")
    yield "Every experiment of the five course reports, run on the real data by the command that stands with it. The test"
    yield "items were looked at once, after the refit, where a section does not say otherwise. Written from the folders of"
    yield "the runs by"
    yield from ("", "    python -m benchmarks.results --data-dir DIR --out DIR", "")
    yield f"on {' and '.join(machines) or 'a machine to come'}. A system without a run says so. Runs on one core, and"
    yield "that of fashion_best, had other work beside them, so their minutes are more than they need."
    yield from table(SYSTEMS, told)
    yield from ("", "Beyond the reports; the section of each tells what it took:")
    yield from table(BEYOND, told)
    for system in (*SYSTEMS, *BEYOND):
        yield from told[system.study]["section"]


def table(systems, told):
    """The table of some systems."""
    yield from ("", "| system | measured | published | ours | over seeds | at least | reached |",
                "| --- | --- | --- | --- | --- | --- | --- |")  # fmt: skip
    for system in systems:
        yield from told[system.study]["rows"]


def not_run(system):
    """What the page says of a system that was not."""
    row = f"| [{system.study}](#{system.study}) | not run | | | | | |"
    smaller = ("", f"Smaller than published: {system.smaller}.") if system.smaller else ()
    return {"machine": None, "rows": [row], "section": [*headed(system, system.command()), "", "Not run.", *smaller]}


def rows(system, found):
    """The rows of a system in the table, one for each arm."""
    for arm, (_, metrics) in found.items():
        bar, published = system.bars.get(arm), metrics["published"]
        part, metric = measured(bar, metrics)
        value = metrics[part][metric]
        name = f"test {metric}" if part == "test" else metrics["objective"] if metric == "score" else metric
        stated = f"{published['value']:g}" if published else "-"
        if published and published["metric"] != name.replace(" ", "_"):
            stated += f" ({published['metric']})"
        limit = f"{'' if bar.more_is_better else 'at most '}{bar.value:g}" if bar else "-"
        others = spread(metrics, metric) if part == "test" else "-"
        met = "-" if bar is None else "yes" if bar.reached(value) else "no"
        title = f"{system.study}{'/' + arm if arm else ''}"
        yield f"| [{title}](#{system.study}) | {name} | {stated} | {value:.4g} | {others} | {limit} | {met} |"


def measured(bar, metrics):
    """(part of metrics.json, metric in it) to hold against what was published: the bar's, or the report's own.

    >>> measured(None, {"published": {"metric": "val_r2"}}), measured(None, {"published": None, "test": {"mse": 0.1}})
    (('validation', 'val_r2'), ('test', 'mse'))
    """
    if bar:
        return bar.part, bar.metric
    if not metrics["published"]:
        return "test", next(iter(metrics["test"]))
    metric = metrics["published"]["metric"]
    return ("test", metric.removeprefix("test_")) if metric.startswith("test_") else ("validation", metric)


def spread(metrics, metric):
    """Mean and standard deviation of a test metric over all refits; "-" of one refit alone."""
    found = over_seeds(metrics).get(metric)
    return f"{found.mean:.4g} ± {found.deviation:.2g} ({found.count})" if found else "-"


def headed(system, command):
    """The head of a section, with what was typed after `python -m kerashw.tune`, or is to be."""
    return "", f"## {system.study}", "", f"    python -m kerashw.tune {shlex.join(command)}"


def section(system, found, out, kept):
    """What was done for a system: command, budget, winner, figures, whose pictures go to the folder `kept`."""
    yield from headed(system, next(typed(study["command"]) for study, _ in found.values()))
    for arm, (study, metrics) in found.items():
        yield from ("", f"{f'`{arm}`: ' if arm else ''}{budget(study, metrics)}")
        if metrics["winner"]:
            won = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                            for name, value in metrics["winner"].items())  # fmt: skip
            yield f"Winner: {won}."
    if system.smaller:
        length = duration(sum(published_seconds(system.study, arm, metrics) for arm, (_, metrics) in found.items()))
        yield from ("", f"Smaller than published: {system.smaller}. The published budget would take about {length} on the "
                        "same processors, judged by the time an item took in the refit.")  # fmt: skip
    if system.beside:
        yield from ("", system.beside)
    if system.why and (told := system.why(out)):
        yield from ("", told)
    for figure in system.figures:
        yield from shown(system, figure, out, kept)


def typed(command):
    """What was typed after `python -m kerashw.tune`, without the folders of this machine and what is only shown.

    >>> typed(["python", "-m", "kerashw.tune", "--task", "mnist", "--out", "/home/me/runs", "-q", "--refits", "3"])
    ['--task', 'mnist', '--refits', '3']
    """
    words = iter(command[3:])
    return [word for word in words if word not in ("-q", "--overwrite")
            and not (word in ("--out", "--data-dir") and next(words))]  # fmt: skip


def budget(study, metrics):
    """What a run spent, in a sentence."""
    counts = metrics["trials"]
    fates = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    total = sum(counts.values())
    seconds, refit = metrics["seconds"], metrics["refit"]
    networks = refit.get("networks", 1)
    several = f"each of the {networks} refits" if networks > 1 else "the refit"
    clock = f"; {seconds['total'] / 60:.1f} min by the clock in all" if "--workers" in study["command"] else ""
    return (
        f"Seed {study['seed']}; {total:,} trial{'s' * (total != 1)} ({fates}) in {seconds['trials'] / 60:.1f} min of training"
        f"{' on one core' if study['hardware']['processors'] == 1 else ''}; "
        f"{several} took {refit['epochs']:,} epochs on {refit['items']:,} items, {seconds['refit'] / 60:.1f} min"
        f"{' of training in all' * (networks > 1)}{clock}; "
        f"{metrics['parameters']:,} parameters; begun at commit {(study['git_commit'] or 'none')[:12]}."
    )


def published_seconds(study, arm, metrics):
    """How long the published budget would take: its trials with all their epochs, and its refit.

    `metrics` are those of a smaller run, whose refit tells how long an epoch of so many items takes.
    """
    _, whole, _ = find(study)
    whole = (whole.arm(arm) if arm else whole).at("paper")
    epochs = whole.settings["epochs"]
    longest, mean = (max(epochs.values), statistics.mean(epochs.values)) if isinstance(epochs, Choice) else (epochs, epochs)
    trials = whole.search.trials or math.prod(len(space.values) for space in whole.searched.values())
    trained = whole.folds - 1 if whole.folds else 1 - whole.validation  # items of all trainings of a trial
    refit = metrics["refit"]
    each = metrics["seconds"]["refit"] / refit["epochs"] / refit.get("networks", 1)
    return each * (trials * mean * whole.executions * trained + (whole.refit_epochs or longest))


def shown(system, figure, out, kept):
    """A figure of a run, made small beside the page, with the caption that the run wrote."""
    from PIL import Image

    place = out / system.study / Path(figure).parent / "figures" / Path(figure).name
    if not place.with_suffix(".png").exists():
        return
    told = read(place.with_suffix(".json"))
    name = f"{system.study}-{figure.replace('/', '-')}.png"
    with Image.open(place.with_suffix(".png")) as picture:
        picture.thumbnail((WIDEST, WIDEST))
        picture.convert("RGB").quantize(256).save(kept / name, optimize=True)
    yield from ("", f"![{told['title']}](results/{name})", "", told["caption"])


if __name__ == "__main__":
    sys.exit(main())
