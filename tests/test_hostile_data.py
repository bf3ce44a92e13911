"""Data files changed at will: each is read or refused in one line that names it, in little memory; no code is run."""

import gzip
import io
import os
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_datasets import IDX_FILES, idx, images, labels, write_csv, write_idx, write_npz

from kerashw.datasets import Dataset, load
from kerashw.errors import UsageError
from kerashw.items import read_pieces
from kerashw.sources import find_sources

MOST = 16_000_000  # bytes for files of some hundred
MAKERS = {
    "idx": (lambda folder: write_idx(folder), IDX_FILES[0]),
    "idx.gz": (lambda folder: write_idx(folder, ".gz", pack=gzip.compress), f"{IDX_FILES[0]}.gz"),
    "npz": (lambda folder: write_npz(folder / "own.npz"), "own.npz"),
    "csv": (lambda folder: write_csv(folder), "train_data.csv"),
}
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat"]), st.floats(0, 1), st.binary(min_size=1, max_size=9)),
    min_size=1, max_size=4,
)  # fmt: skip


def edited(content, edits):
    for kind, where, piece in edits:
        place = int(where * len(content))
        if kind == "cut":
            content = content[:place]
        elif kind == "insert":
            content = content[:place] + piece + content[place:]
        elif kind == "repeat":
            content = content[:place] + content[place:] * 2
        else:
            content = content[:place] + piece + content[place + len(piece) :]
    return content


def check(kind, edits):
    make, name = MAKERS[kind]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "own")
        make(folder)
        (folder / name).write_bytes(edited((folder / name).read_bytes(), edits))
        before = sorted(Path(place).rglob("*"))
        tracemalloc.start()
        try:
            data = load("own", place)
            assert isinstance(data, Dataset) and np.isfinite(data.x_train.astype(float)).all()
        except UsageError as error:
            assert "\n" not in str(error) and place in str(error)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < MOST
        assert sorted(Path(place).rglob("*")) == before


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(edits=EDITS)
def test_a_file_changed_at_will_is_read_or_refused_by_name_in_little_memory(kind, edits):
    check(kind, edits)


