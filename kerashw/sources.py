"""What a person names on the command line, as files to read items from: files, folders of them, standard input."""

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kerashw.errors import UsageError

STANDARD_INPUT = "-"
KNOWN = ".png, .jpg, .jpeg, .bmp, .gif, .npy, .csv, idx3-ubyte[.gz]"
ENDINGS = {
    "picture": r"\.(png|jpe?g|bmp|gif)",
    "npy": r"\.npy",
    "csv": r"\.csv",
    "idx": r"idx\d-ubyte(\.gz)?",
}
OPENINGS = {  # the first bytes of what comes without a name
    "picture": (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8"),
    "npy": (b"\x93NUMPY", b"PK\x03\x04"),  # the second is an NPZ, which is refused as one
    "idx": (b"\x1f\x8b", b"\0\0\x08"),
}


@dataclass(frozen=True)
class Source:
    """One file with items: the name by which answers and faults call it, where it lies, and its kind, if it is known."""

    name: str
    path: Path
    kind: str | None


def find_sources(names):
    """The Sources of the files named, those in the folders named, in alphabetical order, and of "-".

    Whether each name leads to something, and any to what can be read, is checked at once; all else is looked up when
    its turn comes, and what comes from standard input is kept on disk for as long as that lasts.

    >>> find_sources(["nowhere.png"])
    Traceback (most recent call last):
    kerashw.errors.UsageError: nowhere.png: no such file or folder.
    """
    names = [str(name) for name in names]
    found = [_sources(name) for name in names]
    if not any(name == STANDARD_INPUT or Path(name).is_dir() or kind_of(name) for name in names):
        raise UsageError(f"{names[0]}: cannot be read; known endings are {KNOWN}.")
    return chain.from_iterable(found)


def kind_of(name):
    """The kind of file that a name ends like: picture, npy, csv, idx; None for any other.

    >>> kind_of("Photo 1.JPG"), kind_of("t10k-images-idx3-ubyte.gz"), kind_of("notes.txt")
    ('picture', 'idx', None)
    """
    return next((kind for kind, ending in ENDINGS.items() if re.search(f"{ending}$", name, re.IGNORECASE)), None)


def kind_of_bytes(opening):
    """The kind of file that begins with these bytes; what is none of the others can only be CSV.

    >>> kind_of_bytes(b"GIF89a"), kind_of_bytes(b"x;y")
    ('picture', 'csv')
    """
    return next((kind for kind, openings in OPENINGS.items() if opening.startswith(openings)), "csv")


def _sources(name):
    if name == STANDARD_INPUT:
        return _standard_input()
    path = Path(name)
    if path.is_dir():
        inside = sorted(entry.name for entry in os.scandir(path) if kind_of(entry.name) and entry.is_file())
        if not inside:
            raise UsageError(f"{name}: holds no file ending in {KNOWN}.")
        return (_source(path / file) for file in inside)
    if not path.is_file():
        raise UsageError(f"{name}: {'is neither a file nor a folder' if path.exists() else 'no such file or folder'}.")
    return [_source(path)]


def _source(path):
    readable = os.fsencode(path).decode(errors="backslashreplace")  # a name need not be text that can be printed
    return Source(readable, path, kind_of(path.name))


def _standard_input():
    with tempfile.NamedTemporaryFile(prefix="kerashw-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        file.seek(0)
        yield Source(STANDARD_INPUT, Path(file.name), kind_of_bytes(file.read(8)))
