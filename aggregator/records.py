"""What the aggregator's memory consists of."""

from __future__ import annotations

from dataclasses import dataclass

from edge.wire.rounds import Phase


@dataclass(frozen=True, slots=True)
class Round:
    """One round, running or over."""

    number: int  # from 1
    phase: Phase
    attempt: int  # of secure aggregation, from 1
    fingerprint: str  # of the weights that it begins with
    began_s: float  # since the epoch, as all times here
    deadline_s: float
    extensions: int = 0  # how often the deadline passed with too few participants
    ended_s: float | None = None
    num_updates: int = 0  # in its result
    num_examples: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round leaves to the next, encoded."""

    model: bytes
    strategy: bytes  # what the strategy remembers


@dataclass(frozen=True, slots=True)
class AcceptedUpdate:
    """What is remembered of an update for ever."""

    id: str
    participant: str
    trained_on: int  # round whose model it began with
    counts_in: int  # round whose result it is part of
    num_examples: int
    size_bytes: int
    accepted_s: float


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """The bytes of an accepted update, while its round runs."""

    participant: str
    trained_on: int
    num_examples: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Member:
    """A participant as the aggregator knows it."""

    name: str
    first_seen_s: float
    last_seen_s: float
    version: str
    refused: int
    reason: str  # why it was refused, or stayed away, last; "": never
    accepted: int
    last_round: int  # of its newest accepted update; 0: none
