"""Files a person has become items: size, polarity, shapes, order, and what happens to those that cannot be read."""

import gzip
import io
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerashw.errors import UsageError
from kerashw.framing import Frame
from kerashw.items import PIECE, as_items, read_pieces
from kerashw.sources import Source, kind_of

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


def read_items(path, shape, **options):
    """All items of a file."""
    return np.concatenate(list(read_pieces(Source(str(path), path, kind_of(path.name)), shape, **options)))


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


@pytest.mark.parametrize("ink", [0, 255])
def test_what_is_transparent_counts_as_paper_on_which_the_ink_can_be_seen(tmp_path, ink):
    layers = np.full((8, 8, 4), ink, "uint8")  # ink where the square is, nothing at all around it
    layers[..., 3] = square()
    read = read_items(picture(tmp_path / "a.png", layers), GREY, background=0.0)
    np.testing.assert_array_equal(read[0], square())


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path):
    pixels = np.zeros((8, 8), "uint8")
    pixels[:2] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned right by a quarter
    read = read_items(picture(tmp_path / "a.png", pixels, exif=turned), GREY)[0]
    np.testing.assert_array_equal(read, np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_very_large_picture_is_read_by_strips_and_looks_the_same(tmp_path, monkeypatch, mode):
    pixels = np.zeros((200, 310), "uint8")
    pixels[30:90, 100:290] = 255
    turned = Image.Exif()
    turned[0x0112] = 6
    path = picture(tmp_path / "a.png", pixels, mode, exif=turned)
    whole = read_items(path, COLOUR)
    monkeypatch.setattr("kerashw.items.ENOUGH", 40 * 62)
    monkeypatch.setattr("kerashw.items.STRIP", 12 * 310)
    sizes, reduce = set(), Image.Image.reduce

    def told(strip, *how):
        sizes.add(strip.size)
        return reduce(strip, *how)

    monkeypatch.setattr(Image.Image, "reduce", told)
    by_strips = read_items(path, COLOUR)
    assert sizes == {(310, 10)}
    assert np.abs(by_strips.astype(int) - whole).max() <= 12  # of 255, at the edges of what is drawn


FRAME = Frame(height=4, width=4, row=3.5, column=3.5, by_mass=False, ink=255)


def test_a_drawing_of_another_size_is_framed_as_in_training_and_one_of_the_right_size_is_left_alone(tmp_path):
    large = np.full((40, 30), 255, "uint8")
    large[3:11, 20:28] = 0
    read = read_items(picture(tmp_path / "large.png", large), GREY, background=0.0, frame=FRAME)
    np.testing.assert_array_equal(read[0], square())
    corner = np.zeros((8, 8), "uint8")
    corner[:2, :2] = 99
    read = read_items(picture(tmp_path / "right.png", corner), GREY, background=0.0, frame=FRAME)
    np.testing.assert_array_equal(read[0], corner)


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
    "pixels from 0 to 1": (np.full((8, 8), 0.5), GREY, "item 0: pixels must be whole numbers from 0 to 255, not 0.5"),
    "pixels below 0": (np.full((8, 8), -1), GREY, "whole numbers from 0 to 255, not -1"),
    "pixels above 255": (np.full((8, 8), 256), GREY, "not 256"),
    "NaN": (np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 2.0]]), THREE, "item 1: holds a number that is not finite"),
    "infinity": (np.array([[1.0, np.inf, 2.0]]), THREE, "item 0: holds a number that is not finite"),
    "too large": (np.array([[1.0, 1e300, 2.0]]), THREE, "item 0: holds numbers too large for a model"),
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


# --- idx


def idx(images):
    """The bytes of an idx file."""
    return bytes([0, 0, 8, images.ndim]) + struct.pack(f">{images.ndim}I", *images.shape) + images.tobytes()


@pytest.mark.parametrize("name, pack", [("t10k-images-idx3-ubyte", bytes), ("a.idx3-ubyte.gz", gzip.compress)])
@pytest.mark.parametrize("count", [1, PIECE, PIECE + 1])
def test_an_idx_file_gives_its_images(tmp_path, name, pack, count):
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8)).astype("uint8")
    (tmp_path / name).write_bytes(pack(idx(images)))
    np.testing.assert_array_equal(read_items(tmp_path / name, GREY), images)


