"""The page of several runs: what each came to, whether they differ by more than chance, and in what they differ."""

import itertools
import math
import os
import shlex
from dataclasses import fields
from urllib.parse import quote

import numpy as np

from kerashw import paired
from kerashw.figures.style import counted, number
from kerashw.pages.blocks import Cell, Code, Facts, Notice, Page, section, table
from kerashw.pages.kept import Kept
from kerashw.pages.pictures import further, galleries, take
from kerashw.pages.result import main_metric
from kerashw.pages.words import in_words
from kerashw.pictures import COMPARISONS
from kerashw.settings import TRAINING
from kerashw.study import Study
from kerashw.verdict import ends, short

SCORED_ALIKE = ("data_sha256", "seed")  # of study.json, and of its declaration the next: then the folds are the same
FOLDED_ALIKE = ("folds", "validation", "executions", "score_epoch")
TEXT_OF_P = 1e-4  # a smaller p is told as below this


def comparison(records, *, title, figures, folder):
    """The Page of {name: Record}, for a file in `folder`; `figures` is where those that compare them lie."""
    kept = {name: Kept.read(record.run) for name, record in records.items()}
    found = galleries(figures, folder, COMPARISONS)
    warnings = list(dict.fromkeys(one.warning for one in kept.values() if one.warning))
    sections = (
        results(kept, found, folder), chance(records, kept), differences(kept), training(found),
        section("evaluation", "Evaluation", *take(found, "evaluation")) if "evaluation" in found else None,
        commands(kept), further(found),
    )  # fmt: skip
    about = f"{counted(len(kept), 'run')} compared: {', '.join(kept)}"
    return Page(title, about, " ".join(warnings) or None, tuple(one for one in sections if one is not None))


def results(kept, found, folder):
    """The section with a row for each run."""
    all_metrics = [one.metrics for one in kept.values()]
    main = main_metric(all_metrics[0])
    best = (max if main == "accuracy" else min)(all_metrics, key=lambda one: one["test"][main])
    name = list(kept)[all_metrics.index(best)]
    between = best.get("interval")
    told = f"{name} does best on the test items: {main} {short(best['test'][main])}"
    columns = {
        "run": [_linked(name, one.run.report_file, folder) for name, one in kept.items()],
        f"test {main}": [Cell(short(one["test"][main]), one["test"][main]) for one in all_metrics],
        "95 % interval": [_interval(one) for one in all_metrics],
        "baseline": [one["baseline"]["value"] if one.get("baseline") else None for one in all_metrics],
        "validation": [Cell(f"{one['objective']} {number(one['validation']['score'])}", one["validation"]["score"])
                       for one in all_metrics],
        "std": [one["validation"]["deviation"] for one in all_metrics],
        "parameters": [one["parameters"] for one in all_metrics],
        "trials": [sum(one["trials"].values()) for one in all_metrics],
        "failed": [one["trials"]["failed"] for one in all_metrics],
        "pruned": [one["trials"]["pruned"] for one in all_metrics],
        "epochs": [one["refit"]["epochs"] for one in all_metrics],
        "seconds": [Cell(f"{one['seconds']['total']:,.1f}", one["seconds"]["total"]) for one in all_metrics],
    }  # fmt: skip
    if any(one["published"] for one in all_metrics):
        columns["published"] = [_published(one["published"]) for one in all_metrics]
    other_data = len({one.study["data_sha256"] for one in kept.values()}) > 1
    return section(
        "results", "Results",
        Notice("The runs have not seen the same data: their results do not compare like with like.", loud=True)
        if other_data else None,
        Notice(f"{told} ({ends(between)})." if between else f"{told}."),
        table(columns, is_sortable=True), *take(found, "results"),
    )  # fmt: skip


def _interval(metrics):
    return ends(metrics["interval"]).partition(" % ")[2] if metrics.get("interval") else ""


def _published(stated):
    return f"{stated['metric']} {stated['value']:g}, {stated['report']}" if stated else ""


def differences(kept):
    """The section with what was asked for and won differently; what is the same for all is left out."""
    asked = {name: _asked(one.study) for name, one in kept.items()}
    # A run of an earlier version does not tell what it could not be asked for.
    won = {name: {key: in_words(value) for key, value in {**TRAINING, **one.metrics["settings"]}.items()}
           for name, one in kept.items()}  # fmt: skip
    rows = _different(asked)
    # What was fixed has been told by what was asked for.
    rows |= {f"winner: {key}": values for key, values in _different(won).items() if rows.get(key) != values}
    if not rows:
        return section("differences", "Differences in settings", Notice("The runs were asked for the same."))
    columns = {"setting": list(rows)}
    columns |= {name: [values[place] for values in rows.values()] for place, name in enumerate(kept)}
    return section("differences", "Differences in settings", table(columns))


