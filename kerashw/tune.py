"""`python -m kerashw.tune --task NAME`: search, refit the winner, test it, draw its figures and export it."""

import contextlib
import json
import math
import shlex
import sys
import time
from pathlib import Path

from kerashw import interrupts
from kerashw.commands import from_environment, quiet_tensorflow, run
from kerashw.crew import Crew
from kerashw.errors import Damaged, UsageError
from kerashw.options import parser
from kerashw.recovery import has_lost_its_study, is_whole, put_aside, recover
from kerashw.request import check_own, check_same, choose_anew, declaration, is_chosen, resolve
from kerashw.run import Run, check_writable
from kerashw.summary import intention, summary, title
from kerashw.supervision import supervise


def main(argv):
    """The exit code of the verb; where it is interrupted, the command that continues is printed."""
    began = time.monotonic()
    options = from_environment(parser(), argv).parse_args(argv)
    with interrupts.listening():
        try:
            return check_and_make(options, argv, began)
        except BaseException as error:
            if options.dry_run or not interrupts.is_behind(error):
                raise
            words = [word for word in argv if word != "--overwrite" or options.overwrite]
            again = shlex.join(["python", "-m", "kerashw.tune", *words])
            print(f"\nkerashw: interrupted; all that is finished is kept. To continue: {again}", file=sys.stderr)
            return interrupts.exit_code()


def check_and_make(options, argv, began):
    """Resolves, checks, then runs; nothing is written before everything that can be checked has been."""
    crew_of(options)
    all_resolved = resolve(options)
    for resolved in all_resolved:
        check_writable(resolved.run.folder)
        check_own(resolved.run)
        with contextlib.suppress(Damaged):  # what is damaged is put right below
            check_kept(resolved, options, declaration(resolved, options))
    if options.dry_run:
        return dry_run(all_resolved, load_and_check(all_resolved, options), options)
    with contextlib.ExitStack() as locks:
        # Early, so that a second process is told at once; a folder that is not there yet comes last.
        new = [resolved for resolved in all_resolved if not resolved.run.folder.exists()]
        for resolved in all_resolved:
            if resolved not in new:
                hold(resolved, options, locks)
        supervise([resolved.run for resolved in all_resolved if resolved not in new], say)
        dataset = load_and_check(all_resolved, options)
        check_work([one for one in all_resolved if options.overwrite or not one.run.exists], dataset, options)
        for resolved in new:
            hold(resolved, options, locks)
            check_kept(resolved, options, {"data_sha256": dataset.digest})
        return make(all_resolved, dataset, options, argv, began)


def crew_of(options):
    """Who is to train; UsageError where that cannot be."""
    return Crew(options.workers, options.ray, options.cpus_per_trial, options.gpus_per_trial, options.verbose)


def hold(resolved, options, locks):
    """The run is ours while the locks last, and what is damaged in it is put right."""
    if resolved.run.is_finished and not options.overwrite and is_whole(resolved.run) and is_chosen(resolved):
        return
    locks.enter_context(resolved.run.locked()).sweep()
    check_own(resolved.run)
    if not options.overwrite and (resolved.run.exists or has_lost_its_study(resolved.run)):
        recover(resolved.run, say)
    check_kept(resolved, options, declaration(resolved, options))


def check_kept(resolved, options, wanted):
    """Nothing, where what lies in the run's folder is the same run, or may be overwritten."""
    if not options.overwrite:
        check_same(resolved, wanted)


def say(text):
    """A line on stderr that a person has to see, however quiet."""
    print(text, file=sys.stderr, flush=True)


def load_and_check(all_resolved, options):
    """The data set of all runs, which goes together with each."""
    dataset = load_data(all_resolved[0].study, options)
    interrupts.check()
    for resolved in all_resolved:
        check_task(resolved, dataset)
        check_kept(resolved, options, {"data_sha256": dataset.digest})
    return dataset


def make(all_resolved, dataset, options, argv, began):
    """The runs, made one after the other, and printed."""
    if options.overwrite:
        for resolved in all_resolved:
            if resolved.run.exists:
                resolved.run.clear()
        options.overwrite = False  # what lies there from now on is of this command, and continued by it
    command = ["python", "-m", "kerashw.tune", *argv]
    for resolved in all_resolved:
        choose_anew(resolved, command)
    any_fresh = not all(one.run.is_finished for one in all_resolved)
    if any_fresh and (above := parent_of(all_resolved[0])):
        above.report_file.unlink(missing_ok=True)  # it tells of runs that will be others; written again at the end
    results = {}
    for place, resolved in enumerate(all_resolved):
        now = time.monotonic()
        share = (began + (options.time_budget or math.inf) - now) / (len(all_resolved) - place)
        arms = [one.arm for one in all_resolved if one.arm]
        results[resolved.arm] = run_one(resolved, dataset, options, command, arms, end=now + max(share, 1.0))
    compare_arms(all_resolved, dataset, options, anew=any_fresh)
    if options.json:
        print(json.dumps(results if all_resolved[0].arm else results[None], indent=2))
    else:
        for resolved in all_resolved:
            print(summary(resolved, results[resolved.arm]))
        above = parent_of(all_resolved[0])
        if above is not None:
            print(f"{all_resolved[0].name}: the arms are compared in {above.report_file}")


