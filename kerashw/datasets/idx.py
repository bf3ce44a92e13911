"""The idx format of MNIST: four files of unsigned bytes, plain or gzip-compressed, read within bounds."""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerashw.errors import UsageError

LARGEST = 2 * 1024**3             # bytes read at once, uncompressed: a small .gz must not fill the memory
UNSIGNED_BYTES = 0x08             # the type code of the only kind of idx file that images and labels use
ROLES = {                         # part of the data set -> start of its file's name, number of dimensions
    "x_train": ("train-images", 3), "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3), "y_test": ("t10k-labels", 1),
}
LOOKED_FOR = "train-images-idx3-ubyte[.gz] with its three companions"


def read_idx_folder(folder: Path, class_count: int | None) -> dict[str, np.ndarray] | None:
    """The four arrays of the idx files in `folder`, or None if it holds none of these files."""
    files = {part: _find(folder, start, dimensions) for part, (start, dimensions) in ROLES.items()}
    missing = [part for part, path in files.items() if path is None]
    if len(missing) == len(files):
        return None
    if missing:
        start, dimensions = ROLES[missing[0]]
        raise UsageError(f"{folder} lacks {start}-idx{dimensions}-ubyte[.gz], "
                         f"expected beside {next(path.name for path in files.values() if path)}")
    arrays = {part: read_idx(path, ROLES[part][1]) for part, path in files.items()}
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        if len(arrays[x]) != len(arrays[y]):
            raise UsageError(f"{files[y]} holds {len(arrays[y]):,} labels, expected one for each of the "
                             f"{len(arrays[x]):,} images in {files[x].name}")
        highest = int(arrays[y].max())
        if class_count and highest >= class_count:
            raise UsageError(f"{files[y]} holds label {highest}, expected 0 to {class_count - 1}")
    return arrays


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array of unsigned bytes in one idx file, whose header must account for every byte.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train-labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1]))
    ...     read_idx(path, dimensions=1).tolist()
    [7, 2, 1]
    """
    (array,) = read_idx_pieces(path, dimensions)
    return array


def read_idx_pieces(path: Path, dimensions: int, items: int | None = None,
                    item_shape: tuple[int, ...] | None = None) -> Iterator[np.ndarray]:
    """The same array in pieces of so many `items`, or in one, for a file of any length to be read in little memory.

    Where an `item_shape` is wanted, a header that declares another is refused before anything else is read.
    """
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"        # by content: some tools unpack and keep the .gz
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if compressed else file
            shape = _shape(path, stream.read(4 + 4 * dimensions), dimensions, items)
            if item_shape not in (None, shape[1:]):
                raise UsageError(f"{path}: has shape {shape}, expected (n, {', '.join(map(str, item_shape))}).")
            size = math.prod(shape[1:])                     # bytes of one item
            for first in range(0, shape[0], items or shape[0]):
                count = min(items or shape[0], shape[0] - first)
                payload = _exactly(path, stream, first * size, count * size, math.prod(shape))
                yield np.frombuffer(payload, np.uint8).reshape(count, *shape[1:])
    except EOFError:
        raise UsageError(f"{path} breaks off within its compressed data; fetch the file again") from None
    except (OSError, zlib.error) as reason:
        raise UsageError(f"{path} cannot be read ({reason}); fetch the file again") from None


def _find(folder, start, dimensions):
    candidates = [folder / f"{start}{joint}idx{dimensions}-ubyte{ending}"
                  for joint in "-." for ending in ("", ".gz")]
    for path in candidates:
        if path.is_file():
            return path
    for path in candidates:
        if path.exists():
            raise UsageError(f"{path} is not a file, expected an idx file of that name")
    return None


def _shape(path, header, dimensions, items):
    if len(header) < 4 or header[:2] != b"\0\0":
        raise UsageError(f"{path} starts with {header[:4].hex(' ') or 'nothing'}, expected 00 00 08 0{dimensions} "
                         f"as every idx file of this kind; fetch the file again")
    if header[2] != UNSIGNED_BYTES:
        raise UsageError(f"{path} holds idx type 0x{header[2]:02x}, expected 0x08 (unsigned bytes)")
    if header[3] != dimensions:
        raise UsageError(f"{path} has {header[3]} dimensions, expected {dimensions}; "
                         f"are images and labels mixed up?")
    if len(header) < 4 + 4 * dimensions:
        raise UsageError(f"{path} breaks off within its header; fetch the file again")
    shape = tuple(int(size) for size in np.frombuffer(header[4:], ">u4"))
    if 0 in shape:
        raise UsageError(f"{path} declares shape {shape}, expected at least one item and one pixel")
    if math.prod((min(items or shape[0], shape[0]), *shape[1:])) > LARGEST:
        raise UsageError(f"{path} declares shape {shape}, more than the limit of 2 GiB")
    return shape


def _exactly(path, stream, before, count, whole):
    """So many bytes that follow those before, of the whole, after which there must be no more."""
    payload, is_last = bytearray(), before + count == whole
    while len(payload) < count + is_last:                   # one byte more than expected tells of trailing data
        block = stream.read(min(1 << 20, count + is_last - len(payload)))
        if not block:
            break
        payload += block
    if len(payload) != count:
        found = f"only {before + len(payload):,}" if len(payload) < count else "more"
        raise UsageError(f"{path} holds {found} bytes of data, expected {whole:,} by its header; "
                         f"fetch the file again")
    return payload
