"""From a name or a folder to a Dataset: what is accepted, and how everything else is refused."""

import gzip
import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from kerashw.datasets import KNOWN, Dataset, describe, load, with_samples
from kerashw.datasets.idx import read_idx
from kerashw.datasets.standins import GAPS, curve, stand_in
from kerashw.errors import UsageError

REAL = os.environ.get("KERASHW_DATA_DIR")
needs_real_files = pytest.mark.skipif(not REAL, reason="set KERASHW_DATA_DIR to a folder with the real files")
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
             "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 3), dtype=np.uint8)


def labels(count):
    return np.arange(count, dtype=np.uint8) % 10


def idx(array):
    array = np.asarray(array)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, ending="", joint="-", pack=lambda data: data, **replaced):
    """Four small idx files; `replaced` gives other bytes for a part, or None to leave it out."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"x_train": idx(images(20)), "y_train": idx(labels(20)), "x_test": idx(images(10, 1)),
             "y_test": idx(labels(10))} | replaced
    for name, data in zip(IDX_FILES, parts.values()):
        if data is not None:
            (folder / (name.replace("-idx", joint + "idx") + ending)).write_bytes(pack(data))


def write_npz(path, **replaced):
    arrays = dict(x_train=images(20), y_train=labels(20), x_test=images(10, 1), y_test=labels(10)) | replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{part: array for part, array in arrays.items() if array is not None})


def write_csv(folder, train="a,b,y\n1,2,0.5\n3,4,1.5\n", test="a,b,y\n5,6,2.5\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("train_data.csv", train), ("test_data.csv", test)):
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def refusal(name, folder, **options):
    with pytest.raises(UsageError) as error:
        load(name, folder, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the Dataset itself


def toy(**replaced):
    parts = dict(x_train=images(20), y_train=labels(20).astype(np.int64), x_test=images(10, 1),
                 y_test=labels(10).astype(np.int64), classes=tuple("0123456789"), source="typed in") | replaced
    return Dataset("toy", **parts)


def test_arrays_and_fields_are_frozen_and_the_callers_arrays_are_not():
    mine = images(20)
    data = toy(x_train=mine)
    with pytest.raises(ValueError, match="read-only"):
        data.x_train[0] = 0
    with pytest.raises(FrozenInstanceError):
        data.name = "other"
    mine[0] = 1


def test_equivalent_forms_become_the_one_form():
    data = toy(x_train=images(20)[..., None], x_test=images(10)[..., None], y_train=labels(20)[:, None])
    assert data.x_train.shape == (20, 4, 3) and data.y_train.shape == (20,) and data.y_train.dtype == np.int64
    table = toy(x_train=np.arange(3.0), y_train=[1, 2, 3], x_test=[1.0], y_test=[[2.0]], classes=())
    assert table.x_train.shape == table.y_train.shape == (3, 1) and table.task == "regression"
    assert table.x_train.dtype == table.y_train.dtype == np.float32


def test_coloured_images_keep_their_channels():
    data = toy(x_train=np.zeros((20, 4, 3, 3), np.uint8), x_test=np.zeros((10, 4, 3, 3), np.uint8))
    assert data.item_shape == (4, 3, 3)


@pytest.mark.parametrize("replaced, told", [
    (dict(x_train=images(19)), "19 training inputs but 20 training targets"),
    (dict(x_test=images(0), y_test=labels(0)), "no test items"),
    (dict(x_test=np.zeros((10, 5, 3), np.uint8)), r"has shape \(4, 3\) but a test item \(5, 3\)"),
    (dict(x_train=images(20) / 255), "x_train holds images as float64, expected uint8"),
    (dict(x_train=np.full((20, 2), np.nan)), "x_train is not finite"),
    (dict(x_train=np.full((20, 2), 1e300)), "x_train is not finite in 32 bits"),
    (dict(x_train=np.full((20, 2), "a")), "x_train holds <U1, expected numbers"),
    (dict(x_train=np.array([None] * 20)), "x_train holds object, expected numbers"),
    (dict(x_train=np.zeros((20, 0))), r"x_train has shape \(20, 0\)"),
    (dict(y_test=labels(10) + 1), "y_test holds label 10, expected 0 to 9"),
    (dict(y_train=np.full(20, -1)), "y_train holds label -1"),
    (dict(y_train=np.full(20, 2**64 - 1, np.uint64)), "y_train holds label 18446744073709551615"),
    (dict(y_train=np.eye(10)[labels(20)]), "y_train has shape .* expected one target per item"),
    (dict(y_train=labels(20) / 2), "y_train holds float64, expected whole numbers"),
    (dict(y_train=np.full(20, np.inf), classes=()), "y_train is not finite"),
    (dict(classes=("a", "a")), "two or more different names"),
    (dict(classes=("a",)), "two or more different names"),
])
def test_a_data_set_that_does_not_fit_is_refused(replaced, told):
    with pytest.raises(UsageError, match=f"data set toy: .*{told}"):
        toy(**replaced)


def test_the_digest_changes_with_any_value_shape_or_place():
    digests = {toy().digest}
    changed = images(20)
    changed[3, 2, 1] ^= 1
    digests.add(toy(x_train=changed).digest)
    digests.add(toy(y_train=labels(20)[::-1]).digest)
    digests.add(toy(x_train=images(20).reshape(20, 3, 4), x_test=images(10, 1).reshape(10, 3, 4)).digest)
    digests.add(toy(x_train=images(10, 1), y_train=labels(10), x_test=images(20), y_test=labels(20)).digest)
    assert len(digests) == 5 and all(len(digest) == 64 for digest in digests)
    assert toy().digest == toy().digest == toy(x_train=np.asfortranarray(images(20))).digest


# --- samples


def uneven():
    counts = (700, 200, 90, 9, 1)
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(5), counts))
    return toy(x_train=np.arange(1000.0), y_train=y, x_test=[1.0], y_test=[0], classes=tuple("abcde"))


@pytest.mark.parametrize("samples", [5, 10, 100, 501, 998, 999])
def test_samples_keep_the_proportions_of_classes_and_every_class(samples):
    data = uneven()
    few = with_samples(data, samples, seed=3)
    counts, all_counts = (np.bincount(one.y_train, minlength=5) for one in (few, data))
    assert counts.sum() == samples and counts.min() >= 1
    assert np.abs(counts - all_counts * samples / 1000).max() <= 4
    assert few.x_test is not None and few.sizes == (samples, 1)
    assert np.all(np.diff(few.x_train[:, 0]) > 0)         # distinct, and in their old order


def test_samples_depend_on_the_seed_alone_and_are_nested():
    data = uneven()
    chosen = with_samples(data, 100, seed=0).x_train
    assert np.array_equal(chosen, with_samples(data, 100, seed=0).x_train)
    assert not np.array_equal(chosen, with_samples(data, 100, seed=1).x_train)
    assert set(chosen.ravel()) < set(with_samples(data, 200, seed=0).x_train.ravel())


def test_all_samples_are_the_data_set_itself_and_regression_has_no_classes_to_keep():
    data = stand_in("regression", ())
    assert with_samples(data, 100, seed=0) is data
    assert with_samples(data, 1, seed=0).sizes == (1, 100)


@pytest.mark.parametrize("samples", [-1, 0, 4, 1001])
def test_samples_out_of_range_are_refused_with_the_range(samples):
    with pytest.raises(UsageError, match=f"--samples {samples} does not fit data set toy: give 5 .* to 1,000"):
        with_samples(uneven(), samples, seed=0)


# --- names and folders


def test_known_data_sets_are_described_without_loading():
    assert describe("mnist").task == describe("fashion").task == "classification"
    assert describe("regression").task == "regression"
    assert [len(known.classes) for known in KNOWN.values()] == [10, 10, 0]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="unknown data set 'wine': known are mnist, fashion, regr.*--data-dir"):
        load("wine")


@pytest.mark.parametrize("folder, name", [
    ("mnist", "mnist"), ("fashion-mnist", "fashion"), ("fashion", "fashion"), ("wine", "wine"), (".", "mnist")])
def test_a_data_set_is_found_in_its_folder_or_directly(tmp_path, folder, name):
    write_idx(tmp_path / folder)
    data = load(name, tmp_path)
    assert np.array_equal(data.x_train, images(20)) and data.y_test.tolist() == list(range(10))
    assert data.source == f"folder {tmp_path / folder}" and not data.stand_in
    assert data.classes == (KNOWN[name].classes if name in KNOWN else tuple("0123456789"))


def test_the_named_subfolder_wins_over_files_beside_it(tmp_path):
    write_idx(tmp_path, x_train=idx(images(20, 7)))
    write_idx(tmp_path / "mnist")
    assert np.array_equal(load("mnist", str(tmp_path)).x_train, images(20))


def test_an_empty_subfolder_does_not_hide_the_files_beside_it(tmp_path):
    (tmp_path / "mnist").mkdir()
    write_idx(tmp_path)
    assert load("mnist", tmp_path).source == f"folder {tmp_path}"


def test_a_given_folder_without_data_is_an_error_and_never_a_stand_in(tmp_path):
    told = refusal("mnist", tmp_path)
    for word in (str(tmp_path), "train-images-idx3-ubyte[.gz]", ".npz", "train_data.csv"):
        assert word in told
    assert "is missing" in refusal("mnist", tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "is not a folder" in refusal("mnist", tmp_path / "file")


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "/etc", "a\\b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    assert "names no folder" in refusal(name, tmp_path)


# --- idx


@pytest.mark.parametrize("ending, joint, pack", [
    ("", "-", bytes), ("", ".", bytes), (".gz", "-", gzip.compress), (".gz", ".", gzip.compress),
    (".gz", "-", bytes), ("", "-", gzip.compress)])
def test_idx_files_are_read_plain_and_compressed_whatever_their_ending(tmp_path, ending, joint, pack):
    write_idx(tmp_path, ending, joint, pack)
    assert np.array_equal(load("mnist", tmp_path).x_train, images(20))


def header(kind=8, dimensions=3, *sizes):
    return bytes([0, 0, kind, dimensions]) + struct.pack(f">{len(sizes)}I", *sizes)


BAD_IDX = {
    "empty": (b"", "starts with nothing"),
    "text": (b"<html>not found</html>", "starts with 3c 68 74 6d, expected 00 00 08 03"),
    "no_dimensions": (header(8, 3), "breaks off within its header"),
    "half_a_header": (header(8, 3, 20, 4), "breaks off within its header"),
    "floats": (header(0x0D, 3, 20, 4, 3) + bytes(960), "holds idx type 0x0d, expected 0x08"),
    "labels_as_images": (idx(labels(20)), "has 1 dimensions, expected 3; are images and labels mixed up"),
    "no_items": (header(8, 3, 0, 4, 3), "expected at least one item"),
    "truncated": (idx(images(20))[:-1], "holds only 239 bytes of data, expected 240"),
    "trailing": (idx(images(20)) + b"x", "holds more bytes of data, expected 240"),
    "a_huge_claim": (header(8, 3, 2**32 - 1, 2**16, 2**16), "more than the limit of 2 GiB"),
    "fewer": (idx(images(19)), "20 labels, expected one for each of the 19 images"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
@pytest.mark.parametrize("case", BAD_IDX)
def test_a_bad_idx_file_is_refused_by_name(tmp_path, case, pack):
    data, told = BAD_IDX[case]
    write_idx(tmp_path, x_train=data, pack=pack)
    text = refusal("mnist", tmp_path)
    assert told in text and "train-images-idx3-ubyte" in text


@pytest.mark.parametrize("damage", [
    lambda data: data[:len(data) // 2], lambda data: data[:-5], lambda data: data + b"rubbish",
    lambda data: data[:30] + bytes([data[30] ^ 255]) + data[31:], lambda data: b"\x1f\x8b",
], ids=["half", "no_checksum", "trailing", "flipped", "only_magic"])
def test_a_damaged_gz_is_refused_by_name(tmp_path, damage):
    write_idx(tmp_path, ".gz", pack=gzip.compress)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    assert f"{path} " in refusal("mnist", tmp_path)


def test_a_gzip_bomb_is_refused_without_unpacking_it(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header(8, 3, 20, 4, 3))
        for _ in range(300):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="holds more bytes of data, expected 240"):
            read_idx(path, dimensions=3)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000          # bytes, at the peak
    finally:
        tracemalloc.stop()


def test_labels_outside_the_classes_are_refused_by_name(tmp_path):
    write_idx(tmp_path, y_test=idx(labels(10) + 1))
    assert "t10k-labels-idx1-ubyte holds label 10, expected 0 to 9" in refusal("mnist", tmp_path)


def test_a_missing_companion_is_named(tmp_path):
    write_idx(tmp_path, y_train=None)
    assert "lacks train-labels-idx1-ubyte[.gz]" in refusal("mnist", tmp_path)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path):
    write_idx(tmp_path, x_test=None)
    (tmp_path / "t10k-images-idx3-ubyte").mkdir()
    assert "t10k-images-idx3-ubyte is not a file" in refusal("mnist", tmp_path)


# --- npz


def test_npz_is_read_with_classes_known_given_or_counted(tmp_path):
    write_npz(tmp_path / "own.npz")
    assert load("own", tmp_path).classes == tuple("0123456789")
    assert load("fashion", tmp_path).classes == KNOWN["fashion"].classes
    assert load("own", tmp_path, classes=tuple("abcdefghij")).classes[0] == "a"


def test_npz_tells_regression_by_decimals_and_text_by_its_names(tmp_path):
    write_npz(tmp_path / "line" / "line.npz", x_train=np.ones((20, 2)), x_test=np.ones((10, 2)),
              y_train=np.linspace(0, 1, 20), y_test=np.zeros((10, 1)))
    assert load("line", tmp_path).task == "regression" and load("line", tmp_path).y_train.shape == (20, 1)
    write_npz(tmp_path / "pets" / "pets.npz", y_train=np.array(["dog", "cat"] * 10), y_test=np.array(["cat"] * 10))
    write_npz(tmp_path / "truth" / "truth.npz", y_train=labels(20) % 2 == 0, y_test=np.ones(10, bool))
    assert load("truth", tmp_path, classes=("no", "yes")).y_train[:2].tolist() == [1, 0]
    pets = load("pets", tmp_path)
    assert pets.classes == ("cat", "dog") and pets.y_train[:2].tolist() == [1, 0]


def archive_with(body):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{part}.npy", body)
    return stream.getvalue()


def npy(shape, descr="|u1", body=b""):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, dict(descr=descr, fortran_order=False, shape=shape))
    return stream.getvalue() + body


@pytest.mark.parametrize("content, told", [
    (b"", "cannot be read as .npz"),
    (b"PK\x03\x04 and so on", "cannot be read as .npz"),
    (archive_with(b"not npy"), "cannot be read as .npz"),
    (archive_with(npy((10**12,))), "declares 1,000,000,000,000 bytes of data but holds"),
    (archive_with(npy((3,), body=b"12345")), "cannot be read as .npz"),
    (archive_with(npy((3,), "|O", bytes(24))), "holds object, expected numbers"),
    (archive_with(npy((1,), "<M8[s]", bytes(8))), "expected numbers"),
    (archive_with(b"\x93NUMPY\x09\x00" + bytes(20)), "has format version (9, 0), expected (1, 0) or (2, 0)"),
])
def test_a_bad_npz_is_refused_by_name(tmp_path, content, told):
    (tmp_path / "own.npz").write_bytes(content)
    text = refusal("own", tmp_path)
    assert told in text and str(tmp_path / "own.npz") in text


def test_a_pickle_in_an_npz_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    write_npz(tmp_path / "own.npz", x_train=np.array([Trap()] * 20))
    assert "holds object" in refusal("own", tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path):
    content = bytearray(archive_with(npy((3,), body=b"123")))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24:entry + 28] = struct.pack("<I", 2**32 - 2)           # the uncompressed size it declares
    (tmp_path / "own.npz").write_bytes(content)
    assert "declares more than the limit of 2 GiB" in refusal("own", tmp_path)


@pytest.mark.parametrize("replaced, told", [
    (dict(y_train=None, x_test=None), "lacks y_train, x_test, expected x_train, y_train, x_test, y_test"),
    (dict(y_train=labels(19)), "own.npz: data set own: 20 training inputs but 19 training targets"),
    (dict(x_train=images(20) / 255.0), "own.npz: data set own: x_train holds images as float64"),
    (dict(y_train=np.full(20, 10**9)), "targets mean 1,000,000,001 classes, more than the limit of 10,000"),
    (dict(y_test=np.array(["a"] * 10), y_train=np.array(["b", "c"] * 10)), "a target is 'a', expected one of b, c"),
    (dict(y_test=np.array(["a"] * 10)), "own.npz: one of y_train and y_test holds text and the other numbers"),
    (dict(y_train=np.array(["b", "c"] * 10)), "own.npz: one of y_train and y_test holds text"),
    (dict(y_test=np.full(10, 0.5)), "own.npz: data set own: y_test holds float64, expected whole numbers"),
])
def test_arrays_that_do_not_fit_are_refused_with_the_files_name(tmp_path, replaced, told):
    write_npz(tmp_path / "own.npz", **replaced)
    with pytest.raises(UsageError, match=told):
        load("own", tmp_path)


@pytest.mark.parametrize("value", [0.5, np.inf, np.nan, 1e300])
def test_labels_of_given_classes_must_be_whole(tmp_path, value):
    write_npz(tmp_path / "own.npz", y_train=np.full(20, value))
    assert "targets are decimals" in refusal("own", tmp_path, classes=("no", "yes"))


def test_of_several_npz_the_one_named_after_the_folder_is_taken(tmp_path):
    write_npz(tmp_path / "own" / "other.npz", x_train=images(20, 5))
    write_npz(tmp_path / "own" / "another.npz")
    assert "holds 2 .npz files, expected one, or one named own.npz" in refusal("own", tmp_path)
    write_npz(tmp_path / "own" / "own.npz")
    assert np.array_equal(load("own", tmp_path).x_train, images(20))


# --- tables


def test_a_table_of_numbers_is_a_regression(tmp_path):
    write_csv(tmp_path / "regression")
    data = load("regression", tmp_path)
    assert data.task == "regression"
    assert data.x_train.tolist() == [[1, 2], [3, 4]] and data.y_test.tolist() == [[2.5]]


@pytest.mark.parametrize("train, test", [
    ("\ufeffa,b,y\r\n1,2,0.5\r\n3,4,1.5\r\n", "a,b,y\n5,6,2.5"),
    ("a;b;y\n1;2;0.5\n3;4;1.5\n\n\n", "a;b;y\n5;6;2.5\n"),
    ("a\tb\ty\n1\t2\t0.5\n\n3\t4\t1.5\n", "a\tb\ty\n5\t6\t2.5\n"),
    ('"a","b","y"\n"1","2","0.5"\n3, 4,1.5e0\n', "a,b,y\n5,6,2.5\n"),
])
def test_usual_ways_to_write_csv_are_understood(tmp_path, train, test):
    write_csv(tmp_path, train, test)
    data = load("own", tmp_path)
    assert data.x_train.tolist() == [[1, 2], [3, 4]] and data.y_train.ravel().tolist() == [0.5, 1.5]


def test_a_text_target_names_the_classes_in_sorted_order(tmp_path):
    write_csv(tmp_path, "a,y\n1,dog\n2,cat\n3,dog\n", "a,y\n4,cat\n")
    data = load("pets", tmp_path)
    assert data.classes == ("cat", "dog") and data.y_train.tolist() == [1, 0, 1] and data.y_test.tolist() == [0]
    assert load("pets", tmp_path, classes=("dog", "cat")).y_train.tolist() == [0, 1, 0]


def test_a_numeric_target_is_a_label_when_classes_are_given(tmp_path):
    write_csv(tmp_path, "a,y\n1,0\n2,1\n", "a,y\n4,1\n")
    assert load("own", tmp_path).task == "regression"
    assert load("own", tmp_path, classes=("no", "yes")).y_train.tolist() == [0, 1]
    write_csv(tmp_path, "a,y\n1,0.5\n2,1\n", "a,y\n4,1\n")
    assert "targets are decimals, expected labels from 0 to 1" in refusal("own", tmp_path, classes=("no", "yes"))


BAD_TRAIN = {
    "empty": (b"", "is empty, expected a header row"),
    "header_alone": ("a,b,y\n", "has a header row but no data"),
    "no_header": ("1,2,0.5\n3,4,1.5\n", "line 1 holds only numbers, expected a header row"),
    "one_column": ("y\n1\n2\n", "has the one column 'y'"),
    "ragged": ("a,b,y\n1,2,3\n4,5\n", "line 3 has 2 columns, expected 3"),
    "too_wide": ("a,b,y\n\n1,2,3,4\n", "line 3 has 4 columns, expected 3"),
    "text": ("a,b,y\n1,2,3\n1,two,3\n", "line 3, column 'b' holds 'two', expected a number"),
    "blank": ("a,b,y\n1,,3\n", "line 2, column 'b' holds ''"),
    "decimal_comma": ("a;b;y\n1,5;2;3\n", "line 2, column 'a' holds '1,5', expected a number with a decimal point"),
    "nan": ("a,b,y\n1,2,3\n\n1,nan,3\n", "line 4 holds nan"),
    "inf": ("a,b,y\n1,-inf,3\n", "line 2 holds nan, an infinite"),
    "too_large": ("a,b,y\n1,1e39,3\n", "line 2 holds nan, an infinite or a too large number"),
    "nan_target": ("a,b,y\n1,2,nan\n", "line 2 holds nan"),
    "one_wrong_target": ("a,b,y\n1,2,3\n1,2,oops\n",
                         "line 3, column 'y' holds 'oops', expected a number as in line 2"),
    "one_number_among_names": ("a,b,y\n1,2,cat\n1,2,7\n",
                               "line 3, column 'y' holds '7', expected a name of a class"),
    "no_target": ("a,b,y\n1,2,cat\n1,2,\n", "line 3, column 'y' holds ''"),
    "names": ("a,b,y\n1,2,cat\n1,2,dog\n", "differ in column 'y'"),
    "row_numbers": (",a,y\n0,1,2\n", "column 1 has no name; if it holds row numbers, as pandas writes them"),
    "not_utf8": (b"a,b,y\n1,2,\xff\n", "is not text in UTF-8"),
    "binary": (bytes(range(256)), "train_data.csv"),
    "other_columns": ("a,c,y\n1,2,3\n", "test_data.csv has columns a, b, y, expected a, c, y as in train_data.csv"),
    "a_huge_cell": ("a,b,y\n1,2," + "9" * 200_000 + "\n", "cannot be read (field larger than"),
    "missing": (None, "train_data.csv is missing"),
}


@pytest.mark.parametrize("case", BAD_TRAIN)
def test_a_bad_table_is_refused_with_file_and_line(tmp_path, case):
    train, told = BAD_TRAIN[case]
    write_csv(tmp_path, train)
    text = refusal("own", tmp_path)
    assert told in text and "train_data.csv" in text and len(text) < 400


def test_what_a_known_name_promises_is_held_against_the_files(tmp_path):
    write_csv(tmp_path, "a,y\n1,dog\n2,cat\n", "a,y\n4,cat\n")
    assert "targets are text such as 'dog', expected numbers" in refusal("regression", tmp_path)
    write_csv(tmp_path)
    assert "targets are decimals, expected labels from 0 to 9" in refusal("mnist", tmp_path)


def test_the_names_of_columns_are_known_and_change_no_digest(tmp_path):
    write_csv(tmp_path / "one")
    write_csv(tmp_path / "other", "c,d,y\n1,2,0.5\n3,4,1.5\n", "c,d,y\n5,6,2.5\n")
    one, other = (load("own", tmp_path / name) for name in ("one", "other"))
    assert (one.columns, other.columns) == (("a", "b"), ("c", "d"))
    assert one.digest == other.digest


def test_two_hundred_thousand_rows_load_whole(tmp_path):
    rows = np.random.default_rng(0).normal(size=(200_000, 3))
    text = "a,b,y\n" + "\n".join(f"{a},{b},{y}" for a, b, y in rows)
    write_csv(tmp_path, text, "a,b,y\n1,2,3\n")
    assert np.array_equal(load("own", tmp_path).x_train, rows[:, :2].astype(np.float32))


# --- stand-ins


@pytest.mark.parametrize("name", KNOWN)
def test_stand_ins_are_the_same_every_time_and_say_what_they_are(name):
    known = KNOWN[name]
    first, again = stand_in(name, known.classes), stand_in(name, known.classes)
    assert first.digest == again.digest
    assert first.stand_in and first.source.startswith("stand-in: ")
    assert (first.task, first.item_shape, first.classes) == (known.task, known.item_shape, known.classes)


def test_the_stand_in_digits_are_real_ones_centred_as_in_mnist():
    data = stand_in("mnist", KNOWN["mnist"].classes)
    assert data.sizes == (1437, 360) and np.bincount(data.y_test).min() >= 34
    assert data.x_train.max() == 255 and 0.1 < data.x_train.mean() / 255 < 0.18            # MNIST: 0.13
    weights = data.x_train.reshape(1437, -1).astype(float)
    rows, columns = (axis.ravel() for axis in np.mgrid[:28, :28])
    for places in (rows, columns):
        assert np.abs(weights @ places / weights.sum(axis=1) - 13.5).max() < 1


def test_the_stand_in_garments_are_balanced_varied_and_learnable():
    from sklearn.neighbors import KNeighborsClassifier

    data = stand_in("fashion", KNOWN["fashion"].classes)
    assert np.bincount(data.y_train).tolist() == [200] * 10 and np.bincount(data.y_test).tolist() == [50] * 10
    assert len(np.unique(data.x_train.reshape(2000, -1), axis=0)) == 2000
    flat = [x.reshape(len(x), -1) / 255 for x in (data.x_train, data.x_test)]
    score = KNeighborsClassifier(5).fit(flat[0], data.y_train).score(flat[1], data.y_test)
    assert 0.7 < score < 0.95


def test_the_stand_in_function_has_gaps_only_in_training():
    data = stand_in("regression", ())
    assert data.sizes == (100, 100)
    for low, high in GAPS:
        assert not np.any((data.x_train > low) & (data.x_train < high))
        assert np.sum((data.x_test > low) & (data.x_test < high)) >= 5
    noise = [np.std(y - curve(x)) for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))]
    assert 0.4 < noise[0] < 0.6 and 0.05 < noise[1] < 0.15
    for array in (data.y_train, data.y_test):
        assert -4 < array.min() < 0 and 5 < array.max() < 7.5


# --- imports, and the real files


def test_importing_the_package_is_light():
    heavy = ("tensorflow", "keras", "tensorflow_datasets", "sklearn", "scipy", "requests", "PIL")
    code = f"import sys, kerashw.datasets; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parent.parent)
    assert done.stdout.strip() == "[]"


@needs_real_files
def test_the_real_mnist_has_its_published_counts():
    data = load("mnist", REAL)
    assert np.bincount(data.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(data.x_train.mean() / 255, 6) == 0.13066 and data.item_shape == (28, 28)


@needs_real_files
def test_the_real_fashion_mnist_has_its_published_counts():
    data = load("fashion", REAL)
    assert np.bincount(data.y_train).tolist() == [6000] * 10 and np.bincount(data.y_test).tolist() == [1000] * 10
    assert round(data.x_train.mean() / 255, 6) == 0.286041 and data.classes[9] == "Ankle boot"


@needs_real_files
def test_the_real_regression_has_its_gaps():
    data = load("regression", REAL)
    assert data.sizes == (100, 100) and data.y_train.shape == (100, 1)
    for low, high in ((-3.03, -0.95), (1.73, 3.1)):
        assert not np.any((data.x_train > low) & (data.x_train < high))
