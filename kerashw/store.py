"""The state of a search in SQLite: the only thing a continued run reads, written one transaction at a time."""

import contextlib
import functools
import json
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from kerashw.errors import Damaged, WorkError
from kerashw.schema import COLUMNS, LATER, SCHEMA, checksum, is_wrong, sum_of

COPY_EVERY = 30.0  # seconds between two copies of the state while a search goes on, at least
COPY_SHARE = 0.02  # of the time may go into them
PASSING = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN",
           "SQLITE_PERM")  # faults of the disk, not of the file
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # the latter for text, and for messages that quote it


@dataclass(frozen=True)
class Execution:
    """One training within a trial, scored."""

    fold: int
    execution: int
    seed: int
    score: float
    best_epoch: int
    seconds: float
    metrics: dict


@dataclass(frozen=True)
class Trial:
    """One proposal of a tuner with all that came of it; `began` and `ended` are seconds since 1970, where known."""

    number: int
    proposed: dict
    status: str
    reason: str | None
    message: str | None
    score: float | None
    deviation: float | None
    parameters: int | None
    seconds: float | None
    executions: tuple
    began: float | None = None
    ended: float | None = None
    attempts: int | None = None

    def mean_metrics(self):
        """The metrics that every execution has, at the epochs that count, averaged over folds and executions."""
        names = [name for name in self.executions[0].metrics if all(name in done.metrics for done in self.executions)]
        return {name: sum(done.metrics[name] for done in self.executions) / len(self.executions) for name in names}


