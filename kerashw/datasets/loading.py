"""`load`: a name, and perhaps a folder, becomes a `Dataset` from the first source that has it."""

import os
import sys
from collections.abc import Callable
from urllib.parse import urljoin

from kerashw.datasets import downloads, network, standins
from kerashw.datasets.dataset import Dataset
from kerashw.datasets.folder import read_folder
from kerashw.datasets.known import KNOWN, Known, describe
from kerashw.errors import UsageError


def to_stderr(line: str) -> None:
    """Say one line where progress is said."""
    print(line, file=sys.stderr, flush=True)


def load(name: str, data_dir: str | os.PathLike | None = None, *, allow_stand_in: bool = True,
         classes: tuple[str, ...] | None = None, say: Callable[[str], None] = to_stderr) -> Dataset:
    """The data set `name`: from `data_dir` if given, else prepared by tensorflow-datasets, else downloaded by it.

    If no network answers within three seconds it is a stand-in, which `say` tells and `Dataset.stand_in` records;
    with `allow_stand_in=False` that is refused. `classes` names the classes of your own data, in order of labels.

    >>> data = load("regression", say=print)        # doctest: +ELLIPSIS
    STAND-IN DATA for regression: a generated noisy function... (it has no download). For real data give ...
    """
    known = KNOWN.get(name)
    if data_dir is not None:
        folders = known.folders if known else (_folder_name(name),)
        return read_folder(name, data_dir, folders, classes or (known.classes if known else None) or None,
                           known.task if known else None)
    known = describe(name)
    why_not = "it has no download"
    if known.builder:
        builder = downloads.builder_of(known)
        if downloads.is_prepared(builder):
            return _from_tensorflow_datasets(name, known, builder, classes)
        why_not = network.why_no_answer(urljoin(builder.URL, downloads.SMALLEST_FILE))
        if why_not is None:
            say(f"downloading {known.title} from {builder.URL} to {builder.data_dir}")
            downloads.download(builder)
            return _from_tensorflow_datasets(name, known, builder, classes)
    way_out = f"give a folder with {known.title} by --data-dir"
    if not allow_stand_in:
        raise UsageError(f"no real data for {name}: {why_not}, and a stand-in is not allowed; {way_out}")
    dataset = standins.stand_in(name, classes or known.classes)
    say(f"STAND-IN DATA for {name}: {dataset.source.removeprefix('stand-in: ')} ({why_not}). "
        f"For real data {way_out}{', or connect to a network' if known.builder else ''}.")
    return dataset


def _from_tensorflow_datasets(name: str, known: Known, builder, classes) -> Dataset:
    return Dataset(name, **downloads.read_prepared(builder), classes=classes or known.classes,
                   source="tensorflow-datasets")


def _folder_name(name: str) -> str:
    if not name or name != os.path.basename(name) or name in (".", "..") or "\\" in name:
        raise UsageError(f"data set name {name!r} names no folder, expected a plain name such as "
                         f"{', '.join(KNOWN)} or that of a folder in --data-dir")
    return name
