"""The state of a search in SQLite: the only thing a continued run reads, written one transaction at a time."""

import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from kerashw.errors import WorkError

SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    number     INTEGER PRIMARY KEY,          -- from 0, in the order of the proposals
    proposed   TEXT NOT NULL,                -- JSON: the tuner's own values
    status     TEXT NOT NULL DEFAULT 'running',  -- running, completed, failed, pruned
    reason     TEXT,                         -- of a failure: one word, such as diverged; of pruning: the rule
    message    TEXT,                         -- of a failure: its text; of pruning: by how much
    score      REAL,
    deviation  REAL,                         -- standard deviation over folds and executions
    parameters INTEGER,
    seconds    REAL,
    began      REAL,                         -- seconds since 1970, of its last beginning
    ended      REAL
);
CREATE TABLE IF NOT EXISTS executions (
    trial      INTEGER NOT NULL REFERENCES trials(number),
    fold       INTEGER NOT NULL,
    execution  INTEGER NOT NULL,
    seed       INTEGER NOT NULL,
    score      REAL NOT NULL,
    best_epoch INTEGER NOT NULL,             -- from 1
    seconds    REAL NOT NULL,
    metrics    TEXT NOT NULL,                -- JSON: metrics at the epoch that counts
    PRIMARY KEY (trial, fold, execution)
);
CREATE TABLE IF NOT EXISTS epochs (
    trial      INTEGER NOT NULL,
    fold       INTEGER NOT NULL,
    execution  INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,             -- from 1
    metrics    TEXT NOT NULL,                -- JSON
    PRIMARY KEY (trial, fold, execution, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    at   REAL NOT NULL,                      -- seconds since 1970
    kind TEXT NOT NULL,
    text TEXT NOT NULL
);
"""


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
            self._database = sqlite3.connect(path, isolation_level=None)
            # With a write-ahead log a killed process loses nothing that was committed, without a sync per trial.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(SCHEMA)
            self._add_times()
        except sqlite3.Error as error:
            raise _cannot_be_opened(path, error) from None

    def close(self):
        """All is in the one file afterwards."""
        self._database.close()

    def begin_trial(self, number, proposed):
        """The trial is running; one that a killed process left running begins again and keeps its executions."""
        self._ask(
            "INSERT INTO trials (number, proposed, began) VALUES (?, ?, ?)"
            " ON CONFLICT (number) DO UPDATE SET began=excluded.began",
            (number, _json(proposed), time.time()),
        )

    def add_executions(self, results):
        """Finished trainings with their metrics per epoch, (trial, Execution, history) each, in one transaction."""
        with self._transaction() as database:
            for trial, done, history in results:
                key = (trial, done.fold, done.execution)
                names = [name for name in history if name != "epoch"]
                database.execute(
                    "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*key, done.seed, done.score, done.best_epoch, done.seconds, _json(done.metrics)),
                )
                database.executemany(
                    "INSERT INTO epochs VALUES (?, ?, ?, ?, ?)",
                    [(*key, epoch, _json({name: history[name][place] for name in names}))
                     for place, epoch in enumerate(history["epoch"])],
                )  # fmt: skip

    def end_trial(
        self, number, *, status, score=None, deviation=None, reason=None, message=None, parameters=None, seconds=None
    ):
        """The trial is over, once and for all."""
        self._ask(
            "UPDATE trials SET status=?, score=?, deviation=?, reason=?, message=?, parameters=?, seconds=?, ended=?"
            " WHERE number=?",
            (status, score, deviation, reason, message, parameters, seconds, time.time(), number),
        )

    def add_event(self, kind, text):
        """A line for whoever asks later what happened when."""
        self._ask("INSERT INTO events VALUES (?, ?, ?)", (time.time(), kind, text))

    def forget_events(self, kind):
        """Events of one kind count no longer: what they tell of is done anew."""
        self._ask("DELETE FROM events WHERE kind=?", (kind,))

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
        (row,) = self._ask("SELECT * FROM trials WHERE number=?", (number,))
        return Trial(row[0], json.loads(row[1]), *row[2:9], tuple(self.executions(number)), *row[9:])

    def executions(self, number):
        """The finished trainings of one trial, by fold and execution."""
        rows = self._ask("SELECT * FROM executions WHERE trial=? ORDER BY fold, execution", (number,))
        return [Execution(*row[1:7], json.loads(row[7])) for row in rows]

    def history(self, trial, fold=0, execution=0):
        """The metrics of one training per epoch: {"epoch": [1, 2, ...], "loss": [...], ...}."""
        rows = self._ask(
            "SELECT epoch, metrics FROM epochs WHERE trial=? AND fold=? AND execution=? ORDER BY epoch",
            (trial, fold, execution),
        )
        history = {"epoch": [epoch for epoch, _ in rows]}
        for _, metrics in rows:
            for name, value in json.loads(metrics).items():
                history.setdefault(name, []).append(value)
        return history

    def events(self, kind):
        """The texts of the events of one kind, in their order."""
        return [text for (text,) in self._ask("SELECT text FROM events WHERE kind=? ORDER BY rowid", (kind,))]

    def _add_times(self):
        """A file that was made before trials had times gets the columns for them."""
        known = [name for _, name, *_ in self._database.execute("PRAGMA table_info(trials)")]
        for name in ("began", "ended"):
            if name not in known:
                self._database.execute(f"ALTER TABLE trials ADD COLUMN {name} REAL")

    def _ask(self, statement, values=()):
        with self._faults():
            return self._database.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self):
        with self._faults():
            self._database.execute("BEGIN IMMEDIATE")
            try:
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
        except sqlite3.DatabaseError as error:
            raise WorkError(
                f"{self.path}: the state of the search cannot be read or written ({error}); make room or mend it, "
                "then repeat the command."
            ) from None


def read_only(path):
    """A Store that cannot write, for looking at a run while it goes on."""
    store = Store.__new__(Store)
    store.path = path
    try:
        store._database = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise _cannot_be_opened(path, error) from None
    return store


def _cannot_be_opened(path, error):
    return WorkError(
        f"{path}: the state of the search cannot be opened ({error}); move the file away to start anew, "
        "or choose another --name."
    )


def _json(value):
    return json.dumps(value, allow_nan=False)
