"""Files a person has become items: size, polarity, shapes, order, and what happens to those that cannot be read."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerashw.errors import UsageError
from kerashw.items import SUFFIXES, border_brightness, list_files, read_items
from kerashw.predict import BATCH, batched, readable, write_csv, write_json, write_table

GREY, COLOUR, ONE, THREE = (8, 8), (8, 8, 3), (1,), (3,)


def square(size=8, ink=255, paper=0):
    """A filled square on paper."""
    image = np.full((size, size), paper, "uint8")
    image[size // 4 : -size // 4, size // 4 : -size // 4] = ink
    return image


def picture(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def array(path, values):
    np.save(path, values)
    return path


def refusal(path, shape, **options):
    with pytest.raises(UsageError) as error:
        read_items(Path(path), shape, **options)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


# --- pictures


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "PNG"])
def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path, ending):
    read = read_items(picture(tmp_path / f"a.{ending}", square()), GREY)
    assert read.dtype == "uint8"
    np.testing.assert_array_equal(read, square()[np.newaxis])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_picture_of_any_mode_becomes_grey_or_coloured_as_the_model_wants(tmp_path, mode):
    path = picture(tmp_path / "a.png", square(), mode)
    np.testing.assert_array_equal(read_items(path, GREY)[0], square())
    np.testing.assert_array_equal(read_items(path, (8, 8, 1))[0, ..., 0], square())
    np.testing.assert_array_equal(read_items(path, COLOUR)[0], np.stack([square()] * 3, axis=-1))


def test_colours_keep_their_order(tmp_path):
    red = np.zeros(COLOUR, "uint8")
    red[..., 0] = 255
    np.testing.assert_array_equal(read_items(picture(tmp_path / "red.png", red), COLOUR)[0], red)


def test_sixteen_bits_a_pixel_become_eight(tmp_path):
    path = picture(tmp_path / "deep.png", square().astype("uint16") * 257)
    np.testing.assert_array_equal(read_items(path, GREY)[0], square())


@pytest.mark.parametrize("size", [4, 16, 61, 300])
def test_a_picture_of_another_size_is_resized_and_looks_the_same(tmp_path, size):
    read = read_items(picture(tmp_path / "a.png", square(size)), GREY)
    assert read.shape == (1, 8, 8)
    assert np.abs(read[0].astype(int) - square()).mean() < 30


def test_width_and_height_are_not_mixed_up(tmp_path):
    wide = np.zeros((4, 12), "uint8")
    wide[:, 6:] = 255
    read = read_items(picture(tmp_path / "wide.png", wide), (4, 12))
    np.testing.assert_array_equal(read[0], wide)
    assert read_items(tmp_path / "wide.png", (12, 4)).shape == (1, 12, 4)


@pytest.mark.parametrize("shape", [GREY, COLOUR], ids=str)
@pytest.mark.parametrize(
    "ink, paper, background, alike",
    [(255, 0, 0.0, True), (0, 255, 0.0, False), (0, 255, 255.0, True), (255, 0, 255.0, False), (0, 255, None, True)],
)
def test_a_picture_is_inverted_where_its_border_is_of_the_other_kind(tmp_path, shape, ink, paper, background, alike):
    given = square(ink=ink, paper=paper)
    read = read_items(picture(tmp_path / "a.png", given), shape, background=background)[0]
    expected = given if alike else 255 - given
    np.testing.assert_array_equal(read, expected if shape == GREY else np.stack([expected] * 3, axis=-1))


def test_what_is_transparent_counts_as_white_paper(tmp_path):
    layers = np.zeros((8, 8, 4), "uint8")  # black ink where the square is, nothing at all around it
    layers[..., 3] = square()
    read = read_items(picture(tmp_path / "a.png", layers), GREY, background=0.0)
    np.testing.assert_array_equal(read[0], square())


def test_the_border_alone_decides_how_bright_a_background_is():
    assert border_brightness(np.stack([square(ink=255, paper=0)] * 2)) == 0
    assert border_brightness(np.stack([square(ink=0, paper=200)] * 2)) == 200
    assert border_brightness(np.full((1, 4, 4, 3), 90, "uint8")) == 90


def test_a_picture_for_a_model_of_numbers_is_refused(tmp_path):
    told = refusal(picture(tmp_path / "a.png", square()), THREE)
    assert "takes 3 number(s) per item, not pictures; give NPY or CSV" in told


# --- NPY


@pytest.mark.parametrize(
    "given, shape, count",
    [
        ((8, 8), GREY, 1),
        ((5, 8, 8), GREY, 5),
        ((5, 8, 8, 1), GREY, 5),
        ((8, 8, 3), COLOUR, 1),
        ((5, 8, 8, 3), COLOUR, 5),
        ((3,), THREE, 1),
        ((5, 3), THREE, 5),
        ((1,), ONE, 1),
        ((5,), ONE, 5),
        ((5, 1), ONE, 5),
    ],
)
def test_an_npy_file_holds_one_item_or_many(tmp_path, given, shape, count):
    values = np.arange(np.prod(given)).reshape(given) % 256
    read = read_items(array(tmp_path / "a.npy", values), shape)
    assert read.shape == (count, *shape)
    assert read.dtype == ("uint8" if len(shape) > 1 else "float32")
    np.testing.assert_array_equal(read.ravel(), values.ravel())


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_pixels_may_be_numbers_of_any_type_as_long_as_they_are_whole(tmp_path, kind):
    np.testing.assert_array_equal(read_items(array(tmp_path / "a.npy", square().astype(kind)), GREY)[0], square())


BAD_ARRAYS = {
    "another shape": (np.zeros((2, 7, 8)), GREY, "has shape (2, 7, 8), expected (n, 8, 8)"),
    "no items": (np.zeros((0, 8, 8)), GREY, "has shape (0, 8, 8)"),
    "a single number": (np.array(3.0), GREY, "has shape ()"),
    "numbers for images": (np.zeros(64), GREY, "has shape (64,)"),
    "channels for grey": (np.zeros((2, 8, 8, 3)), GREY, "has shape (2, 8, 8, 3)"),
    "pixels from 0 to 1": (np.full((8, 8), 0.5), GREY, "whole numbers from 0 to 255, not 0.5 to 0.5"),
    "pixels below 0": (np.full((8, 8), -1), GREY, "whole numbers from 0 to 255, not -1 to -1"),
    "pixels above 255": (np.full((8, 8), 256), GREY, "not 256 to 256"),
    "NaN": (np.array([[1.0, np.nan, 2.0]]), THREE, "no finite numbers"),
    "infinity": (np.array([[1.0, np.inf, 2.0]]), THREE, "no finite numbers"),
    "too large": (np.array([[1.0, 1e300, 2.0]]), THREE, "too large for a model"),
    "truth values": (np.zeros((8, 8), bool), GREY, "bool values"),
    "text": (np.array([["a", "b", "c"]]), THREE, "no finite numbers"),
    "complex numbers": (np.array([[1j, 2j, 3j]]), THREE, "complex128 values"),
    "dates": (np.zeros((2, 3), "datetime64[s]"), THREE, "no finite numbers"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_an_array_that_does_not_fit_is_refused_by_name(tmp_path, case):
    values, shape, told = BAD_ARRAYS[case]
    assert told in refusal(array(tmp_path / "a.npy", values), shape)


def test_a_pickle_in_an_npy_is_never_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (Path.mkdir, (tmp_path / "harm",))

    array(tmp_path / "a.npy", np.array([Harm()], dtype=object))
    assert "no NPY file of numbers" in refusal(tmp_path / "a.npy", ONE)
    assert not (tmp_path / "harm").exists()


def test_an_npz_under_the_name_of_an_npy_is_told(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        np.savez(file, x=np.zeros((2, 3)))
    assert "NPZ archive, expected one array" in refusal(tmp_path / "a.npy", THREE)


# --- CSV


@pytest.mark.parametrize("text", ["a,b,c\n1,2,3\n4,5,6\n", "a;b;c;y\n1;2;3;9\n4;5;6;9\n"])
def test_a_csv_file_gives_its_features_with_or_without_a_target(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    np.testing.assert_array_equal(read_items(tmp_path / "a.csv", THREE), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    "text, told",
    [("", "is empty"), ("a,b\n1,2\n", "has 2 columns"), ("a,b,c\n1,x,3\n", "line 2"), ("a,b,c\n1,nan,3\n", "line 2")],
)
def test_a_csv_file_that_does_not_fit_is_refused_by_name(tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    assert told in refusal(tmp_path / "a.csv", THREE)


def test_csv_rows_for_a_model_of_images_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    assert "takes images of (8, 8), not CSV rows" in refusal(tmp_path / "a.csv", GREY)


# --- damage


def whole_files():
    """{ending: bytes of a right file} of every kind."""
    files = {}
    for kind in ("png", "jpeg", "bmp", "gif"):
        stream = io.BytesIO()
        Image.fromarray(square(16)).save(stream, kind)
        files[kind] = stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, square())
    files["npy"] = stream.getvalue()
    stream = io.BytesIO()
    np.savez(stream, square())
    files["npz.npy"] = stream.getvalue()
    return files


@pytest.mark.parametrize("ending", whole_files())
def test_a_damaged_file_is_read_or_refused_and_raises_nothing_else(tmp_path, ending):
    whole = whole_files()[ending]
    generator = np.random.default_rng(0)
    path = tmp_path / f"a.{ending}"
    for _ in range(150):
        damaged = np.frombuffer(whole, "uint8").copy()
        damaged[generator.integers(len(whole), size=3)] = generator.integers(256, size=3)
        path.write_bytes(damaged[: generator.integers(1, 2 * len(whole))].tobytes())
        try:
            assert read_items(path, GREY, background=0.0).shape[1:] == GREY
        except UsageError as error:
            assert str(path) in str(error)


# --- lists of files


def test_a_folder_gives_its_files_in_the_order_of_their_names_and_leaves_others_alone(tmp_path):
    for name in ("b.png", "a.PNG", "c.npy", "notes.txt", ".hidden", "A.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_files([tmp_path])] == ["A.csv", "a.PNG", "b.png", "c.npy"]


def test_files_come_in_the_order_they_are_named_in(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("z.png", "a.png", "in/m.png"):
        (tmp_path / name).touch()
    listed = list_files([tmp_path / "z.png", tmp_path / "in", tmp_path / "a.png"])
    assert [path.name for path in listed] == ["z.png", "m.png", "a.png"]


@pytest.mark.parametrize(
    "name, told", [("nowhere.png", "no such file or folder"), ("notes.txt", "known endings are"), ("empty", "no file")]
)
def test_a_name_that_gives_no_file_is_refused_before_anything_is_read(tmp_path, name, told):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=told) as error:
        list_files([tmp_path / name])
    assert name in str(error.value)
    assert all(ending in str(error.value) for ending in (() if name == "nowhere.png" else SUFFIXES))


# --- from files to lines


def test_a_file_that_cannot_be_read_is_named_and_skipped_and_the_others_are_kept(tmp_path, capsys):
    first, last = picture(tmp_path / "a.png", square()), array(tmp_path / "c.npy", np.stack([square()] * 2))
    (tmp_path / "b.png").write_bytes(b"no picture")
    skipped = []
    read = list(readable(list_files([tmp_path]), GREY, None, skipped))
    assert [(path, place) for path, place, _ in read] == [(first, 0), (last, 0), (last, 1)]
    assert skipped == [tmp_path / "b.png"]
    said = capsys.readouterr().err
    assert re.fullmatch(r"kerashw: skipped: .*b\.png: is no picture that can be read .*\n", said)


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 3 * BATCH])
def test_batches_lose_nothing_keep_the_order_and_are_never_empty(count):
    batches = list(batched(iter(range(count))))
    assert [item for batch in batches for item in batch] == list(range(count))
    assert all(0 < len(batch) <= BATCH for batch in batches)


CLASSES = [
    {"file": "a,b.png", "item": 0, "label": "Bag", "class": 1, "probabilities": {"Bag": 0.75, "T-shirt/top": 0.25}},
    {"file": "c.NPY", "item": 4, "label": "Bag", "class": 1, "probabilities": {"Bag": 0.5, "T-shirt/top": 0.5}},
]
VALUES = [{"file": "x.csv", "item": 0, "y": [1.5]}, {"file": "x.csv", "item": 1, "y": [-2.0]}]


@pytest.mark.parametrize("rows", [CLASSES, VALUES], ids=["classes", "values"])
def test_json_lines_give_everything_back(rows, capsys):
    write_json(rows)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows


def test_csv_has_a_header_and_a_row_for_each_item(capsys):
    write_csv(CLASSES)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == {
        "file": "a,b.png", "item": "0", "label": "Bag", "class": "1",
        "label_1": "Bag", "probability_1": "0.75", "label_2": "T-shirt/top", "probability_2": "0.25",
    }  # fmt: skip
    assert len(rows) == 2
    write_csv(VALUES)
    assert capsys.readouterr().out == "file,item,y\nx.csv,0,1.5\nx.csv,1,-2.0\n"


def test_the_table_tells_items_of_one_file_apart(capsys):
    write_table(CLASSES + VALUES)
    assert capsys.readouterr().out.splitlines() == [
        "a,b.png  Bag 75.0%  T-shirt/top 25.0%",
        "c.NPY[4]  Bag 50.0%  T-shirt/top 50.0%",
        "x.csv[0]  1.5",
        "x.csv[1]  -2",
    ]
