"""Events on their way out, and events still open, safe on disk before anything is published.

SQLite with a write-ahead log, one commit per frame that has news, synced to the disk. A row leaves
only after the broker has acknowledged it. When the disk is full or broken the outbox goes on in
memory, says so, and returns to the disk when a ``retry`` finds it well: an alert is worth more than
its durability. A file that is broken is moved aside, one that could not be read is added to: what
waits in it is never deleted.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.domain.alert import Event, Transition, TransitionKind
from edge.errors import MalformedMessageError
from edge.wire.events import decode_event, encode_event

log = logging.getLogger(__name__)

MAX_MESSAGES = 10_000
MAX_AGE_S = 7 * 86_400.0
DISK_RETRY_S = 60.0
_FORMAT = 1  # PRAGMA user_version of the tables below
_TABLES = """
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    time_s REAL NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX messages_by_event ON messages (event_id, seq);
CREATE TABLE open_events (event_id TEXT PRIMARY KEY, payload BLOB NOT NULL);
"""
# The oldest unsent message of every event that has none in flight: order within an event holds.
_NEXT = """
SELECT MIN(seq), payload FROM messages
WHERE event_id NOT IN (SELECT value FROM json_each(?))
AND seq NOT IN (SELECT value FROM json_each(?))
GROUP BY event_id ORDER BY seq LIMIT ?
"""
# Updates are the least loss, then events that nobody has heard of at all, then the oldest.
_LEAST_LOSS = """
SELECT seq, event_id, kind <> 'update' AND whole IS NOT NULL FROM messages LEFT JOIN (
    SELECT event_id AS whole FROM messages WHERE kind <> 'update'
    GROUP BY event_id HAVING COUNT(*) = 2
) ON whole = event_id
ORDER BY kind <> 'update', whole IS NULL, seq LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits to be published."""

    seq: int
    transition: Transition


@dataclass(slots=True)
class OutboxCounts:
    """What was given up; all zero in a healthy system."""

    dropped: dict[str, int] = field(default_factory=lambda: {"update": 0, "new": 0, "end": 0})
    malformed: int = 0


class Outbox:
    """Durable queue of transitions; may be used from several threads."""

    def __init__(
        self, path: Path, *, max_messages: int = MAX_MESSAGES, max_age_s: float = MAX_AGE_S
    ) -> None:
        self.counts = OutboxCounts()
        self.problem = ""  # why it is not on the disk, "" when it is
        self._path = path
        self._max_messages = max_messages
        self._max_age_s = max_age_s
        self._retry_at_s = -math.inf  # when to try the disk again
        self._lock = threading.Lock()
        self._db = self._open()
        self._unread = bool(self.problem)  # the disk may hold what this process never saw

    def close(self) -> None:
        """Let go of the file; what is in memory goes to the disk if that works again."""
        with self._lock:
            if self.problem:
                self._return_to_disk()
            self._db.close()

    def retry(self, now_s: float) -> None:
        """Return to the disk where that works again; call often, on one clock: most calls wait.

        Open events of a file that could not be read before stay there until the next start.
        """
        with self._lock:
            if self.problem and now_s >= self._retry_at_s:
                self._retry_at_s = now_s + DISK_RETRY_S
                self._return_to_disk()

    def record(self, transitions: Sequence[Transition], *, now_s: float) -> None:
        """Take in news of one frame: all of it or, when the process dies here, nothing."""
        if not transitions:
            return
        with self._lock:
            try:
                self._insert(transitions)
            except sqlite3.Error as error:
                self._leave_disk(error)
                self._insert(transitions)
            self._trim(now_s)

    def next(
        self, limit: int, *, busy: Collection[str] = (), skip: Collection[int] = ()
    ) -> list[Pending]:
        """The oldest message of each event, oldest first.

        Without the events in ``busy`` (ids) and the messages in ``skip`` (their ``seq``).
        """
        with self._lock:
            leave_out = json.dumps(list(busy)), json.dumps(list(skip))
            rows = self._read(_NEXT, *leave_out, limit)
            return [p for seq, payload in rows if (p := self._parse(seq, payload)) is not None]

    def done(self, seqs: Sequence[int]) -> None:
        """Forget messages that the broker has acknowledged."""
        if not seqs:
            return
        with self._lock:
            self._delete(seqs)

    def open_events(self) -> list[Event]:
        """Events that were announced and have not ended, as they stood at their last message."""
        with self._lock:
            rows = self._read("SELECT payload FROM open_events ORDER BY event_id")
        events = []
        for (payload,) in rows:
            try:
                events.append(decode_event(payload).after)
            except MalformedMessageError as error:
                log.error("outbox %s: an open event cannot be read: %s", self._path, error)
        return events

    def __len__(self) -> int:
        with self._lock:
            return self._count()

    def _count(self) -> int:
        ((count,),) = self._read("SELECT COUNT(*) FROM messages")
        return int(count)

    def _read(self, query: str, *values: float | str) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._leave_disk(error)
            return self._db.execute(query, values).fetchall()

    def _insert(self, transitions: Sequence[Transition]) -> None:
        with self._db:  # one transaction
            for transition in transitions:
                event = transition.after
                payload = encode_event(transition, age_s=0.0)
                self._db.execute(
                    "INSERT INTO messages (event_id, kind, time_s, payload) VALUES (?, ?, ?, ?)",
                    (event.id, transition.kind.value, event.updated_time_s, payload),
                )
                if transition.kind is TransitionKind.END:
                    self._db.execute("DELETE FROM open_events WHERE event_id = ?", (event.id,))
                else:
                    self._db.execute(
                        "INSERT OR REPLACE INTO open_events VALUES (?, ?)", (event.id, payload)
                    )

    def _parse(self, seq: int, payload: bytes) -> Pending | None:
        try:
            return Pending(seq, decode_event(payload))
        except MalformedMessageError as error:
            log.error("outbox %s: message %d cannot be read: %s", self._path, seq, error)
            self.counts.malformed += 1
            self._delete([seq])
            return None

    def _delete(self, seqs: Sequence[int]) -> None:
        rows = [(seq,) for seq in seqs]
        try:
            with self._db:
                self._db.executemany("DELETE FROM messages WHERE seq = ?", rows)
        except sqlite3.Error as error:
            self._leave_disk(error)
            with self._db:
                self._db.executemany("DELETE FROM messages WHERE seq = ?", rows)

    def _trim(self, now_s: float) -> None:
        """Keep within bounds; what goes is counted."""
        self._drop(
            "event_id IN (SELECT event_id FROM messages GROUP BY event_id HAVING MAX(time_s) < ?)",
            now_s - self._max_age_s,
        )
        excess = self._count() - self._max_messages
        if excess <= 0:
            return
        for seq, event_id, whole in self._read(_LEAST_LOSS, excess):
            # an event of which nobody has heard goes with its end, or the end would puzzle
            self._drop("event_id = ?" if whole else "seq = ?", event_id if whole else seq)

    def _drop(self, which: str, value: float | str) -> None:
        kinds = self._read(f"SELECT seq, kind FROM messages WHERE {which}", value)
        if not kinds:
            return
        if not any(self.counts.dropped.values()):
            log.error("outbox %s: too many or too old messages are dropped, counted", self._path)
        for _, kind in kinds:
            self.counts.dropped[kind] += 1
        self._delete([seq for seq, _ in kinds])

    def _open(self) -> sqlite3.Connection:
        """The database on disk, a new one where it is broken, or memory where neither works."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(self._path)
        except (OSError, sqlite3.OperationalError) as error:  # locked, no space, a folder there
            return self._in_memory(error)
        except sqlite3.DatabaseError as error:
            aside = self._path.with_name(self._path.name + ".corrupt")
            log.error("outbox %s is broken (%s): moved to %s", self._path, error, aside)
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return _connect(self._path)
        except (OSError, sqlite3.Error) as error:
            return self._in_memory(error)

    def _in_memory(self, error: Exception) -> sqlite3.Connection:
        self.problem = (
            f"outbox {self._path} cannot be written ({error}): alerts go out, but those that wait "
            "are lost if the process ends; free the disk or mend the permissions"
        )
        log.error(self.problem)
        return _memory()

    def _leave_disk(self, error: sqlite3.Error) -> None:
        """Go on in memory with everything that can still be read."""
        disk, self._db = self._db, self._in_memory(error)
        with closing(disk):
            try:
                disk.backup(self._db)
                _check(self._db)  # a broken page is copied as it is
            except sqlite3.Error as lost:
                log.error("outbox %s cannot be read either: %s", self._path, lost)
                self._db.close()
                self._db, self._unread = _memory(), True

    def _return_to_disk(self) -> None:
        """Try whether the disk works again."""
        try:
            disk = _connect(self._path)
        except sqlite3.Error as error:
            log.debug("outbox %s still fails: %s", self._path, error)
            return
        try:
            if self._unread:
                _add(self._db, disk)
            else:  # the disk holds nothing that memory did not take over from it
                self._db.backup(disk)
        except sqlite3.Error as error:
            log.debug("outbox %s still fails: %s", self._path, error)
            disk.close()
            return
        self._db.close()
        self._db, self._unread, self.problem = disk, False, ""
        log.warning("outbox %s works again", self._path)


