"""The tables of the aggregator's memory."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_FORMAT = 3  # PRAGMA user_version of the tables below
_BEFORE_CLUSTERS = 2
_TABLES = """
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY, phase TEXT NOT NULL, attempt INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, began_s REAL NOT NULL, deadline_s REAL NOT NULL,
    extensions INTEGER NOT NULL DEFAULT 0, ended_s REAL,
    num_updates INTEGER NOT NULL DEFAULT 0, num_examples INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE updates (
    id TEXT NOT NULL, participant TEXT NOT NULL, trained_on INTEGER NOT NULL,
    counts_in INTEGER NOT NULL, num_examples INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    accepted_s REAL NOT NULL, PRIMARY KEY (participant, trained_on)
);
CREATE INDEX updates_by_round ON updates (counts_in);
CREATE TABLE payloads (
    number INTEGER PRIMARY KEY AUTOINCREMENT, participant TEXT NOT NULL,
    trained_on INTEGER NOT NULL, num_examples INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE statistics (
    participant TEXT PRIMARY KEY, round INTEGER NOT NULL, component TEXT NOT NULL
);
CREATE TABLE masking (
    number INTEGER PRIMARY KEY AUTOINCREMENT, participant TEXT NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE participants (
    name TEXT PRIMARY KEY, first_seen_s REAL NOT NULL, last_seen_s REAL NOT NULL,
    version TEXT NOT NULL DEFAULT '', refused INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', accepted INTEGER NOT NULL DEFAULT 0,
    last_round INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL);
"""
_OF_CLUSTERS = """
CREATE TABLE objects (participant TEXT PRIMARY KEY, shares TEXT NOT NULL);
CREATE TABLE placements (
    number INTEGER PRIMARY KEY AUTOINCREMENT, participant TEXT NOT NULL, shares TEXT NOT NULL
);
"""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the file, with its tables; sqlite3.Error where that fails or they are others.

    What a federation of before there were clusters has left is gone on with.
    """
    if read_only:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=5.0)
    try:
        if not read_only:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # survives a power cut
        (version,) = db.execute("PRAGMA user_version").fetchone()
        news = {0: _TABLES + _OF_CLUSTERS, _BEFORE_CLUSTERS: _OF_CLUSTERS}.get(version)
        if news and not read_only:
            db.executescript(f"BEGIN; {news} PRAGMA user_version = {_FORMAT}; COMMIT;")
        elif news and version:  # as if they were there, and empty
            db.executescript(news.replace("CREATE TABLE", "CREATE TEMP TABLE"))
        elif version != _FORMAT:
            raise sqlite3.DatabaseError(f"format {version} instead of {_FORMAT}")
    except sqlite3.Error:
        db.close()
        raise
    return db
