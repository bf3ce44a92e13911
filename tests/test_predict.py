"""From files to lines: a run answers for pictures, arrays and streams; what cannot be read is named and skipped."""

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kerashw.__main__ import main
from kerashw.commands import quiet_tensorflow
from kerashw.predict import BATCH, batched, readable, write_csv, write_json, write_table
from kerashw.run import Run
from kerashw.sources import find_sources

quiet_tensorflow()

GREY = (8, 8)
CLASSES = ("bar", "beam", "Ünïcode cross")
STUDY = '''"""Which of three signs it is."""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(data="signs", model=mlp, settings=dict(hidden=(16,), learning_rate=0.02, batch_size=8, epochs=12),
              search=Grid())
'''


def sign(kind, ink=255):
    """A bar, a beam or a cross in the middle of 16x16 pixels."""
    image = np.zeros((16, 16), "uint8")
    if kind != 1:
        image[3:13, 7:9] = ink
    if kind != 0:
        image[7:9, 3:13] = ink
    return image


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """The folder of a finished run that tells signs apart."""
    place = tmp_path_factory.mktemp("signs")
    (place / "signs").mkdir()
    (place / "signs.py").write_text(STUDY)
    ink = np.random.default_rng(0).integers(200, 256, 60)
    x, y = np.stack([sign(item % 3, ink[item]) for item in range(60)]), np.array(CLASSES)[np.arange(60) % 3]
    np.savez(place / "signs" / "signs.npz", x_train=x[:45], y_train=y[:45], x_test=x[45:], y_test=y[45:])
    with contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()):
        assert main(["tune", "--task", "signs.py", "--data-dir", "signs", "--no-figures", "-q"]) == 0
    return place / "saved_models" / "signs"


def drawn(path, kind, size=(90, 140), scale=3, place=(50, 3), paper=255, ink=20):
    """A sign as a person draws it: somewhere on a sheet, of another size, dark on white."""
    large = np.asarray(Image.fromarray(sign(kind)[3:13, 3:13]).resize((10 * scale, 10 * scale), Image.Resampling.BOX))
    pixels = np.full(size, paper, "uint8")
    pixels[place[0] : place[0] + 10 * scale, place[1] : place[1] + 10 * scale][large > 0] = ink
    Image.fromarray(pixels).save(path)
    return path


def predicted(capsys, *argv):
    """The exit code, the answers, and what stderr says."""
    code = main(["predict", *map(str, argv), "--format", "json"])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


# --- with a run


def test_the_run_knows_how_its_drawings_lie(signs):
    frame = Run(signs).study()["data"]["frame"]
    assert (frame["height"], frame["width"], frame["row"], frame["column"]) == (10, 10, 7.5, 7.5)


def test_drawings_of_any_size_place_and_polarity_are_recognised(signs, tmp_path, capsys):
    for number, (size, scale, place, paper, ink) in enumerate([
        ((90, 140), 3, (50, 3), 255, 20), ((300, 200), 15, (140, 45), 0, 255), ((40, 40), 2, (0, 20), 230, 60),
    ]):  # fmt: skip
        for kind in range(3):
            drawn(tmp_path / f"{kind} {number}.PNG", kind, size, scale, place, paper, ink)
    code, answers, err = predicted(capsys, signs, tmp_path)
    assert (code, err) == (0, "")
    assert [answer["label"] for answer in answers] == [name for name in CLASSES for _ in range(3)]


def test_a_picture_of_the_models_size_is_answered_as_the_same_pixels_in_an_array_are(signs, tmp_path, capsys):
    moved = np.roll(sign(2, 222), 3, axis=1)
    Image.fromarray(moved).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", moved)
    _, (picture, array), _ = predicted(capsys, signs, tmp_path)
    assert picture["probabilities"] == array["probabilities"]


def test_a_file_that_cannot_be_read_is_named_and_skipped_and_the_code_is_1(signs, tmp_path, capsys):
    for name in ("a.png", "c ü.png"):
        drawn(tmp_path / name, 1)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "d.csv").write_text("x\n1\n")
    code, answers, err = predicted(capsys, signs, tmp_path)
    assert code == 1
    assert [(answer["file"], answer["label"]) for answer in answers] == [
        (str(tmp_path / "a.png"), "beam"), (str(tmp_path / "c ü.png"), "beam"),
    ]  # fmt: skip
    told = err.splitlines()
    assert re.fullmatch(r"kerashw: skipped: .*b\.png: is no picture that can be read .*", told[0])
    assert re.fullmatch(r"kerashw: skipped: .*d\.csv: the model takes images of \(16, 16\), not CSV rows.*", told[1])
    assert len(told) == 2


