"""The state of a search in SQLite: the only thing a continued run reads, written one transaction at a time."""

import json
import time
from dataclasses import dataclass

from kerashw.database import Database

COPY_EVERY = 30.0  # seconds between two copies of the state while a search goes on, at least
COPY_SHARE = 0.02  # of the time may go into them


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

    def fold_scores(self):
        """The score of each fold, averaged over its executions."""
        by_fold = {}
        for done in self.executions:
            by_fold.setdefault(done.fold, []).append(done.score)
        return [sum(scores) / len(scores) for _, scores in sorted(by_fold.items())]

    def mean_metrics(self):
        """The metrics that every execution has, at the epochs that count, averaged over folds and executions."""
        names = [name for name in self.executions[0].metrics if all(name in done.metrics for done in self.executions)]
        return {name: sum(done.metrics[name] for done in self.executions) / len(self.executions) for name in names}


class Store:
    """A search's trials, executions, epochs and events in one file; with `mode` ro for looking at a run while it goes on.

    >>> store = Store(":memory:")
    >>> store.begin_trial(0, {"learning_rate": 0.1})
    >>> store.end_trial(0, status="completed", score=0.9, deviation=0.0, parameters=7, seconds=1.5)
    >>> [(trial.number, trial.status, trial.score) for trial in store.trials()]
    [(0, 'completed', 0.9)]
    """

    def __init__(self, path, mode=None):
        self.database = Database(path, mode)
        self._copied, self._copying = time.monotonic(), 0.0  # when the last copy was made, and how long that took

    def close(self):
        """All is in the one file afterwards."""
        self.database.close()

    def begin_trial(self, number, proposed, *, is_turn=False):
        """The trial is running; one that a killed process left running begins again and keeps its executions.

        Where it is a turn, it is known as well when the trial was proposed among others.
        """
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO trials (number, proposed, began) VALUES (?, ?, ?)"
                " ON CONFLICT (number) DO UPDATE SET began=excluded.began",
                (number, _json(proposed), time.time()),
            )
            self.database.seal("trials", number=number)
            if is_turn:
                self._add_turn(connection, "asked", number)

    def add_attempts(self, number, count):
        """So many more processes are at the trial, or have been; a negative number takes them back."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE trials SET attempts=coalesce(attempts, 0)+? WHERE number=?", (count, number))
            self.database.seal("trials", number=number)

    def add_executions(self, results):
        """Finished trainings with their metrics per epoch, (trial, Execution, history) each, in one transaction."""
        with self.database.transaction() as connection:
            for trial, done, history in results:
                key = dict(trial=trial, fold=done.fold, execution=done.execution)
                names = [name for name in history if name != "epoch"]
                connection.execute(
                    "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                    (*key.values(), done.seed, done.score, done.best_epoch, done.seconds, _json(done.metrics)),
                )
                connection.executemany(
                    "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, NULL)",
                    [(*key.values(), epoch, _json({name: history[name][place] for name in names}))
                     for place, epoch in enumerate(history["epoch"])],
                )  # fmt: skip
                self.database.seal("executions", **key)
                self.database.seal("epochs", **key)

    def end_trial(
        self, number, *, status, score=None, deviation=None, reason=None, message=None, parameters=None, seconds=None,
        is_turn=False,
    ):  # fmt: skip
        """The trial is over, once and for all; where it is a turn, the tuner is told now."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE trials SET status=?, score=?, deviation=?, reason=?, message=?, parameters=?, seconds=?, ended=?"
                " WHERE number=?",
                (status, score, deviation, reason, message, parameters, seconds, time.time(), number),
            )
            self.database.seal("trials", number=number)
            if is_turn:
                self._add_turn(connection, "told", number)

    def add_event(self, kind, text):
        """A line for whoever asks later what happened when; gives its number."""
        with self.database.transaction() as connection:
            place = connection.execute("INSERT INTO events VALUES (?, ?, ?, NULL)", (time.time(), kind, text)).lastrowid
            self.database.seal("events", rowid=place)
        return place

    def forget_events(self, kind):
        """Events of one kind count no longer: what they tell of is done anew."""
        self.database.ask("DELETE FROM events WHERE kind=?", (kind,))

    def forget_event(self, number):
        """One event counts no longer."""
        self.database.ask("DELETE FROM events WHERE rowid=?", (number,))

    def drop_trial(self, number):
        """The trial never was; for one that the end of the time budget cut short."""
        with self.database.transaction() as connection:
            for table, column in (("epochs", "trial"), ("executions", "trial"), ("trials", "number")):
                connection.execute(f"DELETE FROM {table} WHERE {column}=?", (number,))

    def trials(self):
        """All trials in the order of their numbers."""
        numbers = self.database.ask("SELECT number FROM trials ORDER BY number")
        return [self.trial(number) for (number,) in numbers]

    def trial(self, number):
        """One trial with its executions."""
        (row,) = self.database.rows("trials", number=number)
        return Trial(row[0], json.loads(row[1]), *row[2:9], tuple(self.executions(number)), *row[9:])

    def executions(self, number):
        """The finished trainings of one trial, by fold and execution."""
        rows = self.database.rows("executions", "ORDER BY fold, execution", trial=number)
        return [Execution(*row[1:7], json.loads(row[7])) for row in rows]

    def history(self, trial, fold=0, execution=0):
        """The metrics of one training per epoch: {"epoch": [1, 2, ...], "loss": [...], ...}."""
        rows = self.database.rows("epochs", "ORDER BY epoch", trial=trial, fold=fold, execution=execution)
        history = {"epoch": [epoch for *_, epoch, _ in rows]}
        for *_, metrics in rows:
            for name, value in json.loads(metrics).items():
                history.setdefault(name, []).append(value)
        return history

    def events(self, kind):
        """The texts of the events of one kind, in their order."""
        return [text for *_, text in self.database.rows("events", "ORDER BY rowid", kind=kind)]

    def turns(self):
        """("asked" or "told", trial) in the order in which proposals and results came; only where workers searched."""
        if not self.database.known["turns"]:  # a file of an earlier version, opened to be read only
            return []
        return [(kind, trial) for _, kind, trial in self.database.rows("turns", "ORDER BY place")]

    def check(self):
        """Nothing, where every page and every row is as it was written; else Damaged."""
        self.database.check()

    def copy_to(self, path):
        """A copy of the whole state in another file; only one that is found sound takes the place of an older one."""
        began = time.monotonic()
        self.database.copy_to(path)
        self._copied = time.monotonic()
        self._copying = self._copied - began

    def copy_when_due(self, path):
        """Such a copy, where the last one is old."""
        if time.monotonic() - self._copied > max(COPY_EVERY, self._copying / COPY_SHARE):
            self.copy_to(path)

    def _add_turn(self, connection, kind, trial):
        place = connection.execute("INSERT INTO turns (kind, trial) VALUES (?, ?)", (kind, trial)).lastrowid
        self.database.seal("turns", place=place)


def _json(value):
    return json.dumps(value, allow_nan=False)
