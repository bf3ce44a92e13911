"""A folder of data files becomes a `Dataset`, whichever of the understood formats it holds."""

from pathlib import Path

import numpy as np

from kerashw.datasets import idx, npz, tables
from kerashw.datasets.dataset import MOST_CLASSES, Dataset
from kerashw.errors import UsageError


def read_folder(name: str, data_dir: str | Path, subfolders: tuple[str, ...], classes: tuple[str, ...] | None,
                task: str | None) -> Dataset:
    """The data set in a sub-folder of `data_dir` or else directly in it, in any understood format.

    Without `classes` whole numbers are labels of classes named "0", "1" ..., text names the classes (sorted),
    and any other numbers are targets of a regression, as are all numbers in a CSV file. `task` settles which.
    """
    data_dir = Path(data_dir).expanduser()
    if not data_dir.is_dir():
        raise UsageError(f"--data-dir {data_dir} is {'not a folder' if data_dir.exists() else 'missing'}, "
                         f"expected a folder with data files")
    folders = [data_dir / subfolder for subfolder in subfolders if (data_dir / subfolder).is_dir()] + [data_dir]
    for folder in folders:
        try:
            found = _read(folder, classes, task)
        except OSError as reason:
            raise UsageError(f"{folder} cannot be read ({reason.strerror})") from None
        if found:
            arrays, classes, where = found
            try:
                return Dataset(name, **arrays, classes=classes, source=f"folder {folder}")
            except UsageError as error:
                raise UsageError(f"{where}: {error}") from None
    raise UsageError(f"no data for {name} in {', '.join(map(str, folders))}: looked for {idx.LOOKED_FOR}; "
                     f"{npz.LOOKED_FOR}; {tables.LOOKED_FOR}")


def _read(folder, classes, task):
    arrays = idx.read_idx_folder(folder, len(classes) if classes else None)
    if arrays:
        return arrays, *_labels(folder, arrays, classes, task)
    path = npz.find_npz(folder)
    if path:
        arrays = npz.read_npz(path)
        return arrays, *_labels(path, arrays, classes, task)
    pair = tables.read_table_folder(folder)
    if pair:
        train, test = pair
        arrays = dict(x_train=train.features, y_train=train.target, x_test=test.features, y_test=test.target,
                      columns=train.header[:-1])
        return arrays, *_labels(f"{train.path}, {test.path.name}", arrays, classes, task)
    return None


def _labels(where, arrays, classes, task):
    """Settle the classes of raw targets, number the targets accordingly, in place, and hand on `where`."""
    targets = {part: _plain(arrays[part]) for part in ("y_train", "y_test")}
    texts = [isinstance(target, list) for target in targets.values()]
    if texts[0] != texts[1]:
        raise UsageError(f"{where}: one of y_train and y_test holds text and the other numbers")
    if texts[0]:
        if task == "regression":
            raise UsageError(f"{where}: targets are text such as {targets['y_train'][0][:40]!r}, expected numbers")
        classes = classes or tuple(sorted(set(targets["y_train"])))
        _check_count(where, len(classes))
        targets = {part: _numbered(where, target, classes) for part, target in targets.items()}
    elif task == "regression" or not classes and targets["y_train"].dtype.kind == "f":
        classes = ()
    elif classes:
        targets = {part: _whole(where, target, classes) for part, target in targets.items()}
    else:
        highest = max((int(target.max()) for target in targets.values() if target.size), default=0)
        _check_count(where, highest + 1)
        classes = tuple(map(str, range(max(2, highest + 1))))
    arrays.update(targets)
    return classes, where


def _plain(target):
    """Text as a list, and truth values as the labels 0 and 1."""
    if isinstance(target, list):
        return target
    if target.dtype.kind == "U":
        return target.ravel().tolist()
    return target.astype(np.uint8) if target.dtype.kind == "b" else target


def _check_count(where, count):
    if count > MOST_CLASSES:
        raise UsageError(f"{where}: targets mean {count:,} classes, more than the limit of {MOST_CLASSES:,}; "
                         f"number classes from 0, or store the targets of a regression as decimals")


def _numbered(where, texts, classes):
    numbers = {name: number for number, name in enumerate(classes)}
    strange = next((text for text in texts if text not in numbers), None)
    if strange is not None:
        known = " ".join(", ".join(name[:40] for name in classes[:20]).split())          # names may hold line breaks
        raise UsageError(f"{where}: a target is {strange[:40]!r}, expected one of {known}")
    return np.array([numbers[text] for text in texts], np.int64)


def _whole(where, target, classes):
    if not np.all((np.abs(target) < 2.0**53) & (target == np.floor(target))):       # beyond it floats skip numbers
        raise UsageError(f"{where}: targets are decimals, expected labels from 0 to {len(classes) - 1}")
    return target.astype(np.int64)
