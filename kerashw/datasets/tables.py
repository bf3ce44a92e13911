"""train_data.csv and test_data.csv: a header row, features as numbers, the target in the last column."""

import csv
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

import numpy as np

from kerashw.datasets.dataset import MOST_CLASSES
from kerashw.errors import UsageError

LARGEST = 2 * 1024**3             # bytes of one file, and of the numbers in it
LONGEST_LINE = 4 * 1024**2        # characters: as text and as a list of cells a line must not fill the memory
CELLS = 1 << 15                   # about so many are Python's own numbers at once, which take 32 bytes each
TRAIN, TEST = "train_data.csv", "test_data.csv"
LOOKED_FOR = f"{TRAIN} and {TEST}"


@dataclass(frozen=True, eq=False)
class Table:
    """One file: names of columns, features as float32, and the target as float64 numbers or a list of texts."""

    path: Path
    header: tuple[str, ...]
    features: np.ndarray
    target: np.ndarray | list[str]


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


def read_table(path: Path) -> Table:
    """The table in one CSV file, separated by commas, semicolons or tabs; the last column is the target.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train_data.csv")
    ...     _ = path.write_text("input,label\\n0.5,2\\n1.5,4\\n")
    ...     table = read_table(path)
    >>> table.header, table.features.tolist(), table.target.tolist()
    (('input', 'label'), [[0.5], [1.5]], [2.0, 4.0])
    """
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is larger than the limit of {LARGEST / 1024**3:g} GiB")
    features, target = array("f"), None                     # 4 bytes a number, and never a second copy of them all
    with _opened(path) as file:
        header, _, rows = _begin(path, file)
        for lines, numbers, texts in _pieces(rows, max(1, CELLS // len(header))):
            features.frombytes(_finite(path, lines, numbers).astype(np.float32).tobytes())
            target = target or _Target(path, header[-1], lines[0], texts[0])
            target.extend(lines, texts)
            if 4 * len(features) + 8 * len(target.values) > LARGEST:
                raise UsageError(f"{path}, line {lines[-1]}: numbers need more than the limit of "
                                 f"{LARGEST / 1024**3:g} GiB; leave out rows or columns")
    if target is None:
        raise UsageError(f"{path} has a header row but no data")
    found = np.frombuffer(features, np.float32).reshape(-1, len(header) - 1)
    return Table(path, header, found, target.values if target.names else np.frombuffer(target.values))


def read_features(path: Path, features: int, size: int, columns: tuple[str, ...] = ()) -> Iterator[np.ndarray]:
    """The features of a CSV file, with or without a target, as arrays of at most `size` rows; it may be of any length.

    `columns` are the names in the file that a model learned from: where this one has them, they stand at the same places.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.csv")
    ...     _ = path.write_text("x\\n1\\n2\\n3\\n")
    ...     [piece.tolist() for piece in read_features(path, 1, size=2)]
    [[[1.0], [2.0]], [[3.0]]]
    """
    with _opened(path) as file:
        header, _, rows = _begin(path, file, features)
        check_places(path, header, columns[:features])
        piece = None
        for piece in _pieces(rows, size):
            lines, numbers, _ = piece
            yield _finite(path, lines, numbers).astype(np.float32)
        if piece is None:
            raise UsageError(f"{path} has a header row but no data")


def check_places(where: Path | str, header: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """Nothing, unless one of the known columns stands at another place than where it was learned from.

    >>> check_places("mine.csv", ("id", "height"), ("height", "width"))
    Traceback (most recent call last):
    kerashw.errors.UsageError: mine.csv has column 'height' at place 2, expected the columns height, width in this order
    """
    for place, name in enumerate(columns):
        if header[place : place + 1] != (name,) and name in header:
            raise UsageError(f"{where} has column {name!r} at place {header.index(name) + 1}, expected the columns "
                             f"{', '.join(columns)} in this order")


class _Target:
    """The values of the last column so far: all of them numbers, or all names of classes, as the first one is."""

    def __init__(self, path, column, line, text):
        self.path, self.column, self.first_line = path, column, line
        self.names = None if _is_number(text) else {}       # {name: the one copy of it that is kept}
        self.values = array("d") if self.names is None else []

    def extend(self, lines, texts):
        """Add the targets of so many lines; a UsageError names the first that is of the other kind."""
        if self.names is None:
            try:
                numbers = np.fromiter(map(float, texts), np.float64, len(texts))
            except ValueError:
                raise self._strange(*next(cell for cell in zip(lines, texts) if not _is_number(cell[1]))) from None
            self.values.frombytes(_finite(self.path, lines, numbers[:, None]).tobytes())
            return
        for line, text in zip(lines, texts):                # one wrong cell must not pass for one more class
            text = text.strip()
            if not text or _is_number(text):
                raise self._strange(line, text)
            self.values.append(self.names.setdefault(text, text))
            if len(self.names) > MOST_CLASSES:
                raise UsageError(f"{self.path}, line {line}, column {self.column!r} holds one name of a class more "
                                 f"than the limit of {MOST_CLASSES:,}; the last column is taken as the target")

    def _strange(self, line, text):
        return UsageError(f"{self.path}, line {line}, column {self.column!r} holds {text.strip()[:40]!r}, expected a "
                          f"{'number' if self.names is None else 'name of a class'} as in line {self.first_line}")


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


def _begin(path, file, wanted=None):
    """The header, whether the last column is a target, and an iterator over the rows below.

    Where so many features are `wanted`, a file without a target will do.
    """
    lines = _lines(path, file)
    first = next(lines, "")
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    rows = csv.reader(chain([first], lines), delimiter=delimiter)
    header = tuple(" ".join(name.split()) for name in next(rows, []))      # a quoted name may go over several lines
    if not any(header):
        raise UsageError(f"{path} is empty, expected a header row and data")
    if not all(header):
        raise UsageError(f"{path}, line 1: column {header.index('') + 1} has no name; if it holds row numbers, as pandas "
                         f"writes them, leave them out by to_csv(..., index=False)")
    if all(_is_number(name) for name in header):
        raise UsageError(f"{path}, line 1 holds only numbers, expected a header row with names of columns")
    if wanted is not None and len(header) not in (wanted, wanted + 1):
        raise UsageError(f"{path} has {len(header)} columns, expected {wanted} feature(s), with or without a target")
    has_target = wanted is None or len(header) > wanted
    if has_target and len(header) < 2:
        raise UsageError(f"{path} has the one column {header[0][:40]!r}, expected features and a target "
                         f"separated by commas or semicolons")
    return header, has_target, _rows(path, rows, header, has_target)


def _lines(path, file):
    """The lines of a file, none of which fills the memory."""
    for number in count(1):
        line = file.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{path}, line {number} is longer than the limit of {LONGEST_LINE:,} characters")
        if not line:
            return
        yield line


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
            raise UsageError(f"{path}, line {rows.line_num}, column {name[:40]!r} holds {cell[:40]!r}, "
                             f"expected a number with a decimal point") from None
        yield rows.line_num, numbers, row[-1]


def _pieces(rows, size):
    """Lines, features and last columns of at most so many rows at a time."""
    while piece := list(islice(rows, size)):
        lines, numbers, texts = zip(*piece)
        yield lines, np.fromiter(chain.from_iterable(numbers), np.float64).reshape(len(lines), -1), texts


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
