"""Drawings of any size, place and polarity are brought to lie as those of the training images do."""

import os

import numpy as np
import pytest
from PIL import Image

from kerashw.datasets import load
from kerashw.framing import Frame, border_brightness, box_of, centre_of_mass, frame_of, framed

REAL = os.environ.get("KERASHW_DATA_DIR")
GENERATOR = np.random.default_rng(0)
DIGITS = Frame(height=20, width=20, row=14, column=14, by_mass=True, ink=255)
GARMENTS = Frame(height=28, width=28, row=13.5, column=13.5, by_mass=False, ink=255)


def wedge(height, width):
    """A triangle that is heavy at its left."""
    return np.where(np.arange(width) * height <= np.arange(height, 0, -1)[:, None] * width, 255, 0).astype("uint8")


def on_paper(drawing, size, place, paper=255, ink=0):
    """The drawing somewhere on paper of a size (height, width)."""
    pixels = np.full(size, paper, "uint8")
    (top, left), (height, width) = place, drawing.shape
    pixels[top : top + height, left : left + width][drawing > 0] = ink
    return pixels


def images(drawing, places, size=(28, 28)):
    return np.stack([on_paper(drawing, size, place, paper=0, ink=255) for place in places])


def difference(one, other):
    """The mean difference of pixels, of 255, where both lie best: half a pixel may be rounded either way."""
    moved = [np.roll(one, shift, axis=(0, 1)) for shift in np.ndindex(2, 2)]
    moved += [np.roll(one, (-down, -right), axis=(0, 1)) for down, right in np.ndindex(2, 2)]
    return min(np.abs(image.astype(int) - other).mean() for image in moved)


# --- what training images tell


def test_the_border_alone_decides_how_bright_a_background_is():
    assert border_brightness(images(wedge(6, 6), [(9, 9)] * 2)) == 0
    assert border_brightness(255 - images(wedge(6, 6), [(9, 9)] * 2)) == 255
    assert border_brightness(np.full((1, 4, 4, 3), 90, "uint8")) == 90


@pytest.mark.parametrize("invert", [False, True])
def test_drawings_about_the_middle_of_their_box_are_seen_to_be_so(invert):
    tall, wide = images(wedge(28, 12), [(0, 8)] * 5), images(wedge(12, 28), [(8, 0)] * 5)
    given = np.concatenate([tall, wide])
    found = frame_of(255 - given if invert else given)
    assert found == Frame(height=28, width=28, row=13.5, column=13.5, by_mass=False, ink=255)


def test_drawings_about_their_centre_of_mass_are_seen_to_be_so():
    one, other = wedge(20, 14), wedge(20, 14)[:, ::-1]
    places = [[round(14 - middle) for middle in centre_of_mass(drawing)] for drawing in (one, other)]
    found = frame_of(np.concatenate([images(one, [places[0]] * 5), images(other, [places[1]] * 5)]))
    assert found.by_mass and (found.height, found.width) == (20, 14)
    assert abs(found.row - 14) < 0.6 and abs(found.column - 14) < 0.6