@pytest.mark.parametrize(
    "content, told",
    [
        (idx(np.zeros(5, "uint8")), "are images and labels mixed up?"),
        (idx(np.zeros((5, 7, 8), "uint8")), "has shape (5, 7, 8), expected (n, 8, 8)"),
        (idx(np.zeros((5, 8, 8), "uint8"))[:-1], "only 319 bytes of data, expected 320"),
        (idx(np.zeros((5, 8, 8), "uint8")) + b"0", "more bytes of data, expected 320"),
        (idx(np.zeros((300, 8, 8), "uint8"))[:-9], "only 19,191 bytes of data, expected 19,200"),
        (gzip.compress(idx(np.zeros((5, 8, 8), "uint8")), mtime=0)[:-12], "breaks off"),
    ],
)
def test_an_idx_file_that_does_not_fit_is_refused_by_name(tmp_path, content, told):
    (tmp_path / "a-idx3-ubyte").write_bytes(content)
    assert told in refusal(tmp_path / "a-idx3-ubyte", GREY)


# --- files larger than memory


def large_files(folder, count):
    """A file of every kind with so many items of 8x8 pixels, or of 64 numbers."""
    images = (np.arange(count * 64) % 256).astype("uint8").reshape(count, 8, 8)
    np.save(folder / "a.npy", images)
    (folder / "a-idx3-ubyte").write_bytes(idx(images))
    (folder / "a-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), 1))
    rows = "\n".join(",".join(map(str, image.ravel())) for image in images)
    (folder / "a.csv").write_text(f"{','.join(f'pixel_{place}' for place in range(64))}\n{rows}\n")


def test_a_large_file_is_read_in_pieces_and_never_held_as_a_whole(tmp_path):
    count = 20_000
    large_files(tmp_path, count)
    for name in ("a.npy", "a-idx3-ubyte", "a-idx3-ubyte.gz", "a.csv"):
        shape = (64,) if name == "a.csv" else GREY
        seen = 0
        tracemalloc.start()
        try:
            for piece in read_pieces(Source(name, tmp_path / name, kind_of(name)), shape):
                assert len(piece) <= PIECE
                np.testing.assert_array_equal(piece.ravel()[:3], np.arange(seen * 64, seen * 64 + 3) % 256)
                seen += len(piece)
            assert seen == count
            whole = count * 64 * (4 if name == "a.csv" else 1)  # bytes of all items
            assert tracemalloc.get_traced_memory()[1] < whole / 2, name
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.npy", "a.csv"])
def test_what_stands_before_a_wrong_item_is_read_and_the_item_is_named(tmp_path, name):
    values = np.zeros((PIECE + 9, 3))
    values[PIECE + 4, 1] = np.nan
    if name == "a.npy":
        np.save(tmp_path / name, values)
    else:
        np.savetxt(tmp_path / name, values, delimiter=",", header="a,b,c", comments="")
    pieces = read_pieces(Source("mine", tmp_path / name, kind_of(name)), THREE)
    assert next(pieces).shape == (PIECE, 3)
    with pytest.raises(UsageError) as error:
        next(pieces)
    assert str(error.value).startswith(f"mine, item {PIECE + 4}" if name == "a.npy" else f"mine, line {PIECE + 6} ")


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.csv", "a-idx3-ubyte"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).touch()
    assert "is empty" in refusal(tmp_path / name, THREE)


# --- arrays of one's own


def test_an_array_is_taken_as_a_file_with_it_would_be():
    np.testing.assert_array_equal(as_items(square().astype(float), GREY), square()[np.newaxis])
    assert as_items(np.zeros((4, 8, 8, 1)), GREY).shape == (4, 8, 8)
    with pytest.raises(UsageError, match=r"^x: has shape \(7,\), expected \(n, 8, 8\)\.$"):
        as_items(np.zeros(7), GREY)


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
    files["idx3-ubyte"] = idx(np.stack([square()] * 2))
    files["idx3-ubyte.gz"] = gzip.compress(files["idx3-ubyte"])
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


def test_levels_of_16_bits_are_told_apart(tmp_path):
    levels = np.linspace(0, 65535, 28 * 28).astype("uint16").reshape(28, 28)
    Image.fromarray(levels).save(tmp_path / "scan.png")
    read = read_items(tmp_path / "scan.png", (28, 28))[0]
    np.testing.assert_allclose(read, levels / 257, atol=1.5)


def test_a_picture_for_a_model_of_other_channels_is_refused_with_what_to_give(tmp_path):
    path = picture(tmp_path / "a.png", np.zeros((32, 32), "uint8"))
    with pytest.raises(UsageError, match="takes images of 4 channels; pictures are read as grey or RGB: give NPY"):
        read_items(path, (32, 32, 4))


@pytest.mark.parametrize("by_mass", [False, True])
def test_specks_that_vanish_leave_the_paper_empty(tmp_path, by_mass):
    scan = np.full((2000, 2000), 255, "uint8")
    scan[10, 10] = scan[1900, 1900] = 0
    read = read_items(picture(tmp_path / "scan.png", scan), GREY, background=0.0, frame=replace(FRAME, by_mass=by_mass))[0]
    assert read.max() < 64
