"""A million rows and files of 2 GB: read in as much memory as their numbers need, or refused with the bound."""

import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_datasets import idx, labels, write_csv, write_idx

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the kernel's count of memory"),
]

GIB = 1024**3
SIDE = 1024  # pixels: an image is a MiB
# It prints what came of reading, and by how many bytes memory grew at its highest beyond that of the libraries.
PROGRAM = """
import gzip, json, re, sys, zipfile
from pathlib import Path
import numpy as np
from kerashw.datasets import load
from kerashw.errors import UsageError
from kerashw.items import read_pieces
from kerashw.sources import find_sources

def peak():  # of this program alone: what getrusage tells began with that of the process it was started from
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

verb, place, name = sys.argv[1:]
before = peak()
try:
    if verb == "load":
        data = load(name, place)
        told = [len(data.digest), *data.sizes]
    else:
        told = [sum(map(len, read_pieces(one, (1024, 1024)))) for one in find_sources([f"{place}/{name}"])]
except UsageError as error:
    told = str(error)
print(json.dumps([told, peak() - before]))
"""


def read(verb, place, name):
    """What a process of its own gets from reading, and the bytes it needed for that."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    argv = [sys.executable, "-c", PROGRAM, verb, place, name]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=1800)
    return json.loads(done.stdout)


def large_idx(path, count):
    """An idx file of so many MiB of black images, which takes no room on disk."""
    with open(path, "wb") as file:
        file.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", count, SIDE, SIDE))
        file.truncate(16 + count * SIDE * SIDE)


def packed(path):
    """The same file as a gz, which takes 1/1000 of the room."""
    content = gzip.compress(bytes(SIDE * SIDE), 1)
    with open(path, "rb") as file, open(f"{path}.gz", "wb") as into:
        header = file.read(16)
        into.write(gzip.compress(header))
        into.write(content * ((path.stat().st_size - 16) // SIDE**2))
    path.unlink()


def small_others(folder, count):
    """What belongs to a set of so many training images."""
    black = np.zeros((1, SIDE, SIDE), "uint8")
    write_idx(folder, x_train=None, y_train=idx(np.zeros(count, "uint8")), x_test=idx(black), y_test=idx(labels(1)))
    return folder / "train-images-idx3-ubyte"


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_an_idx_file_of_2_gib_is_read_in_its_own_size_of_memory(is_packed, tmp_path, counted):
    path = small_others(tmp_path / "own", 2048)
    large_idx(path, 2048)
    if is_packed:
        packed(path)
    told, memory = read("load", tmp_path, "own")
    assert told == [64, 2048, 1]
    assert memory < 2 * GIB + 100_000_000
    counted(f"idx file of 2 GiB{', gz' * is_packed}", 1, f"read in {memory / GIB:.2f} GiB of memory")


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_an_idx_file_of_more_is_refused_with_the_bound_before_it_is_read(is_packed, tmp_path, counted):
    path = small_others(tmp_path / "own", 2049)
    large_idx(path, 2049)
    if is_packed:
        packed(path)
    told, memory = read("load", tmp_path, "own")
    assert "train-images-idx3-ubyte" in told and "more than the limit of 2 GiB" in told
    assert memory < 50_000_000
    counted(f"idx file of more than 2 GiB{', gz' * is_packed}", 1, f"refused, {memory / 1e6:.0f} MB of memory")


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_an_idx_file_to_predict_may_be_larger_than_memory(is_packed, tmp_path, counted):
    path = tmp_path / "a-idx3-ubyte"
    large_idx(path, 2560)
    if is_packed:
        packed(path)
    told, memory = read("items", tmp_path, "a-idx3-ubyte" + ".gz" * is_packed)
    assert told == [2560]
    assert memory < GIB * 1.5       # of 256 items of a MiB, and what is checked of them
    counted(f"idx file of 2.5 GiB to predict{', gz' * is_packed}", 1, f"read in {memory / GIB:.2f} GiB of memory")


def test_an_npz_is_read_in_its_own_size_of_memory(tmp_path, counted):
    black = np.zeros((1024, SIDE, SIDE), "uint8")
    parts = dict(x_train=black, y_train=np.zeros(1024, int), x_test=black[:1], y_test=labels(1))
    np.savez_compressed(tmp_path / "own.npz", **parts)
    told, memory = read("load", tmp_path, "own")
    assert told == [64, 1024, 1]
    assert memory < GIB + 100_000_000
    counted("npz of 1 GiB", 1, f"read in {memory / GIB:.2f} GiB of memory")


def rows(count, columns, target):
    """A table whose numbers are drawn."""
    numbers = np.random.default_rng(0).normal(size=(1000, columns))
    block = "".join(",".join(map(repr, row.tolist())) + f",{target(place)}\n" for place, row in enumerate(numbers))
    return ",".join(f"x{place}" for place in range(columns)) + ",y\n" + block * (count // 1000)


TARGETS = {"numbers": lambda place: place / 7, "names": lambda place: f"class {place % 9}"}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_csv_of_a_million_rows_is_read_in_little_memory(kind, tmp_path, counted):
    content = rows(1_000_000, 4, TARGETS[kind])
    write_csv(tmp_path, content, rows(1000, 4, TARGETS[kind]))
    told, memory = read("load", tmp_path, "own")
    assert told == [64, 1_000_000, 1000]
    assert memory < 150_000_000
    told = f"{len(content) / 1e6:.0f} MB of text read in {memory / 1e6:.0f} MB of memory"
    counted(f"CSV of 1,000,000 rows, targets are {kind}", 1, told)


def test_a_csv_of_more_than_2_gib_is_refused_with_the_bound(tmp_path, counted):
    write_csv(tmp_path)
    with open(tmp_path / "train_data.csv", "r+b") as file:
        file.truncate(2 * GIB + 1)
    told, memory = read("load", tmp_path, "own")
    assert "train_data.csv is larger than the limit of 2 GiB" in told
    assert memory < 50_000_000
    counted("CSV of more than 2 GiB", 1, f"refused, {memory / 1e6:.0f} MB of memory")
