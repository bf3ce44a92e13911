"""What a `tune` command asks for: the runs with everything decided, and whether their folders are free for them."""

import contextlib
import json
import os
import re
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path

from kerashw.errors import UsageError
from kerashw.recovery import has_lost_its_study
from kerashw.run import Run
from kerashw.selection import winner_of
from kerashw.space import SEARCHES, Bayesian
from kerashw.study import Study
from tuning.studies import find

TRIALS = 20  # of a tuner the study does not name, unless --trials says more
LONGEST_NAME = 255  # bytes, on every usual file system


@dataclass(frozen=True)
class Resolved:
    """One run to make: a study with everything decided, and the folder it goes to."""

    name: str
    arm: str | None
    study: Study
    run: Run


def resolve(options):
    """The runs a command line asks for: one, or one for each arm of a comparison."""
    name, study, _ = find(options.task)
    folder = Path(options.out) / checked_name(options.name or name)
    arms = [(arm, study.arm(arm), folder / arm) for arm in study.arms] or [(None, study, folder)]
    return [
        Resolved(name, arm, changed(one.at(options.preset), options), Run(place)) for arm, one, place in arms
    ]


def checked_name(name):
    """The name of a run, which is one folder below --out."""
    if not name.strip() or name in (".", "..") or "/" in name or "\\" in name:
        raise UsageError(f"--name {name!r}: one folder name is needed; --out says where it goes.")
    if not re.fullmatch("[^\x00-\x1f\x7f\ud800-\udfff]*", name):
        raise UsageError(f"--name {name!r}: a name of text in one line is needed.")
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise UsageError(f"--name {name[:20]!r}...: a folder's name has at most {LONGEST_NAME} bytes.")
    return name


def changed(study, options):
    """The study with what the command line says of search, fields and settings."""
    changes = {name: value for name in ("folds", "executions", "refits", "samples")
               if (value := getattr(options, name)) is not None}  # fmt: skip
    if options.ensemble is not None:
        changes.update(refits=options.ensemble, ensemble=options.ensemble > 1)
    if options.prune is not None:
        changes["prune"] = None if options.prune == "none" else options.prune
    if options.objectives is not None:
        one, several = (options.objectives[0], None) if len(options.objectives) == 1 else (None, options.objectives)
        changes.update(objective=one, objectives=several, winner=study.winner if several else None)
    if options.winner is not None:
        changes["winner"] = options.winner
    if options.epochs is not None:
        changes.update(epochs=options.epochs, refit_epochs=None)
    if options.refit_epochs is not None:
        changes["refit_epochs"] = options.refit_epochs
    search = study.search
    if options.tuner and options.tuner != search.name:
        kind = SEARCHES[options.tuner]
        takes_all = options.tuner in ("grid", "hyperband")  # these end by themselves
        search = kind() if takes_all else kind(trials=search.trials or TRIALS)
    if options.trials is not None:
        search = replace(search, trials=options.trials)
    if options.coarse is not None:
        if not isinstance(search, Bayesian):
            raise UsageError(f"--coarse is for the bayesian tuner, which learns from the grid; this one is {search.name}.")
        if options.coarse == 1:
            raise UsageError("--coarse 1: expected at least 2 values of each range, or 0 to begin with draws.")
        search = replace(search, coarse=options.coarse or None, initial=None if options.coarse else search.initial)
    for key, value in options.settings:
        if key in Study.__dataclass_fields__:
            raise UsageError(f"--set {key}: this is no setting of model or training; use the options of tune.")
        changes[key] = value
    if search is not study.search:
        changes["search"] = search
    return study.but(**changes) if changes else study


def declaration(resolved, options):
    """What has to be equal for a run to be continued, apart from the data's own hash."""
    return {
        "study": resolved.name,
        "arm": resolved.arm,
        "declaration": resolved.study.declaration(),
        "seed": options.seed,
        "time_budget": options.time_budget,
    }


def differences(before, now, path=""):
    """One phrase for each value that differs between two nested dicts.

    >>> differences({"seed": 0, "data": {"sha256": "a"}}, {"seed": 1, "data": {"sha256": "a"}})
    ['seed was 0, now 1']
    """
    found = []
    for key in dict.fromkeys((*before, *now)):
        old, new, name = before.get(key), now.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name} was {json.dumps(old)}, now {json.dumps(new)}")
    return found


def check_same(resolved, wanted):
    """Nothing where the folder is free or holds this very run; otherwise the list of differences."""
    if not resolved.run.exists:
        return
    kept = resolved.run.study()
    # What a run of an earlier version was not asked is as its default.
    defaults = {part.name: part.default for part in fields(Study) if part.default is not MISSING}
    kept = {**kept, "declaration": {**defaults, **kept.get("declaration", {})}}
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in the file
    found = differences({key: kept.get(key) for key in wanted}, wanted)
    found = [text for text in found if not text.startswith("declaration.winner ")]  # `choose_anew` sees to that
    if found:
        shown = [text.removeprefix("declaration.").removeprefix("settings.") for text in found]
        raise UsageError(
            f"{resolved.run.folder} holds another run ({'; '.join(shown)}): give this one a --name of its own, "
            "or --overwrite the other."
        )


def is_chosen(resolved):
    """Whether the winner of the run that lies there was, or will be, chosen as it is now wanted."""
    return resolved.run.study()["declaration"].get("winner") == resolved.study.winner


def choose_anew(resolved, command):
    """The run, unfinished again: its search stands, but another trial of it is to win. Nothing where it is the same.

    A UsageError leaves it finished, where there is no such trial.
    """
    one = resolved.run
    if not one.exists or is_chosen(resolved):
        return
    if one.is_finished:
        with contextlib.closing(one.store()) as store:
            winner_of(store.trials(), resolved.study.objectives, resolved.study.winner)
        one.metrics_file.unlink()
    one.declare({**one.study(), "declaration": resolved.study.declaration(), "command": command})


def check_own(run):
    """Nothing, unless files that a run would write over lie in a folder that is no run."""
    theirs = [path.name for path in (*run.files, *run.folders) if path.exists()]
    if theirs and not run.exists and not has_lost_its_study(run):
        raise UsageError(
            f"{run.folder} holds {', '.join(theirs)} but no study.json, so it is no run of kerashw, which would "
            "write over it: give another --name or --out."
        )
