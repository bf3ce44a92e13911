"""What is named on the command line becomes files to read: checked at once, listed when their turn comes."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from kerashw.errors import UsageError
from kerashw.sources import KNOWN, find_sources, kind_of_bytes


def test_a_folder_gives_its_files_in_the_order_of_their_names_and_leaves_others_alone(tmp_path):
    for name in ("b.png", "a.PNG", "c.npy", "notes.txt", ".hidden", "A.csv", "t10k-images-idx3-ubyte.gz", "d e.JPeG"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [(source.path.name, source.kind) for source in find_sources([tmp_path])]
    assert found == [
        ("A.csv", "csv"), ("a.PNG", "picture"), ("b.png", "picture"), ("c.npy", "npy"), ("d e.JPeG", "picture"),
        ("t10k-images-idx3-ubyte.gz", "idx"),
    ]  # fmt: skip


def test_files_come_in_the_order_they_are_named_in(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("z.png", "a.png", "in/m.png"):
        (tmp_path / name).touch()
    found = find_sources([tmp_path / "z.png", tmp_path / "in", tmp_path / "a.png"])
    assert [source.path.name for source in found] == ["z.png", "m.png", "a.png"]


@pytest.mark.parametrize(
    "name, told", [("nowhere.png", "no such file or folder"), ("notes.txt", "known endings are"), ("empty", "no file")]
)
def test_a_name_that_gives_no_file_is_refused_before_anything_is_read(tmp_path, name, told):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=told) as error:
        find_sources([tmp_path / name])
    assert name in str(error.value)
    assert (KNOWN in str(error.value)) == (name != "nowhere.png")


def test_a_name_may_be_no_text_and_is_shown_all_the_same(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff \xc3\xa4.png"
    open(path, "wb").close()
    (source,) = find_sources([os.fsdecode(path)])
    assert source.name.endswith("/\\xff ä.png") and source.path.exists()


@pytest.mark.parametrize(
    "opening, kind",
    [(b"\x89PNG\r\n", "picture"), (b"\xff\xd8\xff\xe0", "picture"), (b"BM", "picture"), (b"GIF8", "picture"),
     (b"\x93NUMPY", "npy"), (b"PK\x03\x04", "npy"), (b"\0\0\x08\x03", "idx"), (b"\x1f\x8b", "idx"), (b"a,b", "csv"),
     (b"", "csv")],
)  # fmt: skip
def test_standard_input_is_known_by_its_first_bytes_and_kept_only_while_it_is_read(opening, kind, monkeypatch):
    assert kind_of_bytes(opening) == kind
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(opening + b"x" * 99)))
    for source in find_sources(["-"]):
        assert (source.name, source.kind) == ("-", kind_of_bytes(opening + b"x"))
        assert source.path.read_bytes() == opening + b"x" * 99
    assert not source.path.exists()


def test_standard_input_waits_for_its_turn(monkeypatch, tmp_path):
    (tmp_path / "a.png").touch()
    monkeypatch.setattr(sys, "stdin", None)
    sources = find_sources([tmp_path / "a.png", "-"])
    assert next(sources).path.name == "a.png"
