"""A process in which a fuzzer that sees which code runs looks for a file that is neither read nor refused.

    python tests/fuzz_driver.py KIND FOLDER SECONDS

It begins with files that are right. Exit code 0: none was found, and stderr ends with the number of files tried; else
stderr says what was raised, and the file lies in FOLDER as found-*.
"""

import gzip
import io
import struct
import sys
import zipfile
from pathlib import Path

LONGEST = 4096  # bytes of a file
MEMORY = 700  # MB of the process; a file of some kB has no reason to need more than the libraries
SLOWEST = 20  # seconds for one file, on a machine that does other things too
INSTRUMENTED = ["kerashw.datasets", "kerashw.items", "kerashw.sources", "numpy.lib", "zipfile", "gzip", "PIL"]
# kind: the file that is changed, and what is made of it
KINDS = {
    "idx": "train-images-idx3-ubyte",
    "idx.gz": "train-images-idx3-ubyte.gz",
    "labels": "train-labels-idx1-ubyte",
    "npz": "own.npz",
    "array in npz": "own.npz",
    "csv": "train_data.csv",
    "items in idx": "a-idx3-ubyte.gz",
    "items in npy": "a.npy",
    "items in csv": "a.csv",
    "items in png": "a.png",
}


def idx(*shape):
    """The bytes of an idx file of that shape."""
    content = bytearray([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    count = 1
    for size in shape:
        count *= size
    return bytes(content) + bytes(place % 10 for place in range(count))


def npy(array):
    """The bytes of an NPY file."""
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**replaced):
    """The bytes of an archive of eight images."""
    import numpy as np

    x, y = np.arange(96, dtype="uint8").reshape(8, 4, 3), np.arange(8)
    parts = {name: npy(array) for name, array in dict(x_train=x, y_train=y, x_test=x, y_test=y).items()} | replaced
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def right_files(kind):
    """What the fuzzer begins with."""
    import numpy as np
    from PIL import Image

    if kind == "labels":
        return [idx(8)]
    if kind == "npz":
        return [npz(), npz(y_train=npy(np.array(["a", "b"] * 4)), y_test=npy(np.array(["a", "b"] * 4)))]
    if kind == "array in npz":
        return [npy(np.zeros((8, 4, 3), "uint8")), npy(np.zeros((8, 2))), npy(np.asfortranarray(np.zeros((8, 2))))]
    if kind == "csv":
        quoted = b'\xef\xbb\xbf"a";"b";"y"\r\n1;2;nan\r\n\r\n3;1e400;x\r\n'
        return [b"a,b,y\n1,2,3\n4,5,6\n", quoted, b"a\tb\ty\n1\t2\tx\n"]
    if kind == "items in csv":
        return [b"a,b\n1,2\n", b"a;b;y\n1;2;x\n-inf;1e400;nan\n"]
    if kind == "items in npy":
        return [npy(np.zeros((8, 4, 3), "uint8")), npy(np.zeros((4, 3))), npy(np.array([None] * 3)), npz()]
    if kind == "items in png":
        files = []
        for mode, form in (("L", "png"), ("RGBA", "png"), ("P", "gif"), ("RGB", "jpeg"), ("1", "bmp")):
            stream = io.BytesIO()
            Image.fromarray(np.arange(96, dtype="uint8").reshape(8, 12)).convert(mode).save(stream, form)
            files.append(stream.getvalue())
        return files
    return [idx(8, 4, 3), gzip.compress(idx(8, 4, 3), mtime=0)]


def lay_out(kind, folder):
    """The data set or the file of that kind, right but for what the fuzzer puts there; what is read of it."""
    path = folder / KINDS[kind]
    if kind == "csv":
        (folder / "test_data.csv").write_bytes(b"a,b,y\n1,2,3\n")
    elif "npz" not in kind and not kind.startswith("items"):
        for name, content in zip(("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"),
                                 (idx(8, 4, 3), idx(8), idx(8, 4, 3), idx(8))):  # fmt: skip
            if not path.name.startswith(name):
                (folder / f"{name}-ubyte").write_bytes(content)
    return path


def main(kind, place, seconds):
    """Fuzz until the time is over or a file is found; libFuzzer ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        import PIL.Image  # noqa: F401
        import numpy as np

        from kerashw.datasets import load
        from kerashw.errors import UsageError
        from kerashw.items import read_pieces
        from kerashw.sources import find_sources

    place = Path(place)
    for name in ("own", "right"):
        (place / name).mkdir()
    path = lay_out(kind, place / "own")
    for number, content in enumerate(right_files(kind)):
        (place / "right" / str(number)).write_bytes(content)
    shape = (2,) if kind == "items in csv" else (4, 3)

    def read():
        if kind.startswith("items"):
            return [piece for source in find_sources([path]) for piece in read_pieces(source, shape)]
        data = load("own", place)
        return [data.x_train, data.y_train]

    def try_one(content):
        path.write_bytes(npz(x_train=content) if kind == "array in npz" else content)
        try:
            arrays = read()
        except UsageError as error:
            assert "\n" not in str(error) and str(place) in str(error) and len(str(error)) < 2 * LONGEST, error
        else:
            assert all(np.isfinite(array.astype(float)).all() for array in arrays)

    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-rss_limit_mb={MEMORY}", f"-timeout={SLOWEST}",
               f"-artifact_prefix={place}/found-", str(place / "right")]  # fmt: skip
    atheris.Setup(sys.argv[:1] + options, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