def _connect(path: Path) -> sqlite3.Connection:
    """Open or create; sqlite3.DatabaseError where the file is broken or of another format."""
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # survives a power cut; alerts are rare
        _check(db)
        return _prepare(db)
    except sqlite3.Error:
        db.close()
        raise


def _memory() -> sqlite3.Connection:
    """An empty database whose ``seq`` meet none of a disk's, so that the two can be joined."""
    db = _prepare(sqlite3.connect(":memory:", check_same_thread=False))
    with db:
        db.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (time.time_ns(),))
    return db


def _add(memory: sqlite3.Connection, disk: sqlite3.Connection) -> None:
    """Everything in memory, beside what is on the disk; all of it or nothing."""
    with disk:
        disk.executemany(
            "INSERT INTO messages (seq, event_id, kind, time_s, payload) VALUES (?, ?, ?, ?, ?)",
            memory.execute("SELECT seq, event_id, kind, time_s, payload FROM messages"),
        )
        disk.executemany(
            "INSERT OR REPLACE INTO open_events VALUES (?, ?)",
            memory.execute("SELECT event_id, payload FROM open_events"),
        )


def _check(db: sqlite3.Connection) -> None:
    """sqlite3.DatabaseError where a page is broken."""
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _prepare(db: sqlite3.Connection) -> sqlite3.Connection:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == _FORMAT:
        return db
    if version != 0:
        raise sqlite3.DatabaseError(f"format {version} instead of {_FORMAT}")
    db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_FORMAT}; COMMIT;")
    return db
