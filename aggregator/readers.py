"""Embeds sentences for hosts whose word model has no text tower; ``edge.wire.words``.

A thread of its own: rounds never wait for a text tower. What finds no room in its inbox is dropped:
hosts ask again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from edge.domain.boxes import Floats
from edge.errors import ConfigError, MalformedMessageError, ModelError
from edge.wire.broker import Broker, Message
from edge.wire.guidance import line
from edge.wire.inbox import Inbox
from edge.wire.sender import Sender
from edge.wire.words import Answer, Ask, WordTopics, answer, decode_ask, encode, refusal

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
INBOX = 256  # questions that wait
INBOX_BYTES = 4 * 2**20  # of them all


class Words(Protocol):
    """A word model, as far as it concerns sentences."""

    @property
    def version(self) -> str:
        """Of the space of its embeddings."""

    def read(self, texts: Sequence[str]) -> Floats | None:
        """(T, d), L2-normalised; None: there is no text tower."""


def open_words(folder: Path) -> Words:
    """The word model that reads; ConfigError where it cannot, ModelError where it is damaged."""
    from edge.model.words import load_words  # who only holds rounds needs no ONNX Runtime

    words = load_words(folder)
    if words.read(["a person"]) is None:
        raise ConfigError(f"words: {folder} has no text tower: export it with one")
    return words


class Reader:
    """Answers questions on a broker."""

    def __init__(self, words: Words, broker: Broker, prefix: str) -> None:
        self._words = words
        self._broker = broker
        self._topics = WordTopics(prefix)
        self._inbox = Inbox[tuple[str, bytes]](INBOX, limit_bytes=INBOX_BYTES)
        self._sender = Sender(broker, wake=self._inbox.wake)

    def run(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set."""
        self.listen()
        while not stop.is_set():
            try:
                self.step(LOOK_EVERY_S)
            except Exception:  # the thread's boundary: the next question is another one
                log.exception("a sentence could not be embedded")

    def listen(self) -> None:
        """Hear the hosts from now on."""
        self._broker.subscribe(self._topics.every_ask, self._hear)

    def step(self, patience_s: float) -> None:
        """Wait for questions, at most ``patience_s``, and answer them."""
        for topic, payload in self._inbox.take(patience_s):
            self._handle(topic, payload)
            self._sender.pump()
        self._sender.pump()

    def _hear(self, topic: str, payload: bytes) -> None:
        self._inbox.put((topic, payload), len(payload))

    def _handle(self, topic: str, payload: bytes) -> None:
        try:
            host, ask = self._topics.asker(topic), decode_ask(payload)
        except MalformedMessageError as error:
            log.warning("%s", line(f"{topic}: {error}"))
            return
        said = Message(self._topics.answer(host), encode(self._answer(ask)))
        self._sender.say((host, ask.text), partial(_given, said))

    def _answer(self, ask: Ask) -> Answer:
        if ask.model != self._words.version:
            return refusal(
                ask,
                f"the aggregator reads for word model {self._words.version}, this host has "
                f"{ask.model}: give both the same",
            )
        try:
            read = self._words.read([ask.text])
        except ModelError as error:
            return refusal(ask, str(error))
        return refusal(ask, "no text tower") if read is None else answer(ask, read[0])


def _given(message: Message) -> Message:
    return message