class Store:
    """A search's trials, executions, epochs and events in one file.

    >>> store = Store(":memory:")
    >>> store.begin_trial(0, {"learning_rate": 0.1})
    >>> store.end_trial(0, status="completed", score=0.9, deviation=0.0, parameters=7, seconds=1.5)
    >>> [(trial.number, trial.status, trial.score) for trial in store.trials()]
    [(0, 'completed', 0.9)]
    """

    def __init__(self, path):
        self.path = path
        try:
            self._database = _connected(path)
            # With a write-ahead log a killed process loses nothing that was committed, without a sync per trial.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(SCHEMA)
            self._add_later_columns()
        except UNREADABLE as error:
            raise _cannot_be_opened(path, error) from None
        self._copied, self._copying = time.monotonic(), 0.0  # when the last copy was made, and how long that took

    def close(self):
        """All is in the one file afterwards."""
        self._database.close()

    def begin_trial(self, number, proposed, *, is_turn=False):
        """The trial is running; one that a killed process left running begins again and keeps its executions.

        Where it is a turn, it is known as well when the trial was proposed among others.
        """
        with self._transaction() as database:
            database.execute(
                "INSERT INTO trials (number, proposed, began) VALUES (?, ?, ?)"
                " ON CONFLICT (number) DO UPDATE SET began=excluded.began",
                (number, _json(proposed), time.time()),
            )
            self._seal("trials", number=number)
            if is_turn:
                self._add_turn("asked", number)

    def add_attempts(self, number, count):
        """So many more processes are at the trial, or have been; a negative number takes them back."""
        with self._transaction() as database:
            database.execute("UPDATE trials SET attempts=coalesce(attempts, 0)+? WHERE number=?", (count, number))
            self._seal("trials", number=number)

    def add_executions(self, results):
        """Finished trainings with their metrics per epoch, (trial, Execution, history) each, in one transaction."""
        with self._transaction() as database:
            for trial, done, history in results:
                key = dict(trial=trial, fold=done.fold, execution=done.execution)
                names = [name for name in history if name != "epoch"]
                database.execute(
                    "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                    (*key.values(), done.seed, done.score, done.best_epoch, done.seconds, _json(done.metrics)),
                )
                database.executemany(
                    "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, NULL)",
                    [(*key.values(), epoch, _json({name: history[name][place] for name in names}))
                     for place, epoch in enumerate(history["epoch"])],
                )  # fmt: skip
                self._seal("executions", **key)
                self._seal("epochs", **key)

    def end_trial(
        self, number, *, status, score=None, deviation=None, reason=None, message=None, parameters=None, seconds=None,
        is_turn=False,
    ):  # fmt: skip
        """The trial is over, once and for all; where it is a turn, the tuner is told now."""
        with self._transaction() as database:
            database.execute(
                "UPDATE trials SET status=?, score=?, deviation=?, reason=?, message=?, parameters=?, seconds=?, ended=?"
                " WHERE number=?",
                (status, score, deviation, reason, message, parameters, seconds, time.time(), number),
            )
            self._seal("trials", number=number)
            if is_turn:
                self._add_turn("told", number)

    def add_event(self, kind, text):
        """A line for whoever asks later what happened when; gives its number."""
        with self._transaction() as database:
            place = database.execute("INSERT INTO events VALUES (?, ?, ?, NULL)", (time.time(), kind, text)).lastrowid
            self._seal("events", rowid=place)
        return place

    def forget_events(self, kind):
        """Events of one kind count no longer: what they tell of is done anew."""
        self._ask("DELETE FROM events WHERE kind=?", (kind,))

    def forget_event(self, number):
        """One event counts no longer."""
        self._ask("DELETE FROM events WHERE rowid=?", (number,))

    def drop_trial(self, number):
        """The trial never was; for one that the end of the time budget cut short."""
        with self._transaction() as database:
            for table, column in (("epochs", "trial"), ("executions", "trial"), ("trials", "number")):
                database.execute(f"DELETE FROM {table} WHERE {column}=?", (number,))

    def trials(self):
        """All trials in the order of their numbers."""
        numbers = self._ask("SELECT number FROM trials ORDER BY number")
        return [self.trial(number) for (number,) in numbers]

    def trial(self, number):
        """One trial with its executions."""
        (row,) = self._rows("trials", number=number)
        return Trial(row[0], json.loads(row[1]), *row[2:9], tuple(self.executions(number)), *row[9:])

    def executions(self, number):
        """The finished trainings of one trial, by fold and execution."""
        rows = self._rows("executions", "ORDER BY fold, execution", trial=number)
        return [Execution(*row[1:7], json.loads(row[7])) for row in rows]

    def history(self, trial, fold=0, execution=0):
        """The metrics of one training per epoch: {"epoch": [1, 2, ...], "loss": [...], ...}."""
        rows = self._rows("epochs", "ORDER BY epoch", trial=trial, fold=fold, execution=execution)
        history = {"epoch": [epoch for *_, epoch, _ in rows]}
        for *_, metrics in rows:
            for name, value in json.loads(metrics).items():
                history.setdefault(name, []).append(value)
        return history

    def events(self, kind):
        """The texts of the events of one kind, in their order."""
        return [text for *_, text in self._rows("events", "ORDER BY rowid", kind=kind)]

    def turns(self):
        """("asked" or "told", trial) in the order in which proposals and results came; only where workers searched."""
        if not self._known["turns"]:  # a file of an earlier version, opened to be read only
            return []
        return [(kind, trial) for _, kind, trial in self._rows("turns", "ORDER BY place")]

    def check(self):
        """Nothing, where every page and every row is as it was written; else Damaged."""
        answers = [answer for (answer,) in self._ask("PRAGMA integrity_check(1)")]
        if answers != ["ok"]:
            raise _damaged(self.path, " ".join(answers[0].split()))
        for table in (table for table in COLUMNS if "checksum" in self._known[table]):
            ((wrong,),) = self._ask(f"SELECT count(*) FROM {table} WHERE {is_wrong(table)}")
            if wrong:
                raise _damaged(self.path, f"{wrong} row(s) of {table} have changed since they were written")

    def copy_to(self, path):
        """A copy of the whole state in another file; only one that is found sound takes the place of an older one."""
        began, beside = time.monotonic(), path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with self._faults(), contextlib.closing(_connected(beside)) as copy:
                self._database.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file
            with contextlib.closing(read_only(beside)) as copy:
                copy.check()
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        self._copied, self._copying = time.monotonic(), time.monotonic() - began

    def copy_when_due(self, path):
        """Such a copy, where the last one is old."""
        if time.monotonic() - self._copied > max(COPY_EVERY, self._copying / COPY_SHARE):
            self.copy_to(path)

    def _add_later_columns(self):
        """A file of an earlier version gets the columns it lacks."""
        for table, later in LATER.items():
            known = [name for _, name, *_ in self._database.execute(f"PRAGMA table_info({table})")]
            for name, kind in {**later, "checksum": "INTEGER"}.items():
                if name not in known:
                    self._database.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    def _add_turn(self, kind, trial):
        place = self._database.execute("INSERT INTO turns (kind, trial) VALUES (?, ?)", (kind, trial)).lastrowid
        self._seal("turns", place=place)

    def _seal(self, table, **key):
        """Rows that were just written get their checksum, of the values as SQLite keeps them."""
        self._database.execute(f"UPDATE {table} SET checksum={sum_of(table)} WHERE {_where(key)}", (*key.values(),))

    def _rows(self, table, order="", **key):
        """The rows with those values, without their checksums; Damaged where one does not fit its own."""
        known, later = self._known[table], LATER[table]
        columns = ", ".join(name if name in known or name not in later else "NULL" for name in COLUMNS[table])
        test = is_wrong(table) if "checksum" in known else "0"
        chosen = f"WHERE {_where(key)}" if key else ""
        rows = self._ask(f"SELECT {columns}, {test} FROM {table} {chosen} {order}", (*key.values(),))
        if any(row[-1] for row in rows):
            raise _damaged(self.path, f"a row of {table} has changed since it was written")
        return [row[:-1] for row in rows]

    @functools.cached_property
    def _known(self):
        """{table: names of its columns}; a file of an earlier version, opened to be read only, lacks some."""
        told = {table: self._ask(f"PRAGMA table_info({table})") for table in COLUMNS}
        return {table: [name.lower() for _, name, *_ in rows] for table, rows in told.items()}

    def _ask(self, statement, values=()):
        with self._faults():
            return self._database.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self):
        with self._faults():
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a full disk ends it by itself
                    self._database.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _faults(self):
        """A full disk or a damaged file is no failure of the trial that meets it first."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except UNREADABLE as error:
            if not _is_passing(error):
                raise _damaged(self.path, error) from None
            raise WorkError(
                f"{self.path}: the state of the search cannot be read or written ({error}); make room or mend it, "
                "then repeat the command."
            ) from None


def read_only(path, mode="ro"):
    """A Store that cannot write, for looking at a run while it goes on; in mode rw it leaves nothing beside the file."""
    store = Store.__new__(Store)
    store.path = path
    try:
        store._database = _connected(f"{Path(path).resolve().as_uri()}?mode={mode}", uri=True)
    except UNREADABLE as error:
        raise _cannot_be_opened(path, error) from None
    return store


def _connected(path, **options):
    database = sqlite3.connect(path, isolation_level=None, **options)
    database.create_function("checksum", -1, checksum, deterministic=True)
    return database


def _is_passing(error):
    """Whether the fault lies with the disk or another process, so that the file itself may be whole."""
    return getattr(error, "sqlite_errorname", "").startswith(PASSING)


def _cannot_be_opened(path, error):
    if not _is_passing(error):
        return _damaged(path, error)
    return WorkError(
        f"{path}: the state of the search cannot be opened ({error}); make room or mend it, then repeat the command."
    )


def _damaged(path, reason):
    return Damaged(
        f"{path}: the state of the search cannot be read, it is damaged ({reason}); repeat the tune command, which goes "
        "on from its copy, or start anew with --overwrite."
    )


def _where(key):
    return " AND ".join(f"{name}=?" for name in key)


def _json(value):
    return json.dumps(value, allow_nan=False)