def _different(columns):
    """{name: a value for each run} of what is not the same in all of {run: {name: value}}."""
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = {name: [column.get(name, "") for column in columns.values()] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _asked(study):
    """{what was asked: in words}, settings by their own names."""
    declaration = study["declaration"]
    # What a run of an earlier version was not asked is as its default.
    asked = {part.name: declaration.get(part.name, part.default) for part in fields(Study)}
    elsewhere = ("settings", "published", "arms", "quick")
    of_search = {name: in_words(value) for name, value in asked.items() if name not in elsewhere}
    of_run = {name: in_words(study[name]) for name in ("study", "seed", "preset", "time_budget", "data_sha256")}
    return {**of_run, **of_search, **{name: in_words(value) for name, value in declaration["settings"].items()}}


def training(found):
    """The section with the curves over each other; None without figures."""
    return section("training", "Training", *take(found, "training")) if "training" in found else None


def chance(records, kept):
    """The section that tells for each pair of runs whether they differ by more than chance."""
    scores, answers = [], []
    for one, other in itertools.combinations(records, 2):
        if _folded_alike(kept[one], kept[other]):
            scores.append((one, other, paired.of_scores(*(records[name].winner.fold_scores() for name in (one, other)))))
        if _tested_alike(records[one].dataset, records[other].dataset):
            answers.append((one, other, _answers(records[one], records[other])))
    objective = next(iter(kept.values())).metrics["objective"]
    what = "Right answers" if next(iter(records.values())).dataset.classes else "Squared errors"
    notes = []
    if not scores:
        notes.append(Notice("No two runs were validated on the same folds, so their scores cannot be paired."))
    if not answers:
        notes.append(Notice("No two runs were tested on the same items, so their answers cannot be paired."))
    return section(
        "chance", "More than chance?",
        _tests(scores, f"{objective} of the winners, fold by fold. Folds share training items, so p is rather too "
               "small than too large.", "folds") if scores else None,
        _tests(answers, f"{what} on the same test items.", "test items") if answers else None,
        *notes,
        Notice("p is how likely a difference of this size is by chance alone; it is not corrected for the number of "
               "pairs."),
    )  # fmt: skip


def _tests(rows, note, what):
    names = list(rows[0][2].p)
    return table({
        "run": [one for one, _, _ in rows], "less": [other for _, other, _ in rows],
        "mean difference": [Cell(f"{found.difference:+.3g}", found.difference) for _, _, found in rows],
        what: [found.n for _, _, found in rows],
        **{f"p, {name}": [_probability(found.p[name]) for _, _, found in rows] for name in names},
    }, note=note, is_sortable=True)  # fmt: skip


def _probability(p):
    if math.isnan(p):
        return Cell("not known")
    return Cell(f"< {TEXT_OF_P:g}" if p < TEXT_OF_P else f"{p:.4f}", p)


def _folded_alike(one, other):
    """Whether two winners were scored on the very same folds, at least two of them."""
    first, second = one.study, other.study
    alike = all(first[name] == second[name] for name in SCORED_ALIKE)
    alike = alike and all(first["declaration"][name] == second["declaration"][name] for name in FOLDED_ALIKE)
    return alike and first["declaration"]["folds"] > 1 and one.metrics["objective"] == other.metrics["objective"]


def _tested_alike(one, other):
    return np.array_equal(one.x_test, other.x_test) and np.array_equal(one.y_test, other.y_test)


def _answers(one, other):
    """Right and wrong answers where there are classes, else squared errors."""
    y = one.dataset.y_test
    if one.dataset.classes:
        return paired.of_answers(*(record.outputs.argmax(axis=-1) == y for record in (one, other)))
    return paired.of_errors(*(((record.outputs - y) ** 2).mean(axis=-1) for record in (one, other)))


def commands(kept):
    """The section on how each run was made."""
    every = dict.fromkeys(shlex.join(one.study["command"]) for one in kept.values())
    commits = {name: one.study["git_commit"] or "none" for name, one in kept.items()}
    same = len(set(commits.values())) == 1
    return section(
        "commands", "How they were made", *map(Code, every),
        Facts({"git commit": next(iter(commits.values()))} if same else
              {f"git commit of {name}": commit for name, commit in commits.items()}),
    )  # fmt: skip


def _linked(name, path, folder):
    """The name of a run with a link to its own page, where it has one."""
    return Cell(name, link=quote(os.path.relpath(path, folder).replace(os.sep, "/")) if path.exists() else None)
