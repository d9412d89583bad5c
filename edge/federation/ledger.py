"""Everything that left this host over the federation: when, where to, how much, of which schema.

A departure is written down, on the disk, *before* it is sent: a process that dies in between has
recorded too much, never too little. What is not on the list of schemas does not leave at all, and
neither does anything that cannot be written down. Where a message holds more than its schema says,
such as shares of object classes, that is written down with it, in words. Single departures are kept
for a year, as many as ``MAX_DEPARTURES``; the sums for ever.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.errors import PrivacyError, StorageError

ALLOWED_SCHEMAS: Final = frozenset(
    {
        "fl-join-1",  # name, version, shares of the object classes that a federation asks for
        "fl-statistics-1",  # (Γ, Θ, M₀): three numbers
        "fl-update-1",  # announces an update: round, number of examples, size, hash
        "fl-blob-1",  # a chunk of an update, masked or not
        "fl-missing-1",  # which bytes of the model this host lacks
        "fl-keys-1",  # secure aggregation: public keys of the round
        "fl-shares-1",  # shares of secrets, each encrypted for its receiver
        "fl-unmask-1",  # shares that take the masks off a sum
    }
)
"""All that may ever leave a host over the federation. There is no other place that adds to it."""

KEPT_S = 365 * 86_400.0
MAX_DEPARTURES = 500_000  # that are kept: 60 MB
_STEPS = (
    """
CREATE TABLE departures (
    time_s REAL NOT NULL, schema TEXT NOT NULL, topic TEXT NOT NULL, size_bytes INTEGER NOT NULL
);
CREATE INDEX departures_by_time ON departures (time_s);
CREATE TABLE totals (
    schema TEXT PRIMARY KEY, messages INTEGER NOT NULL, size_bytes INTEGER NOT NULL
);
""",
    """
ALTER TABLE departures ADD COLUMN holds TEXT NOT NULL DEFAULT '';
CREATE TABLE holdings (
    holds TEXT PRIMARY KEY, messages INTEGER NOT NULL, size_bytes INTEGER NOT NULL
);
""",
)
"""Each makes of a ledger of the format of its number the next; format = PRAGMA user_version."""

_ADD = """
INSERT INTO {table} VALUES (?, 1, ?) ON CONFLICT ({key}) DO UPDATE
SET messages = messages + 1, size_bytes = size_bytes + excluded.size_bytes
"""
_ADD_TOTAL = _ADD.format(table="totals", key="schema")
_ADD_HOLDING = _ADD.format(table="holdings", key="holds")


@dataclass(frozen=True, slots=True)
class Departure:
    """One message that was about to leave."""

    time_s: float
    schema: str
    topic: str
    size_bytes: int
    holds: str = ""  # in words, beyond what every message of its schema does


@dataclass(frozen=True, slots=True)
class Total:
    """All messages of a kind, since the ledger began."""

    messages: int
    size_bytes: int


class Ledger:
    """The byte ledger of one host; may be used from several threads, read by other processes."""

    def __init__(
        self,
        path: Path,
        *,
        kept_s: float = KEPT_S,
        max_departures: int = MAX_DEPARTURES,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Open or create; StorageError where that fails: without a ledger nothing leaves."""
        self._path = path
        self._kept_s = kept_s
        self._max_departures = max_departures
        self._now_s = now_s
        self._lock = threading.Lock()
        with self._storage():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _connect(path)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def depart(self, schema: str, topic: str, size_bytes: int, holds: str = "") -> None:
        """Write down what is about to leave; only then may it be sent.

        ``holds``: what of this host is in it, in words, where its schema does not say so.
        PrivacyError for a schema that is not in ``ALLOWED_SCHEMAS``; StorageError where it cannot
        be written down. After either the message must not be sent.
        """
        if schema not in ALLOWED_SCHEMAS:
            raise PrivacyError(
                f"a message of schema {schema!r} to {topic} was stopped: only "
                f"{', '.join(sorted(ALLOWED_SCHEMAS))} may leave this host"
            )
        now_s = self._now_s()
        with self._lock, self._storage(), self._db:
            row = (now_s, schema, topic, size_bytes, holds)
            query = "INSERT INTO departures VALUES (?, ?, ?, ?, ?)"
            newest = self._db.execute(query, row).lastrowid
            self._db.execute(_ADD_TOTAL, (schema, size_bytes))
            if holds:
                self._db.execute(_ADD_HOLDING, (holds, size_bytes))
            self._db.execute("DELETE FROM departures WHERE time_s < ?", (now_s - self._kept_s,))
            oldest = (newest or 0) - self._max_departures
            self._db.execute("DELETE FROM departures WHERE rowid <= ?", (oldest,))

    def totals(self) -> dict[str, Total]:
        """Schema → all that ever left under it."""
        return self._sums("SELECT * FROM totals ORDER BY schema")

    def holdings(self) -> dict[str, Total]:
        """What messages held, in words → all that ever left and held it."""
        return self._sums("SELECT * FROM holdings ORDER BY holds")

    def entries(self, since_s: float = 0.0) -> list[Departure]:
        """Departures from ``since_s`` on, oldest first, as far as they are kept."""
        query = "SELECT * FROM departures WHERE time_s >= ? ORDER BY time_s, rowid"
        with self._lock, self._storage():
            return [Departure(*row) for row in self._db.execute(query, (since_s,))]

    def _sums(self, query: str) -> dict[str, Total]:
        with self._lock, self._storage():
            rows = self._db.execute(query).fetchall()
        return {of: Total(messages, size_bytes) for of, messages, size_bytes in rows}

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the byte ledger {self._path} cannot be used ({error}): nothing is sent to the "
                "federation until it can; free the disk or mend the file's permissions"
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # survives a power cut
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(_STEPS):
            raise sqlite3.DatabaseError(f"format {version} instead of {len(_STEPS)}")
        for number, step in enumerate(_STEPS[version:], version + 1):
            db.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.Error:
        db.close()
        raise
    return db
