"""The studies: one short file each; `find` gives one by name, or a person's own from a file."""

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

from kerashw.errors import UsageError, closest
from kerashw.study import Study


def names():
    """The names `--task` knows, in alphabetical order.

    >>> "mnist" in names()
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(task):
    """(name, study, its one-line description) of a known study, or of a Python file that sets STUDY."""
    path = Path(task)
    if task in names():  # even where a folder of that name lies here
        module = importlib.import_module(f"{__name__}.{task}")
        name = task
    elif task and (path.suffix == ".py" or path.is_dir() or "/" in task or "\\" in task):
        module = _from_file(path)
        name = path.stem
    else:
        raise UsageError(
            f"--task {task!r}: no such study.{closest(task, names())} Known: {', '.join(names())}; "
            "or give a file such as my_study.py that sets STUDY."
        )
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise UsageError(f"{task}: sets no STUDY = Study(...); see the README's section on your own study.")
    lines = (module.__doc__ or "").strip().splitlines()
    return name, study, lines[0].strip() if lines else ""


def _from_file(path):
    if not path.is_file():
        raise UsageError(f"--task {path}: no such file; give a study's name or a Python file that sets STUDY.")
    if path.suffix != ".py":
        raise UsageError(f"--task {path}: a study is a Python file, ending in .py.")
    name = f"kerashw_study_{path.stem}"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path.resolve()))
    sys.modules[name] = module  # classes registered for saving find their module by name
    try:
        # Not by the loader, which would leave a __pycache__ there and trust it for an edit within the same second.
        exec(compile(path.read_bytes(), str(path.resolve()), "exec"), vars(module))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        line = getattr(error, "lineno", None) or _line_within(path, error)
        where = f"{path}, line {line}" if line else f"{path}"
        raise UsageError(f"{where}: the study cannot be read: {type(error).__name__}: {error}") from None
    return module


def _line_within(path, error):
    trace, line = error.__traceback__, None
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
