"""Sealing what one party of a federation says, and opening what it hears."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.errors import MalformedMessageError
from edge.wire.envelope import Envelope, ReplayGuard, Sequence, open_sealed, seal
from edge.wire.rounds import MAX_MESSAGE_BYTES

_SAID = "said"

Sequences = Mapping[str, Mapping[str, int]]


class RepeatedMessageError(MalformedMessageError):
    """An authentic message that was heard before: brokers deliver at least once."""


class Letters:
    """One party's key, its correspondents' keys, and what was heard of them last."""

    def __init__(
        self,
        own: str,
        signing_key: Ed25519PrivateKey,
        keys: Mapping[str, Ed25519PublicKey],
        heard: Sequences,
    ) -> None:
        """``heard``: what ``heard`` of the last process returned, or nothing."""
        self._own = own
        self._signing_key = signing_key
        self._keys = keys
        self._guard = _Guard({sender: kinds for sender, kinds in heard.items() if sender != own})
        self._sequence = Sequence(kept=heard.get(own, {}).get(_SAID, 0))

    def heard(self) -> Sequences:
        """To be kept for the next process; under our own name, what we said last ourselves."""
        return self._guard.state() | {self._own: {_SAID: self._sequence.last}}

    def knows(self, sender: str) -> bool:
        """Whether we have this party's key."""
        return sender in self._keys

    def seal(self, topic: str, kind: str, body: bytes) -> bytes:
        """Signed for ``topic``."""
        envelope = Envelope(self._own, kind, self._sequence.next(), time.time(), body)
        return seal(envelope, self._signing_key, topic=topic)

    def open(
        self, topic: str, payload: bytes, *, sender: str, kind: str, retained: bool = False
    ) -> bytes:
        """The body of untrusted bytes; MalformedMessageError where they are not to be believed.

        RepeatedMessageError where they were believed before.
        """
        envelope = open_sealed(
            payload,
            topic=topic,
            sender=sender,
            keys=self._keys,
            guard=self._guard,
            limit_bytes=MAX_MESSAGE_BYTES,
            retained=retained,
        )
        if envelope.kind != kind:
            raise MalformedMessageError(f"a message of kind {envelope.kind} on a topic of {kind}")
        return envelope.body


class _Guard(ReplayGuard):
    """Tells a repetition from a forgery."""

    def admit(self, envelope: Envelope, *, retained: bool = False) -> None:
        try:
            super().admit(envelope, retained=retained)
        except MalformedMessageError as error:
            raise RepeatedMessageError(str(error)) from None
