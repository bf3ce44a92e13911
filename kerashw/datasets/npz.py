"""NumPy's .npz: the four arrays of a data set in one archive, read without pickle and within bounds."""

import math
import zipfile
from pathlib import Path

import numpy as np

from kerashw.datasets.dataset import PARTS
from kerashw.errors import UsageError

LARGEST = 2 * 1024**3             # bytes of all four arrays, uncompressed: a small file must not fill memory
LOOKED_FOR = "one .npz with " + ", ".join(PARTS)


def find_npz(folder: Path) -> Path | None:
    """The one .npz file in `folder`, or the one named after the folder if there are several, or None."""
    found = sorted(path for path in folder.glob("*.npz"))
    if len(found) > 1:
        named = [path for path in found if path.stem == folder.name]
        if not named:
            raise UsageError(f"{folder} holds {len(found)} .npz files, "
                             f"expected one, or one named {folder.name}.npz")
        found = named
    if found and not found[0].is_file():
        raise UsageError(f"{found[0]} is not a file, expected {LOOKED_FOR}")
    return found[0] if found else None


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays x_train, y_train, x_test and y_test of the archive, as they are stored.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "toy.npz")
    ...     np.savez(path, x_train=[[1.0]], y_train=[2.0], x_test=[[3.0]], y_test=[4.0])
    ...     read_npz(path)["y_test"].tolist()
    [4.0]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            missing = [part for part in PARTS if f"{part}.npy" not in members]
            if missing:
                raise UsageError(f"{path} lacks {', '.join(missing)}, expected {', '.join(PARTS)}")
            if sum(members[f"{part}.npy"].file_size for part in PARTS) > LARGEST:
                raise UsageError(f"{path} declares more than the limit of 2 GiB of data")
            # zipfile makes room for as many compressed bytes as are declared before it finds that they are not there.
            if sum(members[f"{part}.npy"].compress_size for part in PARTS) > path.stat().st_size:
                raise UsageError(f"{path} declares more data than it holds; write it again with numpy.savez")
            return {part: _array(path, archive, members[f"{part}.npy"]) for part in PARTS}
    except UsageError:
        raise
    except Exception as reason:   # zipfile, zlib and NumPy raise a dozen kinds on a damaged file; all mean the same
        raise UsageError(f"{path} cannot be read as .npz ({' '.join(str(reason).split()) or type(reason).__name__}); "
                         f"write it with numpy.savez") from None


def _array(path, archive, member):
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise UsageError(f"{path}: {member.filename} has format version {version}, expected (1, 0) or (2, 0)")
        shape, in_columns, dtype = read_header[version](stream)
        if dtype.hasobject or dtype.kind not in "biufU":
            raise UsageError(f"{path}: {member.filename} holds {dtype}, expected numbers (or text as targets)")
        declared = math.prod(shape) * dtype.itemsize
        if declared > member.file_size:
            raise UsageError(f"{path}: {member.filename} declares {declared:,} bytes of data but holds "
                             f"{member.file_size:,}; write it again with numpy.savez")
        payload = bytearray()                         # in blocks: read at once, it would be in memory twice
        while block := stream.read(1 << 20):          # the last of them also checks the archive's CRC
            payload += block
        return np.frombuffer(payload, dtype).reshape(shape, order="F" if in_columns else "C")
