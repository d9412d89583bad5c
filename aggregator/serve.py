"""``vad-aggregator run``: the composition root of the aggregating process.

One thread decides and writes, paho's own talks to the broker, a third embeds sentences where there
is a word model. The handlers only put what they hear
into a bounded queue; what does not fit is dropped and counted, and comes again: participants
repeat what nobody has answered. Everything that matters is in ``store`` before it is said, so a
kill at any instant costs time alone.
"""

from __future__ import annotations

import argparse
import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from aggregator.compose import Site, open_site
from aggregator.config import load_config
from aggregator.metrics import Metrics
from aggregator.rounds import Rounds
from aggregator.secure import WORDS, SecureRounds
from aggregator.store import Store
from aggregator.transfers import Uploads
from edge.errors import MalformedMessageError
from edge.lock import sole_user
from edge.signals import stop_on_signals
from edge.wire.broker import Broker, Message
from edge.wire.chunks import touched_chunks
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.inbox import Inbox
from edge.wire.letters import Letters, RepeatedMessageError, Sequences
from edge.wire.masks import Passed, Roster
from edge.wire.rounds import (
    UP,
    Accepted,
    Announcement,
    Join,
    Missing,
    Refused,
    Statistics,
    UpdateOffer,
    decode_message,
    encode_message,
    printable,
)
from edge.wire.sender import Sender

Answer: TypeAlias = Accepted | Refused | Missing | Roster | Passed

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
INBOX = 2048  # messages and chunks that wait
INBOX_BYTES = 256 * 2**20  # of them all
KEEP_HEARD_EVERY_S = 5.0
MAX_STRANGERS = 100  # that are named in the log


def run(options: argparse.Namespace) -> int:
    """Hold rounds until told to stop."""
    stop = stop_on_signals()
    config = load_config(options.config)
    with sole_user(config.data_dir):
        site = open_site(config, options.config)
        site.broker.start()
        if site.reader is not None:
            read = partial(site.reader.run, stop)
            threading.Thread(target=read, name="read", daemon=True).start()
        try:
            Service(site).run(stop)
        finally:
            if site.distiller is not None:
                site.distiller.stop()
            site.broker.stop()
            site.store.close()
    return 0