def streamed(content, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_standard_input_gives_a_picture_or_an_array(signs, tmp_path, monkeypatch, capsys):
    streamed(drawn(tmp_path / "a.png", 2).read_bytes(), monkeypatch)
    code, (answer,), _ = predicted(capsys, signs, "-", "--top-k", 1)
    assert (code, answer["file"], answer["label"]) == (0, "-", CLASSES[2])
    assert list(answer["probabilities"]) == [CLASSES[2]]
    np.save(tmp_path / "a.npy", np.stack([sign(0), sign(1)]))
    streamed((tmp_path / "a.npy").read_bytes(), monkeypatch)
    _, answers, _ = predicted(capsys, signs, "-")
    assert [(answer["item"], answer["label"]) for answer in answers] == [(0, "bar"), (1, "beam")]


@pytest.mark.parametrize("content, told", [(b"", "-: is empty."), (b"\x89PNG no more", "-: is no picture that can be")])
def test_what_is_wrong_with_standard_input_is_told_of_it_and_not_of_a_hidden_file(
    content, told, signs, monkeypatch, capsys
):
    streamed(content, monkeypatch)
    code, answers, err = predicted(capsys, signs, "-")
    assert (code, answers) == (1, []) and err.startswith(f"kerashw: skipped: {told}")
    assert "tmp" not in err


def test_help_says_how_pictures_are_prepared(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    out = capsys.readouterr().out
    for part in ("20x20", "centre of\nmass", "xargs", "standard input", "inverted", "resized as a whole"):
        assert part.replace("\n", " ") in " ".join(out.split()), part


# --- without one


def test_many_files_are_read_as_their_turn_comes_and_leave_nothing_behind(tmp_path):
    shape, count = (100, 100), 400
    for number in range(count):
        np.save(tmp_path / f"{number:03}.npy", np.full(shape, number % 256, "uint8"))
    skipped = []
    items = readable(find_sources([tmp_path]), shape, skipped)
    tracemalloc.start()
    try:
        seen = [int(item[0, 0]) for _, _, item in items]
        assert tracemalloc.get_traced_memory()[1] < count * 100 * 100 / 4
    finally:
        tracemalloc.stop()
    assert seen == [number % 256 for number in range(count)] and skipped == []


def test_an_item_at_fault_ends_its_file_and_not_the_others(tmp_path, capsys):
    bad = np.zeros((300, 3))
    bad[280] = np.inf
    np.save(tmp_path / "a.npy", bad)
    np.save(tmp_path / "b.npy", np.zeros((2, 3)))
    skipped = []
    read = [(name, place) for name, place, _ in readable(find_sources([tmp_path]), (3,), skipped)]
    assert read[-2:] == [(str(tmp_path / "b.npy"), 0), (str(tmp_path / "b.npy"), 1)]
    assert [place for _, place in read[:-2]] == list(range(256)) and skipped == [str(tmp_path / "a.npy")]
    assert "a.npy, item 280: holds a number that is not finite" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 3 * BATCH])
def test_batches_lose_nothing_keep_the_order_and_are_never_empty(count):
    batches = list(batched(iter(range(count))))
    assert [item for batch in batches for item in batch] == list(range(count))
    assert all(0 < len(batch) <= BATCH for batch in batches)


GARMENTS = [
    {"file": "a,b.png", "item": 0, "label": "Bag", "class": 1, "probabilities": {"Bag": 0.75, "T-shirt/top": 0.25}},
    {"file": "c.NPY", "item": 4, "label": "Bag", "class": 1, "probabilities": {"Bag": 0.5, "T-shirt/top": 0.5}},
]
VALUES = [{"file": "x.csv", "item": 0, "y": [1.5]}, {"file": "-", "item": 1, "y": [-2.0]}]


@pytest.mark.parametrize("rows", [GARMENTS, VALUES], ids=["classes", "values"])
def test_json_lines_give_everything_back(rows, capsys):
    write_json(rows)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows


def test_csv_has_a_header_and_a_row_for_each_item(capsys):
    write_csv(GARMENTS)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == {
        "file": "a,b.png", "item": "0", "label": "Bag", "class": "1",
        "label_1": "Bag", "probability_1": "0.75", "label_2": "T-shirt/top", "probability_2": "0.25",
    }  # fmt: skip
    assert len(rows) == 2
    write_csv(VALUES)
    assert capsys.readouterr().out == "file,item,y\nx.csv,0,1.5\n-,1,-2.0\n"


def test_the_table_tells_items_of_one_file_apart(capsys):
    write_table(GARMENTS + VALUES)
    assert capsys.readouterr().out.splitlines() == [
        "a,b.png  Bag 75.0%  T-shirt/top 25.0%",
        "c.NPY[4]  Bag 50.0%  T-shirt/top 50.0%",
        "x.csv[0]  1.5",
        "-[1]  -2",
    ]


def test_a_reader_that_goes_away_before_a_short_answer_is_no_fault_worth_a_line():
    program = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from kerashw.commands import run
from kerashw.predict import write_json
sys.exit(run(lambda argv: write_json([{{"file": "a.png"}}]), []))
"""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run([sys.executable, "-c", program], stdout=pipe, stderr=subprocess.PIPE)
    assert (done.stderr, done.returncode) == (b"", 1)


def test_a_file_of_another_ending_is_named_and_skipped_and_the_rest_is_answered(signs, tmp_path, capsys):
    (tmp_path / "notes.tiff").write_text("no picture we know")
    code, answers, err = predicted(capsys, signs, tmp_path / "notes.tiff", drawn(tmp_path / "bar.png", 0))
    assert code == 1 and [answer["label"] for answer in answers] == ["bar"]
    assert "skipped: " in err and "notes.tiff: cannot be read; known endings are" in err
