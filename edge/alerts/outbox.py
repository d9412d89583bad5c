"""Events on their way out, and events still open, safe on disk before anything is published.

SQLite with a write-ahead log, one commit per frame that has news, synced to the disk. A row leaves
only after the broker has acknowledged it. When the disk is full or broken the outbox goes on in
memory, says so, and returns to the disk as soon as that works: an alert is worth more than its
durability. A file that cannot be read is moved aside, never deleted.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

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
        self._retry_at_s: float | None = None  # when to try the disk again; None: not decided
        self._lock = threading.Lock()
        self._db = self._open()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def record(self, transitions: Sequence[Transition], *, now_s: float) -> None:
        """Take in news of one frame: all of it or, when the process dies here, nothing."""
        if not transitions:
            return
        with self._lock:
            self._return_to_disk(now_s)
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
            rows = self._db.execute(_NEXT, (*leave_out, limit)).fetchall()
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
            rows = self._db.execute("SELECT payload FROM open_events ORDER BY event_id").fetchall()
        events = []
        for (payload,) in rows:
            try:
                events.append(decode_event(payload).after)
            except MalformedMessageError as error:
                log.error("outbox %s: an open event cannot be read: %s", self._path, error)
        return events

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT COUNT(*) FROM messages").fetchone()[0])

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
            (now_s - self._max_age_s,),
        )
        (count,) = self._db.execute("SELECT COUNT(*) FROM messages").fetchone()
        if count <= self._max_messages:
            return
        doomed = self._db.execute(_LEAST_LOSS, (count - self._max_messages,)).fetchall()
        for seq, event_id, whole in doomed:
            # an event of which nobody has heard goes with its end, or the end would puzzle
            self._drop("event_id = ?" if whole else "seq = ?", (event_id if whole else seq,))

    def _drop(self, which: str, values: tuple[float | str]) -> None:
        kinds = self._db.execute(f"SELECT seq, kind FROM messages WHERE {which}", values).fetchall()
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
        except sqlite3.OperationalError as error:  # read-only, no space, a folder in the way
            return self._in_memory(error)
        except OSError as error:
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
        return _prepare(sqlite3.connect(":memory:", check_same_thread=False))

    def _leave_disk(self, error: sqlite3.Error) -> None:
        """Go on in memory with everything that can still be read."""
        disk, self._db = self._db, self._in_memory(error)
        self._retry_at_s = None
        with closing(disk):
            try:
                disk.backup(self._db)
            except sqlite3.Error as lost:
                log.error("outbox %s cannot be read either: %s", self._path, lost)
                self._db = _prepare(sqlite3.connect(":memory:", check_same_thread=False))

    def _return_to_disk(self, now_s: float) -> None:
        """After a while, try whether the disk works again."""
        if not self.problem:
            return
        waited = self._retry_at_s is not None and now_s >= self._retry_at_s
        if waited or self._retry_at_s is None:
            self._retry_at_s = now_s + DISK_RETRY_S
        if not waited:
            return
        try:
            disk = _connect(self._path)
        except sqlite3.Error as error:
            log.debug("outbox %s still fails: %s", self._path, error)
            return
        try:
            self._db.backup(disk)
        except sqlite3.Error as error:
            log.debug("outbox %s still fails: %s", self._path, error)
            disk.close()
            return
        self._db.close()
        self._db, self.problem = disk, ""
        log.warning("outbox %s works again", self._path)


def _connect(path: Path) -> sqlite3.Connection:
    """Open or create; sqlite3.DatabaseError where the file is broken or of another format."""
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # survives a power cut; alerts are rare
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        return _prepare(db)
    except sqlite3.Error:
        db.close()
        raise


def _prepare(db: sqlite3.Connection) -> sqlite3.Connection:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == _FORMAT:
        return db
    if version != 0:
        raise sqlite3.DatabaseError(f"format {version} instead of {_FORMAT}")
    db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_FORMAT}; COMMIT;")
    return db