NO_FRAME = {
    "photographs": GENERATOR.integers(0, 256, (50, 28, 28)).astype("uint8"),
    "drawings anywhere": images(wedge(10, 10), GENERATOR.integers(0, 18, (50, 2))),
    "drawings of all sizes": np.concatenate([
        images(wedge(side, side), [(14 - side // 2, 14 - side // 2)]) for side in range(4, 28, 2)]),
    "nothing at all": np.zeros((5, 28, 28), "uint8"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_FRAME)
def test_where_training_images_have_nothing_in_common_there_is_no_frame(case):
    assert frame_of(NO_FRAME[case]) is None


@pytest.mark.skipif(not REAL, reason="set KERASHW_DATA_DIR to a folder with the real files")
def test_the_real_digits_and_garments_are_framed_as_their_authors_say():
    assert frame_of(load("mnist", REAL).x_train) == Frame(20, 20, row=14, column=14.01, by_mass=True, ink=255)
    found = frame_of(load("fashion", REAL).x_train)
    assert (found.height, found.width, found.by_mass) == (28, 28, False)
    assert abs(found.row - 13.5) < 0.25 and abs(found.column - 13.5) < 0.25


# --- what becomes of a picture


@pytest.mark.parametrize("paper, ink", [(255, 0), (255, 60), (0, 255), (20, 200), (230, 90)])
@pytest.mark.parametrize("size, side, place", [
    ((140, 100), 60, (70, 5)), ((100, 140), 90, (1, 2)), ((28, 40), 26, (2, 0)), ((900, 700), 400, (490, 290)),
])  # fmt: skip
def test_a_drawing_of_any_size_place_and_polarity_becomes_the_same_item(paper, ink, size, side, place):
    expected = framed(on_paper(wedge(60, 60), (100, 100), (20, 20)), (28, 28), DIGITS, is_light=False)
    found = framed(on_paper(wedge(side, side), size, place, paper, ink), (28, 28), DIGITS, is_light=False)
    assert found.max() == 255 and found[0].max() == 0
    assert difference(found, expected) < 5


def test_the_centre_of_mass_or_the_middle_of_the_box_comes_to_its_place():
    given = on_paper(wedge(80, 50), (200, 150), (100, 90))
    by_mass = framed(given, (28, 28), DIGITS, is_light=False)
    assert np.allclose(centre_of_mass(by_mass), (14, 14), atol=0.51)
    by_box = box_of(framed(given, (28, 28), GARMENTS, is_light=False))
    assert by_box[0] == 0 and by_box[2] == 28 and abs(by_box[1] + by_box[3] - 28) <= 1


def test_proportions_are_kept():
    given = on_paper(wedge(80, 40), (99, 99), (5, 5))
    top, left, bottom, right = box_of(framed(given, (28, 28), DIGITS, is_light=False))
    assert (bottom - top, right - left) == (20, 10)


def test_a_drawing_too_far_to_one_side_stays_whole():
    heavy = np.zeros((20, 20), "uint8")
    heavy[-1], heavy[0, 0] = 255, 255  # all mass at the bottom, so its box would leave the frame
    found = framed(on_paper(heavy, (60, 60), (9, 9)), (22, 22), DIGITS, is_light=False)
    top, left, bottom, right = box_of(found)
    assert (bottom - top, right - left) == (20, 20)


def test_thin_strokes_keep_their_full_ink():
    ring = np.zeros((600, 600), "uint8")
    ring[[0, -1], :], ring[:, [0, -1]] = 255, 255
    found = framed(on_paper(ring, (900, 900), (99, 99), ink=120), (28, 28), DIGITS, is_light=False)
    assert found.max() == 255


def test_a_model_of_dark_ink_on_light_paper_gets_that():
    given = on_paper(wedge(60, 60), (100, 100), (20, 20), paper=10, ink=240)
    dark = framed(given, (28, 28), DIGITS, is_light=False)
    np.testing.assert_array_equal(framed(given, (28, 28), DIGITS, is_light=True), 255 - dark)


@pytest.mark.parametrize("paper", [0, 128, 255])
def test_empty_paper_stays_empty(paper):
    noise = GENERATOR.integers(-9, 10, (50, 40))
    pixels = np.clip(paper + noise, 0, 255).astype("uint8")
    assert framed(pixels, (28, 28), DIGITS, is_light=False).max() == 0


def test_noise_and_the_marks_of_compression_do_not_count_as_drawing(tmp_path):
    clean = on_paper(wedge(90, 60), (300, 200), (30, 100))
    Image.fromarray(clean).save(tmp_path / "a.jpg", quality=40)
    noisy = np.asarray(Image.open(tmp_path / "a.jpg")).astype(int) + GENERATOR.integers(-9, 10, clean.shape)
    found = framed(np.clip(noisy, 0, 255).astype("uint8"), (28, 28), DIGITS, is_light=False)
    expected = framed(clean, (28, 28), DIGITS, is_light=False)
    assert difference(found, expected) < 8
