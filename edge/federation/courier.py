"""Carries a participant's words over the broker, and brings it what it is told.

One thread runs it; another trains. Handlers of the broker only put what they hear into a bounded
queue: what does not fit is dropped and counted, and asked for or said again later. Nothing is
published that the byte ledger has not written down before.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from edge.domain.weights import Weights
from edge.errors import MalformedMessageError, TrainingError, VadError
from edge.federation.actions import (
    Action,
    Listen,
    Measure,
    Received,
    Say,
    SendChunks,
    Train,
    UpMessage,
)
from edge.federation.desk import Desk
from edge.federation.identity import Identity
from edge.federation.ledger import Ledger
from edge.federation.participant import Participant
from edge.wire.broker import Broker, Message
from edge.wire.chunks import read_chunk, touched_chunks
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.inbox import Inbox
from edge.wire.letters import Letters, RepeatedMessageError
from edge.wire.masks import Passed, Roster
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Component,
    Missing,
    Refused,
    decode_message,
    encode_message,
)
from edge.wire.sender import Sender

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
INBOX = 1024  # messages and chunks that wait
INBOX_BYTES = 128 * 2**20  # of them all
KEEP_HEARD_EVERY_S = 60.0
SCHEMA = "fl-{kind}-1"  # as the byte ledger names what leaves
CHUNK_SCHEMA = "fl-blob-1"

Input = Callable[[float], list[Action]]
"""Something that was heard, to be handed to the participant with the time."""


class Trainer(Protocol):
    """Who learns; called from a thread of its own, one call at a time."""

    def statistics(self, announcement: Announcement) -> Component | None:
        """Norms of our normal segments; None while there are too few."""

    def train(self, announcement: Announcement, model: Weights) -> tuple[Weights, int]:
        """Delta from ``model`` after local training, and the number of examples ≥ 1.

        VadError where this round has to go on without us.
        """


class Courier:
    """One participant on one broker."""

    def __init__(
        self,
        participant: Participant,
        *,
        desk: Desk,
        identity: Identity,
        broker: Broker,
        topics: FederationTopics,
        ledger: Ledger,
        trainer: Trainer,
        on_model: Callable[[Received], None] = lambda _: None,
        holds: Callable[[UpMessage], str] = lambda _: "",
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_model`` hears of every model of the federation; the broker is the caller's.

        ``holds`` says for the ledger what of this host a message holds beyond its schema.
        """
        self._participant = participant
        self._broker = broker
        self._topics = topics
        self._desk = desk
        self._name = identity.participant
        self._letters = Letters(
            identity.participant,
            identity.signing_key,
            {AGGREGATOR: identity.aggregator_key},
            desk.heard,
        )
        self._ledger = ledger
        self._trainer = trainer
        self._on_model = on_model
        self._holds = holds
        self._now_s = now_s
        self._inbox = Inbox[Input](INBOX, limit_bytes=INBOX_BYTES)
        self._lessons: queue.SimpleQueue[Measure | Train | None] = queue.SimpleQueue()
        self._sender = Sender(broker, wake=self._inbox.wake)
        self._models = topics.model_blobs  # the branch whose chunks we hear
        self._connections = 0
        self._kept_heard_s = -math.inf

    def run(self, stop: threading.Event) -> None:
        """Take part until ``stop`` is set; a training that is under way is then abandoned."""
        self._broker.subscribe(self._topics.round, self._hear_round)
        self._broker.subscribe(self._topics.every_down(self._name), self._hear_answer)
        self._broker.subscribe(self._models, self._hear_chunk)
        threading.Thread(target=self._train, name="train", daemon=True).start()
        try:
            while not stop.is_set():
                self._step()
        finally:
            self._lessons.put(None)

    def _step(self) -> None:
        """Handle what was heard, say what is due."""
        actions = self._look_at_link()
        for heard in self._inbox.take(LOOK_EVERY_S):
            actions += heard(self._now_s())
        for action in actions + self._participant.tick(self._now_s()):
            self._do(action)
        self._sender.pump()
        self._keep_heard(self._now_s())

    def _keep_heard(self, now_s: float) -> None:
        if now_s - self._kept_heard_s >= KEEP_HEARD_EVERY_S:
            self._kept_heard_s = now_s
            self._desk.remember(self._letters.heard())

    def _look_at_link(self) -> list[Action]:
        connections = self._broker.state.connections
        if connections == self._connections:
            return []
        self._connections = connections
        return self._participant.reconnected(self._now_s())

    def _do(self, action: Action) -> None:
        if isinstance(action, Say):
            message = action.message
            self._sender.say(message.kind, lambda: self._letter(message.kind, message))
        elif isinstance(action, SendChunks):
            self._send_chunks(action)
        elif isinstance(action, Received):
            self._on_model(action)
        elif isinstance(action, Listen):
            self._listen(action.cluster)
        else:
            self._lessons.put(action)

    def _listen(self, cluster: int | None) -> None:
        """To the chunks of one model alone: there may be as many models as clusters."""
        topics = self._topics
        models = topics.model_blobs if cluster is None else topics.cluster_blobs(cluster)
        if models != self._models:
            self._broker.unsubscribe(self._models)
            self._broker.subscribe(models, self._hear_chunk)
            self._models = models

    def _letter(self, kind: str, message: UpMessage) -> Message | None:
        topic = self._topics.up(self._name, kind)
        payload = self._letters.seal(topic, kind, encode_message(message))
        return self._departing(SCHEMA.format(kind=kind), topic, payload, self._holds(message))

    def _send_chunks(self, action: SendChunks) -> None:
        blob, path = action.work.offer.blob, action.work.path
        for start, end in touched_chunks(blob, action.missing.ranges):
            topic = self._topics.blob(self._name, blob.id, start)

            def make(topic: str = topic, start: int = start, end: int = end) -> Message | None:
                chunk = read_chunk(path, start, end)
                return None if chunk is None else self._departing(CHUNK_SCHEMA, topic, chunk)

            self._sender.stream(topic, make)

    def _departing(
        self, schema: str, topic: str, payload: bytes, holds: str = ""
    ) -> Message | None:
        """The message, written down; None, and it stays here, where that is impossible."""
        try:
            self._ledger.depart(schema, topic, len(payload), holds)
        except VadError as error:
            log.error("%s", error)
            return None
        return Message(topic, payload)

    # Handlers of the broker, on its thread.

    def _hear_round(self, topic: str, payload: bytes) -> None:
        self._inbox.put(lambda now_s: self._announced(topic, payload, now_s), len(payload))

    def _hear_answer(self, topic: str, payload: bytes) -> None:
        self._inbox.put(lambda now_s: self._answered(topic, payload, now_s), len(payload))

    def _hear_chunk(self, topic: str, payload: bytes) -> None:
        self._inbox.put(lambda now_s: self._chunk(topic, payload, now_s), len(payload))

    # Untrusted bytes, on our own thread.

    def _announced(self, topic: str, payload: bytes, now_s: float) -> list[Action]:
        try:
            kind = Announcement.kind
            body = self._letters.open(topic, payload, sender=AGGREGATOR, kind=kind, retained=True)
            announcement = decode_message(body, Announcement)
        except MalformedMessageError as error:
            log.warning("an announcement is not believed: %s", error)
            return []
        self._desk.remember(self._letters.heard())
        return self._participant.announced(announcement, now_s)

    def _answered(self, topic: str, payload: bytes, now_s: float) -> list[Action]:
        try:
            kind = self._topics.parse_message(topic)[1]
            # the envelope's sender is the aggregator, on a topic that only it may write
            body = self._letters.open(topic, payload, sender=AGGREGATOR, kind=kind)
            return self._hand_over(kind, body, now_s)
        except RepeatedMessageError as error:
            log.debug("%s", error)
        except MalformedMessageError as error:
            log.warning("an answer is not believed: %s", error)
        return []

    def _hand_over(self, kind: str, body: bytes, now_s: float) -> list[Action]:
        if kind == Accepted.kind:
            return self._participant.accepted(decode_message(body, Accepted), now_s)
        if kind == Refused.kind:
            return self._participant.refused(decode_message(body, Refused), now_s)
        if kind == Missing.kind:
            return self._participant.missing(decode_message(body, Missing))
        if kind == Roster.kind:
            return self._participant.roster(decode_message(body, Roster), now_s)
        if kind == Passed.kind:
            return self._participant.shares(decode_message(body, Passed), now_s)
        raise MalformedMessageError(f"an answer of kind {kind!r}")

    def _chunk(self, topic: str, payload: bytes, now_s: float) -> list[Action]:
        try:
            _, blob, offset = self._topics.parse_blob(topic)
        except MalformedMessageError as error:
            log.warning("a chunk is not believed: %s", error)
            return []
        return self._participant.chunk(blob, offset, payload, now_s)

    # The training thread.

    def _train(self) -> None:
        while (lesson := self._lessons.get()) is not None:
            self._inbox.insist(self._learn(lesson))

    def _learn(self, lesson: Measure | Train) -> Input:
        try:
            if isinstance(lesson, Measure):
                component = self._trainer.statistics(lesson.announcement)
                return lambda now_s: self._participant.measured(component, now_s)
            delta, num_examples = self._trainer.train(lesson.announcement, lesson.model)
            return lambda now_s: self._participant.trained(delta, num_examples, now_s)
        except VadError as error:
            failure = error
        except Exception as error:  # the thread's boundary: the round goes on without us
            log.exception("training failed")
            failure = TrainingError(f"internal error: {type(error).__name__}: {error}")
        return lambda now_s: self._participant.failed(failure, now_s)
