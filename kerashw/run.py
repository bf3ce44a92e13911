"""Run: the folder a search leaves behind; the only code that knows the names of its files."""

import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import re
import shutil
from pathlib import Path

from kerashw.errors import Damaged, UsageError, WorkError
from kerashw.locks import lock
from kerashw.store import Store

SEAL = "sha256_of_the_rest"  # in a JSON file
WRITTEN_ASIDE = re.compile(r"\.(\d+\.[\w.]+|[\w.]+\.\d+(-wal|-shm|-journal)?)")  # .12345.model.keras, .study.json.12345
SHA256 = 32  # bytes
MEND = "repeat the tune command, which puts it right where that can be done, or start anew with --overwrite"


class Run:
    """A run's folder: where each thing lies, read and written whole or not at all.

    >>> Run("saved_models/mnist").metrics_file.as_posix()
    'saved_models/mnist/metrics.json'
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.study_file = self.folder / "study.json"
        self.store_file = self.folder / "trials.db"
        self.store_copy = self.folder / "trials.db.copy"
        self.trials_file = self.folder / "trials.csv"
        self.history_file = self.folder / "history.csv"
        self.metrics_file = self.folder / "metrics.json"
        self.keras_file = self.folder / "model.keras"
        self.saved_model = self.folder / "model" / "1"
        self.curves_file = self.folder / "curves.json"  # of points: what the winner's models answered
        self.litert_file = self.folder / "model.tflite"
        self.onnx_file = self.folder / "model.onnx"
        self.exports_file = self.folder / "exports.json"
        self.figures = self.folder / "figures"
        self.tensorboard = self.folder / "tensorboard"
        self.checkpoints = self.folder / "checkpoints"
        self.report_file = self.folder / "report.html"
        # study.json goes last: while it stands, the folder is known as a run and can be cleared again.
        self.files = (
            self.store_copy, *(self.folder / f"trials.db{end}" for end in ("-wal", "-shm", "")), self.trials_file,
            self.history_file, self.metrics_file, self.curves_file, self.exports_file, self.keras_file, self.litert_file,
            self.onnx_file, self.report_file, self.study_file,
        )  # fmt: skip
        self.folders = (self.tensorboard, self.checkpoints, self.saved_model.parent, self.figures)

    @classmethod
    def begun(cls, folder):
        """The run in a folder that someone names, finished or not; a UsageError tells what is missing."""
        run = cls(folder)
        if not run.folder.is_dir():
            raise UsageError(f"{folder}: no such run folder; `python -m kerashw.tune --task NAME` makes one.")
        if not run.study_file.exists():
            arms = sorted(path.parent.name for path in run.folder.glob("*/metrics.json"))
            hint = f" Its arms are runs: {', '.join(str(run.folder / arm) for arm in arms)}." if arms else ""
            raise UsageError(f"{folder}: not a run folder, it holds no study.json.{hint}")
        return run

    @classmethod
    def finished(cls, folder):
        """The run in a folder that someone names, at its end; a UsageError tells what is missing."""
        run = cls.begun(folder)
        if not run.is_finished:
            raise UsageError(f"{folder}: this run is not finished; repeat its tune command to continue it.")
        return run

    @classmethod
    def all_finished(cls, folder):
        """The run in a folder as a list, or the runs of all arms where it is the folder above them."""
        studies = [read_json(path) for path in sorted(Path(folder).glob("*/study.json"))]
        arms = next((study["arms"] for study in studies if study.get("arms")), ())
        if cls(folder).exists or not arms:
            return [cls.finished(folder)]
        return [cls.finished(Path(folder) / arm) for arm in arms]

    @property
    def exists(self):
        """Whether a run has begun here."""
        return self.study_file.exists()

    @property
    def is_finished(self):
        """Whether the run has come to its end: metrics.json is written last."""
        return self.metrics_file.exists()

    @contextlib.contextmanager
    def locked(self):
        """While it lasts no other process works on this run; the lock of a process that died is free."""
        make_folder(self.folder)
        with lock(self.folder / ".lock"):
            yield self

    def begin(self, declaration):
        """The study.json that makes the folder a run, and the state of its search, which keeps a copy of it."""
        write_json(self.study_file, declaration)
        beside = self.store_file.with_name(f".{self.store_file.name}.{os.getpid()}")
        with contextlib.closing(Store(beside)) as store:
            store.add_event("study", json.dumps(declaration, allow_nan=False))
            store.copy_to(self.store_copy)
        os.replace(beside, self.store_file)

    def declare(self, declaration):
        """Another study.json for a run that lies there; the state of its search keeps a copy of it."""
        with contextlib.closing(self.store()) as store:
            store.forget_events("study")
            store.add_event("study", json.dumps(declaration, allow_nan=False))
        write_json(self.study_file, declaration)

    def sweep(self):
        """Nothing is left of what a process was writing aside when it died; only whoever holds the lock may ask."""
        for path in (*self.folder.glob(".*"), *self.saved_model.parent.glob(".*")):
            if WRITTEN_ASIDE.fullmatch(path.name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear(self):
        """Nothing of the run is left; files that are not a run's stay."""
        for path in self.folders:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.files:
            path.unlink(missing_ok=True)

    def checkpoint_of(self, trial, execution=0, together=False):
        """Where the state lies in which an execution of a trial ended; that of a shared loop is no state of `fit`."""
        return self.checkpoints / f"{trial}{f'-{execution}' if execution else ''}{'-loop' if together else ''}.checkpoint"

    def save_checkpoint(self, trial, arrays, execution=0, together=False):
        """The state of a trial's training, for a Hyperband trial that goes on from it."""
        import numpy

        self.checkpoints.mkdir(exist_ok=True)
        file = io.BytesIO()
        numpy.savez(file, **{str(place): array for place, array in enumerate(arrays)})
        content = file.getvalue()
        write_whole(self.checkpoint_of(trial, execution, together), hashlib.sha256(content).digest() + content)

    def load_checkpoint(self, trial, execution=0, together=False):
        """The arrays that `save_checkpoint` was given; Damaged where they are no longer as they were written."""
        import numpy

        path = self.checkpoint_of(trial, execution, together)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise Damaged(f"{path}: is missing; {MEND}.") from None
        digest, content = content[:SHA256], content[SHA256:]
        if hashlib.sha256(content).digest() != digest:
            raise Damaged(f"{path}: has changed since it was written; {MEND}.")
        with numpy.load(io.BytesIO(content), allow_pickle=False) as file:
            return [file[str(place)] for place in range(len(file.files))]

    def study(self):
        """What study.json holds."""
        return read_json(self.study_file)

    def metrics(self):
        """What metrics.json holds."""
        return read_json(self.metrics_file)

    def history(self):
        """What history.csv holds, {metric: one number per epoch}; None where one was not finite."""
        with open(self.history_file, newline="", encoding="utf-8") as file:
            names, *rows = csv.reader(file)
        columns = zip(*rows)
        return {name: [float(cell) if cell else None for cell in cells] for name, cells in zip(names, columns)}

    def store(self):
        """The state of the search, open for writing."""
        return Store(self.store_file)


