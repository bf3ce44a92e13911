"""A SQLite file whose every row has a checksum of its own: written in transactions, copied while it is in use."""

import contextlib
import functools
import os
import sqlite3
from pathlib import Path

from kerashw.errors import Damaged, WorkError
from kerashw.schema import COLUMNS, LATER, SCHEMA, checksum, is_wrong, sum_of

PASSING = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN",
           "SQLITE_PERM")  # faults of the disk, not of the file
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # the latter for text, and for messages that quote it


class Database:
    """The tables of `kerashw.schema` in one file; in `mode` ro it cannot be written, in rw it leaves nothing beside it.

    >>> database = Database(":memory:")
    >>> with database.transaction() as connection:
    ...     place = connection.execute("INSERT INTO turns (kind, trial) VALUES ('asked', 7)").lastrowid
    ...     database.seal("turns", place=place)
    >>> database.rows("turns", kind="asked")
    [(1, 'asked', 7)]
    """

    def __init__(self, path, mode=None):
        self.path = path
        try:
            if mode is not None:
                self._connection = _connected(f"{Path(path).resolve().as_uri()}?mode={mode}", uri=True)
                return
            self._connection = _connected(path)
            # With a write-ahead log a killed process loses nothing that was committed, without a sync per trial.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(SCHEMA)
            self._add_later_columns()
        except UNREADABLE as error:
            raise _cannot_be_opened(path, error) from None

    def close(self):
        """All is in the one file afterwards."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self):
        """A context with the connection: all that is written in it, or nothing."""
        with self._faults():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk ends it by itself
                    self._connection.execute("ROLLBACK")
                raise

    def seal(self, table, **key):
        """Rows that were just written get their checksum, of the values as SQLite keeps them."""
        self._connection.execute(f"UPDATE {table} SET checksum={sum_of(table)} WHERE {_where(key)}", (*key.values(),))

    def rows(self, table, order="", **key):
        """The rows with those values, without their checksums; Damaged where one does not fit its own."""
        known, later = self.known[table], LATER[table]
        columns = ", ".join(name if name in known or name not in later else "NULL" for name in COLUMNS[table])
        test = is_wrong(table) if "checksum" in known else "0"
        chosen = f"WHERE {_where(key)}" if key else ""
        rows = self.ask(f"SELECT {columns}, {test} FROM {table} {chosen} {order}", (*key.values(),))
        if any(row[-1] for row in rows):
            raise _damaged(self.path, f"a row of {table} has changed since it was written")
        return [row[:-1] for row in rows]

    def ask(self, statement, values=()):
        """The rows that a statement of SQL gives, as they are."""
        with self._faults():
            return self._connection.execute(statement, values).fetchall()

    @functools.cached_property
    def known(self):
        """{table: names of its columns}; a file of an earlier version, opened to be read only, lacks some."""
        told = {table: self.ask(f"PRAGMA table_info({table})") for table in COLUMNS}
        return {table: [name.lower() for _, name, *_ in rows] for table, rows in told.items()}

    def check(self):
        """Nothing, where every page and every row is as it was written; else Damaged."""
        answers = [answer for (answer,) in self.ask("PRAGMA integrity_check(1)")]
        if answers != ["ok"]:
            raise _damaged(self.path, " ".join(answers[0].split()))
        for table in (table for table in COLUMNS if "checksum" in self.known[table]):
            ((wrong,),) = self.ask(f"SELECT count(*) FROM {table} WHERE {is_wrong(table)}")
            if wrong:
                raise _damaged(self.path, f"{wrong} row(s) of {table} have changed since they were written")

    def copy_to(self, path):
        """A copy of the whole state in another file; only one that is found sound takes the place of an older one."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with self._faults(), contextlib.closing(_connected(beside)) as copy:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file
            with contextlib.closing(Database(beside, "ro")) as copy:
                copy.check()
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def _add_later_columns(self):
        """A file of an earlier version gets the columns it lacks."""
        for table, later in LATER.items():
            known = [name for _, name, *_ in self._connection.execute(f"PRAGMA table_info({table})")]
            for name, kind in {**later, "checksum": "INTEGER"}.items():
                if name not in known:
                    self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

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



def _connected(path, **options):
    connection = sqlite3.connect(path, isolation_level=None, **options)
    connection.create_function("checksum", -1, checksum, deterministic=True)
    return connection


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