def load_data(study, options):
    """The data set of a study, or its first --samples items."""
    from kerashw.datasets import load, with_samples

    dataset = load(study.data, options.data_dir, allow_stand_in=not options.no_stand_in)
    return dataset if study.samples is None else with_samples(dataset, study.samples, options.seed)


def check_task(resolved, dataset):
    """Nothing where study and data go together."""
    classes = dataset.task == "classification"
    for objective in resolved.study.objectives or (resolved.study.objective,):
        if objective in (("val_mse", "val_r2") if classes else ("val_accuracy",)):
            raise UsageError(f"objective {objective} does not fit {dataset.name}, which is a {dataset.task}.")


def check_work(fresh, dataset, options):
    """Nothing where the runs that are to begin can be split and built: they leave no trace where they cannot."""
    from kerashw.splits import split

    for resolved in fresh:
        study = resolved.study
        split(dataset.y_train, stratify=bool(dataset.classes), folds=study.folds, validation=study.validation)
    if fresh:
        start_tensorflow(options, fresh[0])
        from tuning.pipeline import make_setup
        from tuning.search import prepare

        for resolved in fresh:
            prepare(make_setup(resolved.study, dataset, resolved.run, seed=options.seed, progress=None))


def start_tensorflow(options, resolved):
    """TensorFlow is imported; that takes seconds, so it is said."""
    if not options.quiet and "tensorflow" not in sys.modules:
        print(f"{resolved.run.folder}: starting TensorFlow", file=sys.stderr)
    quiet_tensorflow(options.verbose)


def run_one(resolved, dataset, options, command, arms, end):
    """The metrics of one run, made, continued, or read where it is finished; `end` as in time.monotonic.

    `arms` are the names of all runs of its comparison, in their order. The report comes last: where a process was
    killed before, the same command writes it.
    """
    one = resolved.run
    if one.is_finished and not put_aside(one, say):
        say(f"{one.folder}: finished before; --overwrite begins anew.")
        if not one.report_file.exists():
            say(f"{one.report_file}: is missing: made again.")
            report_on(resolved, options)
        return one.metrics()
    from kerashw.provenance import of_data, origin

    total = end - time.monotonic()
    if not one.exists:
        one.begin({
            **declaration(resolved, options), "preset": options.preset, "data_sha256": dataset.digest,
            "data": of_data(dataset), "data_dir": options.data_dir and str(Path(options.data_dir).expanduser().resolve()),
            "command": command, "arms": arms, **origin(),
        })  # fmt: skip
    start_tensorflow(options, resolved)
    from kerashw.progress import Progress
    from tuning.pipeline import execute, make_setup
    from tuning.standing import Budget

    progress = Progress(title(resolved), quiet=options.quiet, end=end)
    setup = make_setup(resolved.study, dataset, one, seed=options.seed, progress=progress,
                       crew=crew_of(options))  # fmt: skip
    about = {"study": resolved.name, "arm": resolved.arm, "preset": options.preset, "seed": options.seed,
             "stand_in": dataset.stand_in, "data": dataset.source}  # fmt: skip
    metrics = execute(
        setup, dataset, about=about, budget=Budget(end=end, total=total), figures=not options.no_figures
    )
    report_on(resolved, options)
    return metrics


def report_on(resolved, options):
    """The page of a finished run, from what its folder holds."""
    start_tensorflow(options, resolved)
    from kerashw.pages import write_report

    return write_report(resolved.run)


def compare_arms(all_resolved, dataset, options, anew):
    """The page and the figures that set the arms of a study beside each other, where they are not there yet."""
    above = parent_of(all_resolved[0])
    is_there = above is not None and above.report_file.exists() and (options.no_figures or above.figures.is_dir())
    if above is None or (is_there and not anew):
        return
    start_tensorflow(options, all_resolved[0])
    from kerashw.pages import write_comparison
    from kerashw.pictures import Record
    from kerashw.progress import Progress

    records = {one.arm: Record.read(one.run, dataset) for one in all_resolved}
    say = None if options.no_figures else Progress("", quiet=options.quiet).say
    write_comparison(records, above, above.report_file, title=all_resolved[0].name, say=say)


def parent_of(resolved):
    """The run above an arm, which holds no more than what compares the arms; None of a run without arms."""
    return Run(resolved.run.folder.parent) if resolved.arm else None


def dry_run(all_resolved, dataset, options):
    """Prints each resolved study, its trials and epochs, and an estimate of time measured on a few batches."""
    quiet_tensorflow(options.verbose)
    from tuning.estimate import estimate

    plans = [{
        **declaration(resolved, options), "folder": str(resolved.run.folder), "data": dataset.source,
        "stand_in": dataset.stand_in, "estimate": estimate(resolved.study, dataset, seed=options.seed),
    } for resolved in all_resolved]  # fmt: skip
    if options.json:
        print(json.dumps(plans if all_resolved[0].arm else plans[0], indent=2))
        return
    for resolved, plan in zip(all_resolved, plans):
        print(intention(resolved, dataset, plan["estimate"]))


if __name__ == "__main__":
    sys.exit(run(main))
