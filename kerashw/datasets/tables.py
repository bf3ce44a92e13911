"""train_data.csv and test_data.csv: a header row, features as numbers, the target in the last column."""

import csv
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from kerashw.errors import UsageError

LARGEST = 2 * 1024**3             # bytes of one file
TRAIN, TEST = "train_data.csv", "test_data.csv"
LOOKED_FOR = f"{TRAIN} and {TEST}"


@dataclass(frozen=True, eq=False)
class Table:
    """One file: names of columns, features as float32, and the target as float64 numbers or a list of texts."""

    path: Path
    header: tuple[str, ...]
    features: np.ndarray
    target: np.ndarray | list[str] | None


def read_table_folder(folder: Path) -> tuple[Table, Table] | None:
    """The training and the test table of `folder`, or None if it holds neither file."""
    train, test = folder / TRAIN, folder / TEST
    if not train.exists() and not test.exists():
        return None
    for path in (train, test):
        if not path.is_file():
            raise UsageError(f"{path} is {'not a file' if path.exists() else 'missing'}, expected {LOOKED_FOR}")
    tables = read_table(train), read_table(test)
    if tables[0].header != tables[1].header:
        raise UsageError(f"{test} has columns {', '.join(tables[1].header)}, "
                         f"expected {', '.join(tables[0].header)} as in {TRAIN}")
    if isinstance(tables[0].target, list) != isinstance(tables[1].target, list):
        raise UsageError(f"{test} and {TRAIN} differ in column {tables[0].header[-1]!r}: "
                         f"one holds text, the other numbers")
    return tables


def read_table(path: Path, features: int | None = None) -> Table:
    """The table in one CSV file, separated by commas, semicolons or tabs.

    The last column is the target; where so many `features` are known to be wanted, a file without it will do.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train_data.csv")
    ...     _ = path.write_text("input,label\\n0.5,2\\n1.5,4\\n")
    ...     table = read_table(path)
    >>> table.header, table.features.tolist(), table.target.tolist()
    (('input', 'label'), [[0.5], [1.5]], [2.0, 4.0])
    """
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is larger than the limit of 2 GiB")
    with _opened(path) as file:
        header, has_target, rows = _begin(path, file, features)
        values, texts, lines = array("d"), [], array("q")      # 8 bytes a number: a million rows stay small
        for line, numbers, last in rows:
            values.extend(numbers)
            texts.append(last)
            lines.append(line)
    if not texts:
        raise UsageError(f"{path} has a header row but no data")
    found = _finite(path, lines, np.frombuffer(values).reshape(len(texts), -1)).astype(np.float32)
    return Table(path, header, found, _target(path, header[-1], lines, texts) if has_target else None)


def read_features(path: Path, features: int, size: int) -> Iterator[np.ndarray]:
    """The features of a CSV file, with or without a target, as arrays of at most `size` rows; it may be of any length.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.csv")
    ...     _ = path.write_text("x\\n1\\n2\\n3\\n")
    ...     [piece.tolist() for piece in read_features(path, 1, size=2)]
    [[[1.0], [2.0]], [[3.0]]]
    """
    with _opened(path) as file:
        _, _, rows = _begin(path, file, features)
        piece = list(islice(rows, size))
        if not piece:
            raise UsageError(f"{path} has a header row but no data")
        while piece:
            lines, numbers, _ = zip(*piece)
            yield _finite(path, lines, np.array(numbers)).astype(np.float32)
            piece = list(islice(rows, size))


@contextmanager
def _opened(path):
    """The file as text; a UsageError names it where it is none or cannot be read."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8; save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as reason:
        raise UsageError(f"{path} cannot be read ({reason})") from None


def _begin(path, file, wanted):
    """The header, whether the last column is a target, and an iterator over the rows below."""
    first = file.readline(100_000)
    delimiter = next((mark for mark in ",;\t" if mark in first), None)
    file.seek(0)
    rows = csv.reader(file, delimiter=delimiter or ",")
    header = tuple(name.strip() for name in next(rows, []))
    if not any(header):
        raise UsageError(f"{path} is empty, expected a header row and data")
    if all(_is_number(name) for name in header):
        raise UsageError(f"{path}, line 1 holds only numbers, expected a header row with names of columns")
    if wanted is not None and len(header) not in (wanted, wanted + 1):
        raise UsageError(f"{path} has {len(header)} columns, expected {wanted} feature(s), with or without a target")
    has_target = wanted is None or len(header) > wanted
    if has_target and len(header) < 2:
        raise UsageError(f"{path} has the one column {header[0]!r}, expected features and a target "
                         f"separated by commas or semicolons")
    return header, has_target, _rows(path, rows, header, has_target)


def _rows(path, rows, header, has_target):
    """Line, features and text of the last column of every row."""
    for row in rows:
        if not row:                                         # a blank line, as many files end with
            continue
        if len(row) != len(header):
            raise UsageError(f"{path}, line {rows.line_num} has {len(row)} columns, expected {len(header)}")
        try:
            numbers = [*map(float, row[:-1] if has_target else row)]
        except ValueError:
            name, cell = next((n, c) for n, c in zip(header, row) if not _is_number(c))
            raise UsageError(f"{path}, line {rows.line_num}, column {name!r} holds {cell[:40]!r}, "
                             f"expected a number with a decimal point") from None
        yield rows.line_num, numbers, row[-1]


def _target(path, name, lines, texts):
    try:
        return _finite(path, lines, np.fromiter(map(float, texts), np.float64, len(texts))[:, None])[:, 0]
    except ValueError:
        pass
    texts = [text.strip() for text in texts]
    first_is_number = _is_number(texts[0])
    for line, text in zip(lines, texts):                    # one wrong cell must not turn numbers into classes
        if not text or _is_number(text) != first_is_number:
            raise UsageError(f"{path}, line {line}, column {name!r} holds {text[:40]!r}, expected a "
                             f"{'number' if first_is_number else 'name of a class'} as in line {lines[0]}")
    return texts


def _finite(path, lines, numbers):
    bad = np.flatnonzero(~(np.abs(numbers) <= np.finfo(np.float32).max).all(axis=1))     # catches nan too
    if len(bad):
        raise UsageError(f"{path}, line {lines[bad[0]]} holds nan, an infinite or a too large number "
                         f"(limit 3.4e38); fill it in or leave the row out")
    return numbers


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
