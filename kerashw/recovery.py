"""What is damaged in a run, kept aside and put right: from its copy, or by doing again what a seed decides anyway."""

import contextlib
import json
import os
import shutil

from kerashw.ahead import fault_of_log
from kerashw.errors import Damaged, WorkError
from kerashw.formats import exports
from kerashw.run import free_place, keep_aside, write_json
from kerashw.store import Store


def has_lost_its_study(run):
    """Whether the folder is a run whose study.json is gone, as the state of its search tells."""
    return not run.exists and _study_kept(run) is not None


def is_whole(run):
    """Whether a finished run is as it was left."""
    with contextlib.suppress(Damaged):
        stores = run.store_file, run.store_copy
        return bool(run.study()) and not any(map(_fault_of_store, stores)) and not [*_faults_of_result(run)]
    return False


def recover(run, say):
    """Nothing, where study.json and trials.db are as they were written or can be put right; else Damaged.

    The damaged file stays, under another name. `say` is told in one line what was found and done. An unfinished run's
    record of exports that cannot be read is made again; `put_aside` looks at that of a finished one.
    """
    _recover_log(run, say)
    _recover_study(run, say)
    _recover_store(run, say)
    if run.is_finished:
        return
    if run.report_file.exists():  # the page is written after it
        say(f"{run.metrics_file}: is missing: made again.")
    try:
        exports.entries(run)
    except Damaged as error:
        say(f"{_first_part(error)}: kept as {keep_aside(run.exports_file).name} and made again.")


def put_aside(run, say):
    """Whether something of a finished run's result has changed; it lies aside then, and has to be made again."""
    faults = list(_faults_of_result(run))
    for path, error in faults:
        found = f"kept as {keep_aside(path).name} and " if path.exists() else ""
        say(f"{_first_part(error)}: {found}made again.")
    return bool(faults)


def _faults_of_result(run):
    """(file, what is wrong with it) of what a repeated command can make again."""
    try:
        run.metrics()
    except Damaged as error:
        yield run.metrics_file, error
    for path in (run.trials_file, run.history_file, run.exports_file):
        if not path.exists():
            yield path, f"{path}: is missing"
    try:
        kept = exports.entries(run)
    except Damaged as error:
        yield run.exports_file, error
        return
    for name in ("keras", "savedmodel"):
        try:
            if name in kept:  # not of a run of an earlier version
                exports.verify(run, name)
        except Damaged as error:
            yield exports.place_of(run, name), error


def _recover_log(run, say):
    """SQLite takes what is sound of what it wrote ahead; the whole is kept beside, and it is said that some is lost."""
    log = run.store_file.with_name(f"{run.store_file.name}-wal")
    fault = fault_of_log(log)
    if fault:
        kept = log.with_name(f".{log.name}.{os.getpid()}")
        shutil.copyfile(log, kept)
        os.replace(kept, aside := free_place(log))
        say(f"{fault}: kept as {aside.name}; trials that were written after the fault are made again.")


def _recover_study(run, say):
    try:
        run.study()
        return
    except Damaged as error:
        kept = _study_kept(run)
        if kept is None:
            raise
        lies = f"kept as {keep_aside(run.study_file).name}, " if run.exists else ""
        say(f"{_first_part(error)}: {lies}restored from {run.store_file.name}.")
    write_json(run.study_file, kept)


def _study_kept(run):
    """What study.json held, as the state of the search or its copy keeps it; None where neither can tell."""
    for path in (run.store_file, run.store_copy):
        with contextlib.suppress(WorkError, ValueError, IndexError):
            if path.exists():
                with contextlib.closing(Store(path, "ro")) as store:
                    return json.loads(store.events("study")[0])
    return None


def _recover_store(run, say):
    fault = _fault_of_store(run.store_file)
    if fault is None:
        _renew_copy(run, say)
        return
    if not run.store_copy.exists():
        if run.store_file.exists() and run.store_file.stat().st_size:
            raise Damaged(fault)
        say(f"{run.store_file}: there is no state of the search, which begins anew.")
        run.begin(run.study())
        return
    if _fault_of_store(run.store_copy):
        raise Damaged(f"{_first_part(fault)}, and so is its copy, {run.store_copy}; start anew with --overwrite.")
    lies = f"kept as {keep_aside(run.store_file).name}, " if run.store_file.exists() else ""
    beside = run.store_file.with_name(f".{run.store_file.name}.{os.getpid()}")
    try:
        shutil.copyfile(run.store_copy, beside)
        os.replace(beside, run.store_file)
    finally:
        beside.unlink(missing_ok=True)
    say(f"{_first_part(fault)}: {lies}goes on from its copy; trials that the copy lacks are made again.")


def _renew_copy(run, say):
    """A sound copy of a sound state."""
    fault = _fault_of_store(run.store_copy)
    if fault:
        lies = f"kept as {keep_aside(run.store_copy).name} and " if run.store_copy.exists() else ""
        say(f"{_first_part(fault)}: {lies}made again.")
        with contextlib.closing(run.store()) as store:
            store.copy_to(run.store_copy)


def _fault_of_store(path):
    """What is wrong with the state of a search, or None."""
    if not path.exists():
        return f"{path}: is missing"
    try:
        with contextlib.closing(Store(path, "rw")) as store:
            store.check()
            if not store.events("study") and not store.trials():
                return f"{path}: is empty"
    except Damaged as error:
        return str(error)
    return None


def _first_part(fault):
    """What is wrong, without the remedy."""
    return str(fault).partition("; ")[0]
