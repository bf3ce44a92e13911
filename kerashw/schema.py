"""The tables of trials.db; each row has a checksum of its own, so that one changed byte is found wherever it lies."""

import zlib

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
    ended      REAL,
    attempts   INTEGER,                      -- at it by processes, of which the last ones may have died of it
    checksum   INTEGER
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
    checksum   INTEGER,
    PRIMARY KEY (trial, fold, execution)
);
CREATE TABLE IF NOT EXISTS epochs (
    trial      INTEGER NOT NULL,
    fold       INTEGER NOT NULL,
    execution  INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,             -- from 1
    metrics    TEXT NOT NULL,                -- JSON
    checksum   INTEGER,
    PRIMARY KEY (trial, fold, execution, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS turns (
    place    INTEGER PRIMARY KEY,            -- in the order in which they came, where several workers search
    kind     TEXT NOT NULL,                  -- asked: the tuner proposed the trial; told: it was told the result
    trial    INTEGER NOT NULL,
    checksum INTEGER
);
CREATE TABLE IF NOT EXISTS events (
    at       REAL NOT NULL,                  -- seconds since 1970
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL,
    checksum INTEGER
);
"""
COLUMNS = {
    "trials": ("number", "proposed", "status", "reason", "message", "score", "deviation", "parameters", "seconds",
               "began", "ended", "attempts"),
    "executions": ("trial", "fold", "execution", "seed", "score", "best_epoch", "seconds", "metrics"),
    "epochs": ("trial", "fold", "execution", "epoch", "metrics"),
    "turns": ("place", "kind", "trial"),
    "events": ("at", "kind", "text"),
}  # fmt: skip
# Columns that came later, with their types; a file of an earlier version has rows without them.
LATER = {**dict.fromkeys(COLUMNS, {}), "trials": {"began": "REAL", "ended": "REAL", "attempts": "INTEGER"}}


def checksum(*values):
    """The CRC-32 of a row's values as SQLite gives them back."""
    return zlib.crc32(repr(values).encode())


def sum_of(table):
    """The SQL for the checksum of a row."""
    return f"checksum({', '.join(COLUMNS[table])})"


def is_wrong(table):
    """The SQL for whether a row has changed since it was written; one of an earlier version cannot tell."""
    return f"checksum IS NOT NULL AND checksum != {sum_of(table)}"
