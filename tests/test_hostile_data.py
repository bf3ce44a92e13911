"""Data files changed at will: each is read or refused in one line that names it, in little memory; no code is run."""

import gzip
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_datasets import IDX_FILES, idx, images, labels, write_csv, write_idx, write_npz

from kerashw.datasets import Dataset, load
from kerashw.errors import UsageError

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


def test_a_link_that_leads_nowhere_or_to_itself_is_refused_by_name(tmp_path):
    write_idx(tmp_path, x_train=idx(images(20)), y_train=idx(labels(20)))
    path = tmp_path / IDX_FILES[0]
    for target in (tmp_path / "nowhere", path):
        path.unlink()
        path.symlink_to(target)
        with pytest.raises(UsageError, match="train-images-idx3-ubyte") as error:
            load("mnist", tmp_path)
        assert "\n" not in str(error.value)