@pytest.mark.faults
@pytest.mark.parametrize("kind", MAKERS)
def test_thousands_of_files_changed_at_will(kind, counted):
    tried = []

    @settings(max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(edits=EDITS)
    def many(edits):
        tried.append(1)
        check(kind, edits)

    many()
    counted(f"data changed at will, {kind}", len(tried), "read as finite data, or refused in one line with the name")


def test_an_archive_that_declares_more_than_it_holds_is_refused_before_room_is_made_for_it():
    check("npz", [("flip", 0.919921875, b"\0\1\0\3")])  # of the compressed size of one array


# --- one line for each fault that data files are known to have


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (f"{self.folder}/sprung",)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def idx_of(declared, held=20 * 4 * 3, kind=8, after=b""):
    """The bytes of an idx file that declares one thing and holds another."""
    return bytes([0, 0, kind, len(declared)]) + struct.pack(f">{len(declared)}I", *declared) + bytes(held) + after


def bomb(opening, megabytes=64):
    """Some kB of gzip that unpack to so much."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    return b"".join([packer.compress(opening), *(packer.compress(zeros) for _ in range(megabytes)), packer.flush()])


def npy_of(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz_of(change=None, **parts):
    """An archive whose parts may be bytes of their own, with its directory changed."""
    stream = io.BytesIO()
    good = dict(x_train=images(20), y_train=labels(20), x_test=images(10), y_test=labels(10)) | parts
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in good.items():
            archive.writestr(f"{name}.npy", part if isinstance(part, bytes) else npy_of(part))
    content = bytearray(stream.getvalue())
    if change:
        change(content)
    return bytes(content)


def declares(size):
    """An archive's directory that declares so many bytes for its first part."""

    def change(content):
        entry = content.index(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = struct.pack("<I", size)

    return change


IDX, GZ, NPZ, CSV = IDX_FILES[0], f"{IDX_FILES[0]}.gz", "own.npz", "train_data.csv"
GOOD = gzip.compress(idx(images(20)), mtime=0)
BAD_FILES = {
    "a gz cut off": (GZ, GOOD[: len(GOOD) // 2], "breaks off within its compressed data"),
    "a gz without its end": (GZ, GOOD[:-4], "breaks off within its compressed data"),
    "a gz with a bit flipped": (GZ, flipped(GOOD, 60), "cannot be read"),
    "a gz with a bit of its checksum flipped": (GZ, flipped(GOOD, -8), "CRC check failed"),
    "a gz of a method of nobody": (GZ, flipped(GOOD, 2), "cannot be read (Unknown compression method)"),
    "a gz that unpacks to more than it says": (GZ, bomb(idx_of((20, 4, 3))), "more bytes of data, expected 240"),
    "a gz that says it unpacks to 3 GB": (GZ, bomb(idx_of((4_000_000, 28, 28))), "more than the limit of 2 GiB"),
    "an idx with fewer images than it says": (IDX, idx_of((21, 4, 3)), "only 240 bytes of data, expected 252"),
    "an idx with more images than it says": (IDX, idx_of((19, 4, 3)), "more bytes of data, expected 228"),
    "an idx with other pixels than it says": (IDX, idx_of((20, 4, 4)), "only 240 bytes of data, expected 320"),
    "an idx that says it holds all memory": (IDX, idx_of((2**32 - 1,) * 3), "more than the limit of 2 GiB"),
    "an idx without pixels": (IDX, idx_of((20, 0, 3)), "expected at least one item and one pixel"),
    "an idx of another dimension": (IDX, idx_of((20, 12)), "has 2 dimensions, expected 3"),
    "an idx of a hundred dimensions": (IDX, bytes([0, 0, 8, 100]) + bytes(400), "has 100 dimensions, expected 3"),
    "an idx of floats": (IDX, idx_of((20, 4, 3), kind=13), "holds idx type 0x0d, expected 0x08"),
    "an idx with bytes after its end": (IDX, idx_of((20, 4, 3), after=b"x"), "more bytes of data, expected 240"),
    "labels outside the classes": (IDX_FILES[1], idx(labels(20) + 1), "holds label 10, expected 0 to 9"),
    "fewer labels than images": (IDX_FILES[1], idx(labels(19)), "holds 19 labels, expected one for each of the 20"),
    "more labels than images": (IDX_FILES[1], idx(labels(21)), "holds 21 labels, expected one for each of the 20"),
    "an npz cut off": (NPZ, npz_of()[:-30], "cannot be read as .npz"),
    "an npz with a bit flipped": (NPZ, flipped(npz_of(), 200), "cannot be read as .npz"),
    "an npz that says it unpacks to 4 GB": (NPZ, npz_of(declares(2**32 - 2)), "more than the limit of 2 GiB"),
    "an npz that unpacks to more than it says": (
        NPZ, npz_of(declares(368), x_train=npy_of(images(20)) + bytes(1 << 26)), "Bad CRC-32"),
    "an npz whose array is larger than all memory": (
        NPZ, npz_of(x_train=npy_of(images(20)).replace(b"(20, 4, 3)", b"(2000000000, 4, 3)")), "declares 24,000,"),
    "an npz of objects": (NPZ, npz_of(x_train=np.array([None] * 20)), "x_train.npy holds object, expected numbers"),
    "an npz with labels outside the classes": (NPZ, npz_of(y_test=labels(10) + 1), "y_test holds label 10, expected"),
    "an npz with fewer labels than images": (NPZ, npz_of(y_test=labels(9)), "10 test inputs but 9 test targets"),
    "an npz of one item": (NPZ, npz_of(x_train=np.float64(1)), "x_train has shape ()"),
    "a pickle called npz": (NPZ, pickle.dumps(Trap("elsewhere")), "cannot be read as .npz"),
    "a CSV with nan": (CSV, b"a,b,y\n1,2,3\n1,nan,3\n", "line 3 holds nan, an infinite or a too large number"),
    "a CSV with inf": (CSV, b"a,b,y\n1,2,3\n1,-inf,3\n", "line 3 holds nan, an infinite or a too large number"),
    "a CSV with 1e400": (CSV, b"a,b,y\n1,2,3\n1,1e400,3\n", "line 3 holds nan, an infinite or a too large number"),
    "a CSV with a target of 1e400": (CSV, b"a,b,y\n1,2,1e400\n", "line 2 holds nan, an infinite or a too large number"),
    "a CSV with a short row": (CSV, b"a,b,y\n1,2,3\n1,2\n", "line 3 has 2 columns, expected 3"),
    "a CSV with a long row": (CSV, b"a,b,y\n1,2,3\n1,2,3,4\n", "line 3 has 4 columns, expected 3"),
    "a CSV with decimal commas": (CSV, b"a;b;y\n1,5;2;3\n", "line 2, column 'a' holds '1,5', expected a number with"),
    "a CSV with nothing": (CSV, b"", "is empty, expected a header row and data"),
    "a CSV with a BOM and nothing else": (CSV, b"\xef\xbb\xbf", "is empty, expected a header row and data"),
    "a CSV in UTF-16": (CSV, "a,b,y\n1,2,3\n".encode("utf-16"), "is not text in UTF-8"),
    "a CSV without rows": (CSV, b"a,b,y\n", "has a header row but no data"),
    "a CSV without a header": (CSV, b"1,2,3\n4,5,6\n", "line 1 holds only numbers, expected a header row"),
    "a CSV with a quote that never ends": (CSV, b'a,b,y\n1,2,"3\n' + b"4,5,6\n" * 40_000, "field larger than"),
    "a CSV with a NUL": (CSV, b"a,b,y\n1,2,3\n1,\0,3\n", "line 3, column 'b'"),
    "a CSV of one line without end": (CSV, b"a," * 2_500_000, "line 1 is longer than the limit of 4,194,304 char"),
    "a CSV of identifiers": (
        CSV, b"a,b,y\n" + b"".join(b"1,2,id%d\n" % row for row in range(10_001)), "line 10002, column 'y' holds one"),
}  # fmt: skip


def folder_with(place, name, content):
    """A data set that is right but for one file."""
    if name == NPZ:
        place.mkdir(exist_ok=True)
    elif name == CSV:
        write_csv(place)
    else:
        write_idx(place, **({"ending": ".gz", "pack": gzip.compress} if name == GZ else {}))
    (place / name).write_bytes(content)
    return place / name


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_data_file_with_this_fault_is_refused_in_one_line_in_little_memory(fault, tmp_path):
    name, content, told = BAD_FILES[fault]
    path = folder_with(tmp_path / "mnist", name, content)
    assert told in refused(tmp_path, path, lambda: load("mnist", tmp_path))


def test_numbers_of_a_csv_that_need_more_than_the_limit_are_refused_with_it(tmp_path, monkeypatch):
    write_csv(tmp_path, "a,b,y\n" + "1,2,3\n" * 100_000)
    monkeypatch.setattr("kerashw.datasets.tables.LARGEST", 1 << 20)
    told = refused(tmp_path, tmp_path / CSV, lambda: load("own", tmp_path))
    assert "numbers need more than the limit of" in told


FOUND = {
    "a name of a column in two lines": (CSV, b'a,b,"y\nz"\n1,2,3\n', "expected a, b, y z as in train_data.csv"),
    "names of classes in two lines": (
        NPZ, npz_of(y_train=np.array(["a\nb"] * 20), y_test=np.array(["c"] * 10)), "'c', expected one of a b"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOUND)
def test_what_a_fuzzer_has_found_is_refused_in_one_line(fault, tmp_path):
    name, content, told = FOUND[fault]
    folder_with(tmp_path / "own", name, content)
    assert told in refused(tmp_path, tmp_path, lambda: load("own", tmp_path))


def refused(place, path, read):
    """What the one line says in which a file is refused, while nothing changes on disk."""
    before = sorted(place.rglob("*"))
    tracemalloc.start()
    try:
        with pytest.raises(UsageError) as error:
            read()
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert sorted(place.rglob("*")) == before
    text = str(error.value)
    assert str(path) in text and "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize("pack", [lambda trap: pickle.dumps(trap), lambda trap: npz_of(x_train=np.array([trap] * 20)),
                                  lambda trap: npz_of(x_train=pickle.dumps(trap))])  # fmt: skip
def test_no_pickle_in_a_data_file_is_ever_run(pack, tmp_path):
    trap = Trap(tmp_path)
    path = folder_with(tmp_path / "mnist", NPZ, pack(trap))
    refused(tmp_path, path, lambda: load("mnist", tmp_path))
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "sprung").exists()               # it would have sprung


@pytest.mark.parametrize("name", [IDX, GZ, NPZ, CSV])
@pytest.mark.parametrize("what", ["folder", "link to nowhere", "link to itself", "link to a folder", "device", "pipe"])
def test_what_is_no_file_is_refused_by_name(name, what, tmp_path):
    path = folder_with(tmp_path / "mnist", name, b"")
    path.unlink()
    put(what, path)
    assert "\n" not in refused(tmp_path, tmp_path, lambda: load("mnist", tmp_path))


def put(what, path):
    """Something that is no file under the name of one."""
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        targets = {"link to nowhere": "nowhere", "link to itself": path, "link to a folder": ".", "device": "/dev/zero"}
        path.symlink_to(targets[what])


def test_a_link_to_a_file_is_read_like_the_file(tmp_path):
    write_idx(tmp_path / "elsewhere")
    (tmp_path / "mnist").mkdir()
    for name in IDX_FILES:
        (tmp_path / "mnist" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert load("mnist", tmp_path).digest == load("mnist", tmp_path / "elsewhere").digest


# --- the same for files to predict


def png_of(width, height):
    """A picture that says it is of this size, and holds a few bytes."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = b"IDAT" + zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in (chunk, body, b"IEND")
    )


PIXELS, NUMBERS = (4, 3), (2,)
BAD_ITEMS = {
    "a gz cut off": ("a-idx3-ubyte.gz", GOOD[:-12], PIXELS, "breaks off within its compressed data"),
    "a gz with a bit flipped": ("a-idx3-ubyte.gz", flipped(GOOD, 60), PIXELS, "cannot be read"),
    "a gz that unpacks to more": ("a-idx3-ubyte.gz", bomb(idx_of((20, 4, 3))), PIXELS, "more bytes of data, expected"),
    "a gz of images of 2 GB each": (
        "a-idx3-ubyte.gz", bomb(idx_of((1, 65536, 65536)), 1), PIXELS, "more than the limit of 2 GiB"),
    "a gz of 2 GB of other images": (
        "a-idx3-ubyte.gz", bomb(idx_of((2_000_000, 28, 28))), PIXELS, "has shape (2000000, 28, 28), expected"),
    "an idx with fewer images": ("a-idx3-ubyte", idx_of((21, 4, 3)), PIXELS, "only 240 bytes of data, expected 252"),
    "an idx with bytes after": ("a-idx3-ubyte", idx_of((20, 4, 3), after=b"x"), PIXELS, "more bytes of data"),
    "an idx of floats": ("a-idx3-ubyte", idx_of((20, 4, 3), kind=13), PIXELS, "holds idx type 0x0d"),
    "an idx of labels": ("a-idx1-ubyte", idx(labels(20)), PIXELS, "are images and labels mixed up?"),
    "an npy cut off": ("a.npy", npy_of(images(20))[:-9], PIXELS, "is no NPY file of numbers"),
    "an npy larger than all memory": (
        "a.npy", npy_of(images(20)).replace(b"(20, 4, 3)", b"(2000000000, 4, 3)"), PIXELS, "is no NPY file of numbers"),
    "an npy with text for a header": (
        "a.npy", npy_of(images(20)).replace(b"(20, 4, 3)", b"print('no')"), PIXELS, "is no NPY file of numbers"),
    "an npy of objects": ("a.npy", npy_of(np.array([None] * 20)), NUMBERS, "is no NPY file of numbers"),
    "an npz called npy": ("a.npy", npz_of(), PIXELS, "is an NPZ archive, expected one array"),
    "a pickle called npy": ("a.npy", pickle.dumps(Trap("elsewhere")), NUMBERS, "is no NPY file of numbers"),
    "a CSV with nan": ("a.csv", b"a,b\n1,2\n1,nan\n", NUMBERS, "line 3 holds nan, an infinite or a too large number"),
    "a CSV with 1e400": ("a.csv", b"a,b\n1,2\n1,1e400\n", NUMBERS, "line 3 holds nan, an infinite or a too large"),
    "a CSV with a short row": ("a.csv", b"a,b\n1,2\n1\n", NUMBERS, "line 3 has 1 columns, expected 2"),
    "a CSV with decimal commas": ("a.csv", b"a;b\n1,5;2\n", NUMBERS, "line 2, column 'a' holds '1,5', expected a num"),
    "a CSV with a BOM and nothing else": ("a.csv", b"\xef\xbb\xbf", NUMBERS, "is empty"),
    "a CSV without rows": ("a.csv", b"a,b\n", NUMBERS, "has a header row but no data"),
    "a CSV without a header": ("a.csv", b"1,2\n3,4\n", NUMBERS, "line 1 holds only numbers, expected a header row"),
    "a CSV of one line without end": ("a.csv", b"a," * 2_500_000, NUMBERS, "line 1 is longer than the limit of 4,19"),
    "a picture of 10 gigapixels": ("a.png", png_of(100_000, 100_000), PIXELS, "is no picture that can be read"),
    "a picture with less than it says": ("a.png", png_of(800, 600), PIXELS, "is no picture that can be read"),
    "a text called picture": ("a.png", b"not a picture", PIXELS, "is no picture that can be read"),
}  # fmt: skip


def read_all(path, shape):
    return [len(piece) for source in find_sources([path]) for piece in read_pieces(source, shape)]


@pytest.mark.parametrize("fault", BAD_ITEMS)
def test_a_file_to_predict_with_this_fault_is_refused_in_one_line_in_little_memory(fault, tmp_path):
    name, content, shape, told = BAD_ITEMS[fault]
    path = tmp_path / name
    path.write_bytes(content)
    assert told in refused(tmp_path, path, lambda: read_all(path, shape))


@pytest.mark.parametrize("what", ["folder", "link to nowhere", "link to itself", "link to a folder", "device", "pipe"])
def test_what_is_no_file_to_predict_is_refused_by_name(what, tmp_path):
    path = tmp_path / "some" / "a.npy"
    path.parent.mkdir()
    put(what, path)
    told = refused(tmp_path, path, lambda: read_all(path, PIXELS))
    assert ("no such file" in told) == (what in ("link to nowhere", "link to itself"))
