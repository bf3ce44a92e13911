"""A run on its own data or on other data of the same kind; what does not fit is refused by the names of its classes."""

import contextlib
import io
import json

import numpy as np
import pytest

from kerashw.__main__ import main
from kerashw.commands import quiet_tensorflow
from kerashw.datasets import Dataset
from kerashw.datasets.standins import stand_in
from kerashw.errors import UsageError
from kerashw.evaluate import other_data
from kerashw.provenance import dataset_of, of_data
from kerashw.results import load_run
from kerashw.run import Run

quiet_tensorflow()

STUDY = '''"""Which side of a line a point lies on."""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(data="sides", model=mlp, settings=dict(hidden=(), learning_rate=0.1, epochs=10), search=Grid())
'''
SIDES = ("above", "below", "on it")


def table(folder, sides, count=30):
    """A folder with points whose second number tells on which of these sides they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(0).uniform(0.2, 1, (count, 2))
    rows = [(a, b * (1 - SIDES.index(side)) if side in SIDES else b, side)
            for (a, b), side in zip(x, list(sides) * count)]  # fmt: skip
    for name in ("train_data.csv", "test_data.csv"):
        (folder / name).write_text("a,b,side\n" + "".join(f"{a},{b},{side}\n" for a, b, side in rows))
    return folder


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A finished run on 24 of 30 points."""
    place = tmp_path_factory.mktemp("sides")
    table(place / "sides", ("below", "above", "on it"))
    (place / "sides.py").write_text(STUDY)
    with contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()):
        argv = ["tune", "--task", "sides.py", "--data-dir", "sides", "--samples", "24", "--no-figures", "-q"]
        assert main(argv) == 0
    return Run(place / "saved_models" / "sides")


@pytest.fixture(autouse=True)
def no_data_of_the_person_who_tests(monkeypatch):
    monkeypatch.delenv("KERASHW_DATA_DIR", raising=False)


def evaluated(capsys, *argv):
    code = main(["evaluate", *map(str, argv), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def test_the_runs_own_test_items_give_what_the_run_has_recorded(sides, capsys):
    code, found, _ = evaluated(capsys, sides.folder)
    assert code == 0 and found["items"] == 30 and found["part"] == "test"
    assert found["accuracy"] == sides.metrics()["test"]["accuracy"]
    assert found["interval"] == sides.metrics()["interval"]
    assert found["cross_entropy"] == pytest.approx(sides.metrics()["test"]["cross_entropy"])


def test_the_training_part_is_what_the_run_was_trained_on(sides, capsys):
    assert evaluated(capsys, sides.folder, "--part", "train")[1]["items"] == 24


def test_other_data_with_some_of_the_classes_are_numbered_as_the_run_numbers_them(sides, tmp_path, capsys):
    other = table(tmp_path / "sides", ("on it", "below"))
    dataset = other_data(sides, other)
    assert dataset.classes == SIDES and dataset.y_test[:4].tolist() == [2, 1, 2, 1]
    _, found, _ = evaluated(capsys, sides.folder, "--data-dir", other)
    labels = load_run(sides.folder).labels(dataset.x_test)
    assert found["accuracy"] == np.mean([label == name for label, name in zip(labels, ["on it", "below"] * 15)])
    assert found["items"] == 30 and found["data"] == f"folder {other}"


@pytest.mark.parametrize(
    "names, told",
    [(("above", "besides"), "but folder .* has the classes besides: name data of the same kind"),
     (("1", "2"), "has the classes above, below, on it, but folder .* has values, no classes")],
)  # fmt: skip
def test_other_classes_than_the_runs_are_refused_by_name(names, told, sides, tmp_path):
    with pytest.raises(UsageError, match=told):
        other_data(sides, table(tmp_path / "sides", names))


def test_labels_without_names_are_not_taken_for_the_runs_names(sides, tmp_path):
    points, labels = np.zeros((6, 2), "float32"), np.arange(6) % 3
    np.savez(tmp_path / "sides.npz", x_train=points, y_train=labels, x_test=points, y_test=labels)
    with pytest.raises(UsageError, match="has the classes above, below, on it, but .* has the classes 0, 1, 2"):
        other_data(sides, tmp_path)


def test_own_data_that_have_changed_since_are_refused(sides, capsys):
    file = sides.folder.parent.parent / "sides" / "test_data.csv"
    before = file.read_text()
    file.write_text(before.replace("on it", "below"))
    try:
        code, _, err = evaluated(capsys, sides.folder)
    finally:
        file.write_text(before)
    assert code == 2 and "was made with other data" in err and err.count("\n") == 1


def test_columns_at_other_places_than_the_run_learned_from_are_refused(sides, tmp_path, capsys):
    other = table(tmp_path / "sides", ("on it", "below"))
    for file in other.iterdir():
        file.write_text(file.read_text().replace("a,b,side", "b,a,side"))
    told = "column 'a' at place 2, expected the columns a, b in this order"
    with pytest.raises(UsageError, match=told):
        other_data(sides, other)
    (tmp_path / "mine.csv").write_text("id,a,b\n1,2,3\n")
    assert main(["predict", str(sides.folder), str(tmp_path / "mine.csv")]) == 1
    assert told in capsys.readouterr().err
    (tmp_path / "mine.csv").write_text("x,y\n2,3\n")  # names that say nothing of the places
    assert main(["predict", str(sides.folder), str(tmp_path / "mine.csv")]) == 0


def test_a_folder_below_home_is_found_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    table(tmp_path / "sides", ("below", "above"))
    (tmp_path / "sides.py").write_text(STUDY)
    with contextlib.chdir(tmp_path):
        assert main(["tune", "--task", "sides.py", "--data-dir=~/sides", "--no-figures", "-q"]) == 0
    capsys.readouterr()
    assert evaluated(capsys, tmp_path / "saved_models" / "sides")[0] == 0


def test_a_run_on_a_stand_in_finds_it_again_where_real_data_can_be_had_by_now(tmp_path, monkeypatch):
    given = stand_in("mnist", tuple("0123456789"))
    (tmp_path / "run").mkdir()
    Run(tmp_path / "run").begin({"data": of_data(given), "declaration": {"samples": None}, "data_sha256": given.digest,
                                 "data_dir": None, "seed": 0})  # fmt: skip
    monkeypatch.setattr("kerashw.datasets.load", lambda *given, **named: pytest.fail("the real data were loaded"))
    found = dataset_of(Run(tmp_path / "run"))
    assert found.digest == given.digest and found.stand_in


def test_photographs_whose_borders_are_light_and_dark_alike_have_no_polarity():
    levels = np.random.default_rng(0).integers(0, 256, (50, 1, 1, 1))
    photos = np.broadcast_to(levels, (50, 6, 6, 3)).astype("uint8")
    labels = np.arange(50) % 2
    some = Dataset("photos", photos, labels, photos, labels, ("a", "b"), "made in the test")
    assert of_data(some)["background"] is None
    dark = Dataset("photos", photos // 4, labels, photos // 4, labels, ("a", "b"), "made in the test")
    assert of_data(dark)["background"] < 64
