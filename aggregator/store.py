"""What the aggregator must not forget, in one SQLite file: write-ahead log, synced at every commit.

An update is accepted when its row is committed, its bytes with it; only then is the participant
told. The end of a round is one transaction: the round's result, the next round, the state of the
strategy. So a process that dies at any instant finds, at its next start, every accepted update
once: either still waiting for its round's end, or in the round's result.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from aggregator.records import AcceptedUpdate, Member, Outcome, Round, StoredPayload
from aggregator.tables import connect
from edge.domain.weights import Shares
from edge.errors import StorageError
from edge.wire.rounds import Component, Phase

_SEEN = """
INSERT INTO participants (name, first_seen_s, last_seen_s) VALUES (?1, ?2, ?2)
ON CONFLICT (name) DO UPDATE SET last_seen_s = ?2
"""
_ACCEPTED = """
UPDATE participants SET accepted = accepted + 1, last_round = MAX(last_round, ?) WHERE name = ?
"""


class Store:
    """The aggregator's memory; one process writes, others may read."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open or create; StorageError where that fails."""
        self._path = path
        with self._storage():
            self._db = connect(path, read_only=read_only)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def running(self) -> Round | None:
        """The round that was begun last; None in a new federation."""
        newest = self.rounds(limit=1)
        return newest[0] if newest else None

    def rounds(self, limit: int) -> list[Round]:
        """The newest rounds, newest first."""
        rows = self._read("SELECT * FROM rounds ORDER BY number DESC LIMIT ?", limit)
        return [Round(row[0], Phase(row[1]), *row[2:]) for row in rows]

    def save_round(self, current: Round) -> None:
        """Note how the running round stands."""
        with self._storage(), self._db:
            self._put_round(current)

    def step_masking(self, current: Round, kind: str, body: bytes) -> None:
        """Note a step of our own in the session, and the phase that it begins."""
        with self._storage(), self._db:
            self._put_round(current)
            self._put_masking("", kind, body)

    def restart_round(self, current: Round) -> None:
        """Begin the running round's updates anew: what secure aggregation could not unmask."""
        with self._storage(), self._db:
            self._db.execute("DELETE FROM masking")
            self._put_round(current)

    def finish_round(
        self,
        ended: Round,
        following: Round,
        outcome: Outcome,
        unmasked: Iterable[AcceptedUpdate] = (),
        *,
        registered: Collection[str] | None = None,
    ) -> None:
        """The end of one round and the beginning of the next, all of it or nothing.

        ``unmasked``: the updates that only now, as a sum, count. What is seen by whoever is not
        ``registered`` is forgotten; with None nobody is.
        """
        with self._storage(), self._db:
            for update in unmasked:
                self._put_update(update)
            self._put_round(ended)
            self._begin(following, outcome)
            for done in ("payloads", "masking", "placements"):
                self._db.execute(f"DELETE FROM {done}")
            if registered is not None:
                gone = [(name,) for name in self.objects() if name not in registered]
                self._db.executemany("DELETE FROM objects WHERE participant = ?", gone)

    def begin(self, first: Round, outcome: Outcome, *, run: str) -> None:
        """The beginning of a federation; ``run`` tells it from others of its name."""
        with self._storage(), self._db:
            self._begin(first, outcome)
            self._put_state("run", run.encode())

    def run(self) -> str:
        """What ``begin`` was given."""
        run = self._state("run")
        assert run is not None
        return run.decode()

    def save_settings(self, settings: bytes) -> None:
        """Note what the participants of the running round are told."""
        with self._storage(), self._db:
            self._put_state("settings", settings)

    def settings(self) -> bytes | None:
        """What was noted last; None before the first time."""
        return self._state("settings")

    def count_payloads(self) -> int:
        """How many updates wait for the running round's end."""
        (row,) = self._read("SELECT COUNT(*) FROM payloads")
        return int(row[0])

    def outcome(self) -> Outcome:
        """What the running round begins with."""
        model, strategy = self._state("model"), self._state("strategy")
        assert model is not None
        assert strategy is not None
        return Outcome(model, strategy)

    def accept(self, update: AcceptedUpdate, payload: bytes) -> None:
        """Take an update in, with its bytes; StorageError where it cannot be kept."""
        with self._storage(), self._db:
            self._put_update(update)
            self._db.execute(
                "INSERT INTO payloads (participant, trained_on, num_examples, payload) "
                "VALUES (?, ?, ?, ?)",
                (update.participant, update.trained_on, update.num_examples, payload),
            )

    def update_of(self, participant: str, trained_on: int) -> AcceptedUpdate | None:
        """The update that was accepted from ``participant`` for the model of a round."""
        query = "SELECT * FROM updates WHERE participant = ? AND trained_on = ?"
        rows = self._read(query, participant, trained_on)
        return AcceptedUpdate(*rows[0]) if rows else None

    def updates_in(self, number: int) -> list[AcceptedUpdate]:
        """What counts in a round, in the order of acceptance."""
        rows = self._read("SELECT * FROM updates WHERE counts_in = ? ORDER BY rowid", number)
        return [AcceptedUpdate(*row) for row in rows]

    def payloads(self) -> Iterator[StoredPayload]:
        """Accepted and not yet aggregated, in the order of acceptance, one in memory at a time."""
        for (number,) in self._read("SELECT number FROM payloads ORDER BY number"):
            query = "SELECT participant, trained_on, num_examples, payload FROM payloads"
            yield StoredPayload(*self._read(f"{query} WHERE number = ?", number)[0])

    def add_statistics(self, number: int, participant: str, component: Component) -> None:
        """Note three numbers, in place of those of an earlier round."""
        with self._storage(), self._db:
            row = (participant, number, component.model_dump_json())
            self._db.execute("INSERT OR REPLACE INTO statistics VALUES (?, ?, ?)", row)

    def statistics(self, since: int) -> dict[str, Component]:
        """By participant, those that came in round ``since`` or later."""
        query = "SELECT participant, component FROM statistics WHERE round >= ? ORDER BY 1"
        rows = self._read(query, since)
        return {name: Component.model_validate_json(component) for name, component in rows}

    def fingerprint_of(self, number: int) -> str | None:
        """Of the model that a round began with; None where there was no such round."""
        rows = self._read("SELECT fingerprint FROM rounds WHERE number = ?", number)
        return rows[0][0] if rows else None

    def add_masking(self, participant: str, kind: str, body: bytes) -> None:
        """Note one message of the running session of secure aggregation, or one step of our own."""
        with self._storage(), self._db:
            self._put_masking(participant, kind, body)

    def masking(self) -> list[tuple[str, str, bytes]]:
        """Participant, kind and body of the session's messages, in their order."""
        return self._read("SELECT participant, kind, body FROM masking ORDER BY number")

    def seen(self, participant: str, now_s: float, *, version: str, reason: str) -> None:
        """Note that a participant is there, and why it stays away, if it does."""
        with self._storage(), self._db:
            self._db.execute(_SEEN, (participant, now_s))
            self._db.execute(
                "UPDATE participants SET version = ?, reason = ? WHERE name = ?",
                (version, reason, participant),
            )

    def save_objects(self, participant: str, shares: Shares) -> None:
        """Note what a participant sees, in place of what it saw before."""
        with self._storage(), self._db:
            query = "INSERT OR REPLACE INTO objects VALUES (?, ?)"
            self._db.execute(query, (participant, _written(shares)))

    def forget_objects(self) -> None:
        """What everybody said of objects."""
        with self._storage(), self._db:
            self._db.execute("DELETE FROM objects")

    def objects(self) -> dict[str, Shares]:
        """By participant, what it saw last."""
        rows = self._read("SELECT participant, shares FROM objects ORDER BY 1")
        return {name: _read_shares(written) for name, written in rows}

    def place(self, newcomers: Mapping[str, Shares | None]) -> None:
        """Note who came after the running round had begun, in this order, and what they see."""
        rows = [(n, "" if seen is None else _written(seen)) for n, seen in newcomers.items()]
        with self._storage(), self._db:
            query = "INSERT INTO placements (participant, shares) VALUES (?, ?)"
            self._db.executemany(query, rows)

    def placements(self) -> list[tuple[str, Shares | None]]:
        """What ``place`` noted in the running round, in its order."""
        rows = self._read("SELECT participant, shares FROM placements ORDER BY number")
        return [(name, _read_shares(written) if written else None) for name, written in rows]

    def refuse(self, participant: str, reason: str, now_s: float) -> None:
        """Note that something of this participant was refused."""
        with self._storage(), self._db:
            self._db.execute(_SEEN, (participant, now_s))
            self._db.execute(
                "UPDATE participants SET refused = refused + 1, reason = ? WHERE name = ?",
                (reason, participant),
            )

    def members(self) -> list[Member]:
        """Everybody who was ever heard of, by name."""
        return [Member(*row) for row in self._read("SELECT * FROM participants ORDER BY name")]

    def save_sequences(self, sequences: Mapping[str, Mapping[str, int]]) -> None:
        """Keep the state of the replay guard."""
        with self._storage(), self._db:
            self._put_state("sequences", json.dumps(sequences).encode())

    def sequences(self) -> dict[str, dict[str, int]]:
        """The state of the replay guard."""
        return json.loads(self._state("sequences") or b"{}")  # type: ignore[no-any-return] # ours

    def _begin(self, following: Round, outcome: Outcome) -> None:
        self._put_round(following)
        self._put_state("model", outcome.model)
        self._put_state("strategy", outcome.strategy)

    def _put_masking(self, participant: str, kind: str, body: bytes) -> None:
        query = "INSERT INTO masking (participant, kind, body) VALUES (?, ?, ?)"
        self._db.execute(query, (participant, kind, body))

    def _put_update(self, update: AcceptedUpdate) -> None:
        self._db.execute("INSERT INTO updates VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(update))
        self._db.execute(_SEEN, (update.participant, update.accepted_s))
        self._db.execute(_ACCEPTED, (update.trained_on, update.participant))

    def _put_round(self, current: Round) -> None:
        marks = ", ".join("?" * len(fields(current)))
        self._db.execute(f"INSERT OR REPLACE INTO rounds VALUES ({marks})", astuple(current))

    def _put_state(self, key: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    def _state(self, key: str) -> bytes | None:
        rows = self._read("SELECT value FROM state WHERE key = ?", key)
        return rows[0][0] if rows else None

    def _read(self, query: str, *values: float | str) -> list[Any]:
        with self._storage():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the aggregator's memory {self._path} cannot be used ({error}): free the disk or "
                "mend the file's permissions; what was accepted is still there"
            ) from error


def _written(shares: Shares) -> str:
    return json.dumps(shares.tolist())


def _read_shares(written: str) -> Shares:
    return np.array(json.loads(written), np.float32)
