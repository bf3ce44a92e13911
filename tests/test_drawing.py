"""Figures as files: small pictures, the numbers beside them, and the same picture drawn again."""

import io
import json
import threading

import numpy as np
import pytest
from PIL import Image
from test_figures import USUAL

from kerashw import figures
from kerashw.drawing import draw, from_json, redraw, to_json, to_png
from kerashw.errors import UsageError, WorkError

CURVES = dict(history={"loss": [2.0, 1.0], "val_loss": [2.0, float("nan")]})


def strict(path):
    """What a JSON file holds, by a reader that knows no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def bytes_of(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def mean_difference(one, other):
    return np.abs(one.astype(float) - other).mean()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_drawn_again_from_the_very_numbers_it_was_drawn_from(name, tmp_path):
    draw(tmp_path, "it", figures.FIGURES[name], **USUAL[name])
    kept = strict(tmp_path / "it.json")
    assert kept["figure"] == name and redraw(tmp_path / "it.json").caption == kept["caption"]
    assert to_json(from_json(kept["numbers"])) == kept["numbers"]


@pytest.mark.parametrize("name", ["fit", "filters", "confusion_matrix", "parallel_coordinates", "weight_histograms"])
def test_the_picture_drawn_again_is_the_same_to_the_pixel(name, tmp_path):
    path = draw(tmp_path, "it", figures.FIGURES[name], **USUAL[name], footer="STAND-IN DATA")
    again = to_png(redraw(tmp_path / "it.json"))
    np.testing.assert_array_equal(bytes_of(again), bytes_of(path.read_bytes()))


def test_two_files_are_left_and_no_other(tmp_path):
    path = draw(tmp_path / "new" / "figures", "conv_1.filters", figures.learning_curves, **CURVES)
    assert path == tmp_path / "new" / "figures" / "conv_1.filters.png"
    assert sorted(one.name for one in path.parent.iterdir()) == ["conv_1.filters.json", "conv_1.filters.png"]


def test_the_json_file_has_title_caption_footer_and_the_function(tmp_path):
    draw(tmp_path, "curves", figures.learning_curves, **CURVES, title="How it went", footer="STAND-IN DATA")
    kept = strict(tmp_path / "curves.json")
    assert kept["title"] == "How it went" and kept["footer"] == "STAND-IN DATA"
    assert kept["figure"] == "learning_curves" and "lowest, 2, at epoch 1 of 2" in kept["caption"]
    assert kept["numbers"]["history"]["val_loss"] == [2.0, None]


def test_the_png_tells_its_title_and_caption(tmp_path):
    path = draw(tmp_path, "curves", figures.learning_curves, **CURVES, title="Verlauf über Epochen: 5 × 3")
    with Image.open(path) as picture:
        assert picture.text["Title"] == "Verlauf über Epochen: 5 × 3"
        assert picture.text["Description"] == redraw(tmp_path / "curves.json").caption


def test_the_footer_is_a_band_below_the_same_picture(tmp_path):
    plain = bytes_of(draw(tmp_path, "plain", figures.learning_curves, **CURVES).read_bytes())
    path = draw(tmp_path, "marked", figures.learning_curves, **CURVES, footer="STAND-IN DATA: not the real points")
    marked = bytes_of(path.read_bytes())
    assert marked.shape[1] == plain.shape[1] and marked.shape[0] > plain.shape[0]
    dark_red = (marked == [0x8B, 0, 0]).all(axis=2).mean(axis=1)
    band = np.flatnonzero(dark_red > 0.5)
    assert band[-1] == len(marked) - 1 and len(band) < 60
    assert not (marked[: band[0] - 1] == [0x8B, 0, 0]).all(axis=2).any()


def test_a_remark_is_no_warning_and_stands_on_the_band_of_one_where_there_is_one(tmp_path):
    common = dict(**CURVES, remark="The first of 3 networks.")
    calm = bytes_of(draw(tmp_path, "calm", figures.learning_curves, **common).read_bytes())
    loud = bytes_of(draw(tmp_path, "loud", figures.learning_curves, **common, footer="STAND-IN DATA.").read_bytes())
    assert calm.shape == loud.shape
    last = [picture[-1, 0].tolist() for picture in (calm, loud)]
    assert last == [[0xED, 0xEF, 0xF2], [0x8B, 0, 0]]
    texts = [text.get_text() for text in redraw(tmp_path / "loud.json").texts]
    assert "STAND-IN DATA. The first of 3 networks." in texts


@pytest.mark.parametrize("name", ["learning_curves", "fit", "confusion_matrix", "sample_items", "grid_table"])
def test_the_footer_covers_no_words_of_the_figure(name, tmp_path):
    draw(tmp_path, "it", figures.FIGURES[name], **USUAL[name], footer="STAND-IN DATA. " * 20)
    figure = redraw(tmp_path / "it.json")
    to_png(figure)
    band = figure.artists[-1].get_window_extent().y1
    (footer,) = (text for text in figure.texts if "STAND-IN" in text.get_text())
    assert footer.get_window_extent().y1 < band and footer.get_window_extent().x0 > 0
    assert all(legend.get_window_extent().y0 > band for legend in figure.legends)
    for ax in figure.axes:
        if ax.axison and ax.xaxis.label.get_text():
            label = ax.xaxis.label.get_window_extent()
            assert all(label.y0 > legend.get_window_extent().y1 for legend in figure.legends) and label.y0 > band


def test_a_picture_of_noise_stays_below_200_kilobytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3)).astype("uint8")
    path = draw(tmp_path, "noise", figures.sample_items, images=noise, labels=["noise"] * 30)
    assert path.stat().st_size < 200_000
    assert bytes_of(path.read_bytes()).shape[1] > 400  # still to be looked at


def test_the_picture_is_about_a_thousand_pixels_wide(tmp_path):
    path = draw(tmp_path, "curves", figures.learning_curves, **CURVES)
    assert 900 <= bytes_of(path.read_bytes()).shape[1] <= 1200


def test_many_floats_are_kept_as_whole_numbers_close_to_them(tmp_path):
    kernels = np.random.default_rng(0).normal(size=(3, 3, 64, 128)).astype("float32")
    kernels[0, 0, 0, 0] = np.nan
    draw(tmp_path, "filters", figures.filters, kernels=kernels, layer="conv_3")
    assert (tmp_path / "filters.json").stat().st_size < 1_000_000
    back = from_json(strict(tmp_path / "filters.json")["numbers"])["kernels"]
    assert back.dtype == "float32" and np.isnan(back[0, 0, 0, 0]) and np.isnan(back).sum() == 1
    np.testing.assert_allclose(back, kernels, atol=np.nanmax(np.ptp(kernels[0, 0, 1])) / 9999 * 2, equal_nan=True)


NUMBERS = {
    "a float of 6 digits": (0.123456789, 0.123457),
    "a large float": (123456789.0, 123457000.0),
    "NaN": (float("nan"), None),
    "infinity": (float("-inf"), None),
    "a whole number": (12345678901, 12345678901),
    "a NumPy number": (np.float32(0.5), 0.5),
    "a NumPy truth": (np.bool_(True), True),
    "text, None and truth": (["é", None, False], ["é", None, False]),
    "a tuple": ((1, (2.0, "a")), [1, [2.0, "a"]]),
    "names in an array": (np.array(["a", "b"]), ["a", "b"]),
    "an array of no dimension": (np.array(3), 3),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_what_json_has_no_word_for_is_kept_as_the_nearest(case):
    given, kept = NUMBERS[case]
    there = to_json({"value": given})["value"]
    assert there == kept and type(there) is type(kept)
    json.dumps(there, allow_nan=False)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="uint8").reshape(2, 3), np.zeros((2, 0, 3)), np.array([True, False]),
        np.array([1.5, np.nan], "float32"), np.array([[-(2**40)]]),
        np.full((200, 200), 0.25), np.full((200, 200), np.nan), np.linspace(-1, 1, 40_000).reshape(2, 100, 200),
    ],
    ids=["uint8", "empty", "bool", "NaN", "int64", "many equal", "many NaN", "many"],
)  # fmt: skip
def test_an_array_comes_back_with_its_type_shape_and_values(array):
    back = from_json(json.loads(json.dumps(to_json(array), allow_nan=False)))
    assert back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_allclose(back.astype(float), array.astype(float), atol=1e-4)


def test_what_is_no_number_is_refused_by_its_kind():
    with pytest.raises(UsageError, match="numbers, text, lists, dicts and arrays, got object"):
        to_json({"model": object()})


def test_a_key_that_is_no_text_is_refused_with_the_cure():
    with pytest.raises(UsageError, match=r"got the key 3: use str\(3\)"):
        to_json({3: 1.0})


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", ".hidden", "x.", "../up"])
def test_a_name_that_would_not_stay_in_the_folder_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match="is no name for a figure"):
        draw(tmp_path, name, figures.learning_curves, **CURVES)
    assert list(tmp_path.iterdir()) == []


def my_figure(*, values):
    figure = figures.learning_curves(history={"loss": values})
    figure.caption = "My own."
    return figure


def test_a_function_of_ones_own_is_drawn_and_named_again_to_redraw(tmp_path):
    draw(tmp_path, "mine", my_figure, values=[1.0])
    assert redraw(tmp_path / "mine.json", my_figure).caption == "My own."
    with pytest.raises(UsageError, match="'my_figure', which is not one of kerashw.figures; give figure_function"):
        redraw(tmp_path / "mine.json")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(UsageError, match="holds no numbers of a figure"):
        redraw(tmp_path / "other.json")
    with pytest.raises(WorkError, match="cannot be read"):
        redraw(tmp_path / "none.json")


def test_threads_draw_at_once_what_one_draws_alone(tmp_path):
    alone = bytes_of(draw(tmp_path, "alone", figures.fit, **USUAL["fit"]).read_bytes())
    threads = [
        threading.Thread(target=draw, args=(tmp_path, f"thread_{number}", figures.fit), kwargs=USUAL["fit"])
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert mean_difference(bytes_of((tmp_path / f"thread_{number}.png").read_bytes()), alone) == 0