class Service:
    """The rounds on a broker."""

    def __init__(self, site: Site, *, now_s: Callable[[], float] = time.time) -> None:
        self._site = site
        self._rounds: Rounds = site.rounds
        self._store: Store = site.store
        self._broker: Broker = site.broker
        self._topics: FederationTopics = site.topics
        self._own_blobs = site.topics.model_blobs.removesuffix("+/+")
        self._letters: Letters = site.letters
        self._uploads: Uploads = site.uploads
        self._metrics: Metrics = site.metrics
        self._now_s = now_s
        self._inbox = Inbox[tuple[str, bytes]](INBOX, limit_bytes=INBOX_BYTES)
        self._sender = Sender(self._broker, wake=self._inbox.wake)
        self._connections = 0
        self._announced: Announcement | None = None
        self._kept_heard_s = -math.inf
        self._kept: Sequences = site.store.sequences()
        self._strangers: set[str] = set()  # who was complained about, at most a few

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set."""
        self.listen()
        while not stop.is_set():
            self.step(LOOK_EVERY_S)
        self._note_heard()

    def listen(self) -> None:
        """Hear the participants from now on."""
        self._broker.subscribe(self._topics.every_up, self._hear)
        self._broker.subscribe(self._topics.every_blob, self._hear)

    def step(self, patience_s: float) -> None:
        """Wait for something to be heard, at most ``patience_s``, and do what is due."""
        for topic, payload in self._inbox.take(patience_s):
            self._handle(topic, payload)
        now_s = self._now_s()
        self._rounds.tick(now_s)
        for participant, missing in self._uploads.ask(now_s):
            self._answer(participant, missing)
        self._announce()
        self._keep_heard(now_s)
        self._sender.pump()
        self._metrics.show(self._rounds, connected=self._broker.state.connected)

    def _hear(self, topic: str, payload: bytes) -> None:
        if not topic.startswith(self._own_blobs):  # the broker hands us our own chunks, too
            self._inbox.put((topic, payload), len(payload))

    # Untrusted bytes.

    def _handle(self, topic: str, payload: bytes) -> None:
        try:
            if self._topics.is_blob(topic):
                self._take_chunk(*self._topics.parse_blob(topic), payload)
            else:
                self._take_letter(topic, payload)
        except RepeatedMessageError as error:
            log.debug("%s", error)
        except MalformedMessageError as error:
            log.warning("%s", printable(f"{topic}: {error}"))

    def _take_letter(self, topic: str, payload: bytes) -> None:
        participant, kind = self._topics.parse_message(topic)
        if not self._letters.knows(participant):
            self._complain_once(participant)
            return
        try:
            body = self._letters.open(topic, payload, sender=participant, kind=kind)
            self._hand_over(participant, kind, body)
        except RepeatedMessageError:
            raise
        except MalformedMessageError as error:
            # named, but never with an update's id: who forges must not end an honest update
            refused = self._rounds.refuse(participant, str(error), self._now_s())
            self._answer(participant, refused)

    def _hand_over(self, participant: str, kind: str, body: bytes) -> None:
        now_s = self._now_s()
        if kind in WORDS and isinstance(self._rounds, SecureRounds):
            word = decode_message(body, WORDS[kind])
            self._answer(participant, self._rounds.masking(participant, word, now_s))
            return
        if kind not in UP:
            raise MalformedMessageError(f"a message of kind {kind!r}")
        message = decode_message(body, UP[kind])
        if isinstance(message, Join):
            self._answer(participant, self._rounds.join(participant, message, now_s))
        elif isinstance(message, Statistics):
            self._answer(participant, self._rounds.statistics(participant, message, now_s))
        elif isinstance(message, UpdateOffer):
            self._offered(participant, message, now_s)
        elif isinstance(message, Missing):
            self._send_model(participant, message)

    def _offered(self, participant: str, offer: UpdateOffer, now_s: float) -> None:
        answer = self._rounds.judge(participant, offer, now_s)
        if answer is not None:
            self._uploads.end(participant)
            self._answer(participant, answer)
            return
        self._answer(participant, self._uploads.offer(participant, offer, now_s))
        if self._uploads.is_complete(participant):  # it was, when we were killed
            self._take_update(participant, offer, now_s)

    def _take_chunk(self, participant: str, blob: str, start: int, payload: bytes) -> None:
        now_s = self._now_s()
        offer = self._uploads.chunk(participant, blob, start, payload, now_s)
        if offer is not None:
            self._take_update(participant, offer, now_s)

    def _take_update(self, participant: str, offer: UpdateOffer, now_s: float) -> None:
        try:
            payload = self._uploads.payload(participant)
        except MalformedMessageError as error:
            # the transfer failed, not the update: it is offered again, and fetched anew
            self._uploads.end(participant)
            reason = f"update of {participant}: {error}"
            self._answer(participant, self._rounds.refuse(participant, reason, now_s))
            return
        answer = self._rounds.take(participant, offer, payload, now_s)
        self._uploads.end(participant)  # only now: the store has it
        self._answer(participant, answer)

    def _complain_once(self, stranger: str) -> None:
        if stranger not in self._strangers and len(self._strangers) < MAX_STRANGERS:
            self._strangers.add(stranger)
            name = printable(stranger)
            log.warning("%s is not registered: `vad-aggregator provision` admits hosts", name)

    # What is said.

    def _announce(self) -> None:
        """Say how the round stands: when that changes, and to a broker that may have forgotten."""
        connections = self._broker.state.connections
        announcement = self._rounds.announcement
        if announcement == self._announced and connections == self._connections:
            return
        self._announced, self._connections = announcement, connections
        self._uploads.sweep(self._now_s())
        topic = self._topics.round
        body = encode_message(announcement)

        def make() -> Message:
            return Message(topic, self._letters.seal(topic, Announcement.kind, body), retain=True)

        self._sender.say(topic, make)

    def _answer(self, participant: str, answer: Answer | None) -> None:
        if answer is None:
            return
        topic = self._topics.down(participant, answer.kind)
        body = encode_message(answer)
        kind = answer.kind
        self._sender.say(topic, lambda: Message(topic, self._letters.seal(topic, kind, body)))

    def _send_model(self, participant: str, missing: Missing) -> None:
        """To all who share the model: who else lacks the same bytes need not ask for them."""
        given = self._rounds.models.given_to(participant)
        if given is None or given.blob.id != missing.blob:
            return  # of a round that is over: the asker will hear of the new one
        for start, end in touched_chunks(given.blob, missing.ranges):
            if given.notice is None:
                topic = self._topics.blob(AGGREGATOR, missing.blob, start)
            else:
                topic = self._topics.cluster_blob(given.notice.label, missing.blob, start)
            chunk = memoryview(given.payload)[start:end]
            self._sender.stream(topic, partial(_chunk_message, topic, chunk))

    def _keep_heard(self, now_s: float) -> None:
        if abs(now_s - self._kept_heard_s) >= KEEP_HEARD_EVERY_S:  # also if set back
            self._kept_heard_s = now_s
            self._note_heard()
            self._metrics.show_members(self._store)

    def _note_heard(self) -> None:
        heard = self._letters.heard()
        if heard != self._kept:
            self._store.save_sequences(heard)
            self._kept = heard


def _chunk_message(topic: str, chunk: memoryview) -> Message:
    return Message(topic, bytes(chunk))