def check_writable(folder):
    """Nothing, where the folder can be made or written to; nothing is changed by asking."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{folder}: {place} is a file, so no run can go below it; choose another --out or --name.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: {place} cannot be written to; choose another --out.")


def make_folder(folder):
    """The folder, made with its parents; a UsageError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror}); choose another --out or --name.") from None


def write_whole(path, content):
    """The file with that content; a reader or a kill at any instant meets the old file or the new, never a part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WorkError(
            f"{path}: could not be written ({error.strerror}); make room or mend it, then repeat the command."
        ) from None


def free_place(path):
    """The first PATH.damaged-N that is free."""
    numbers = itertools.count(1)
    return next(place for number in numbers if not (place := path.with_name(f"{path.name}.damaged-{number}")).exists())


def keep_aside(path):
    """Where a damaged file lies now; what SQLite has beside it goes along."""
    place = free_place(path)
    for ending in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            os.replace(beside, place.with_name(place.name + ending))
    return place


def write_json(path, value):
    """Strict JSON with its own checksum: a NaN or an infinity is a fault of the caller."""
    sealed = {**value, SEAL: digest_of(json.loads(json.dumps(value, allow_nan=False)))}
    write_whole(path, (json.dumps(sealed, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode())


def read_json(path):
    """The content of a JSON file; Damaged names one that is not as it was written."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: cannot be read ({error}); {MEND}.") from None
    digest = value.pop(SEAL, None) if isinstance(value, dict) else None
    if digest is not None and digest != digest_of(value):
        raise Damaged(f"{path}: has changed since it was written; {MEND}.")
    return value


def digest_of(value):
    """The SHA-256 of a JSON value, whatever the white space in its file."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def write_csv(path, rows):
    """Rows as CSV, the first being the header; None becomes an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(["" if cell is None else cell for cell in row] for row in rows)
    write_whole(path, text.getvalue().encode())
