"""The envelope of every federation message: who says what, in which order, signed.

::

    magic     4 bytes   b"VAE1"
    lengths   1 + 1 + 4 bytes of sender, kind and body, unsigned, big-endian
    sequence  8         rises with every message of a sender
    time_s    8         IEEE 754 double: seconds since the epoch by the sender's clock, not judged
    sender, kind        ASCII, [A-Za-z0-9_-]+
    body                any bytes
    signature 64        Ed25519 (RFC 8032)

Signed is everything before the signature, after the length and the text of the MQTT topic: what
was said on one topic, in one federation, cannot be said again on another. The topic itself does
not travel twice.

A replay is refused by its sequence: nanoseconds of the sender's wall clock, forced to rise
(``Sequence``). So a sender that is killed and started again need hardly remember its counter;
one whose clock was set back meanwhile goes on above the last number that it kept.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.errors import MalformedMessageError

SIGNATURE_BYTES = 64
MAX_STREAMS = 64  # kinds of message that one sender may use; the protocol has fewer than 20
_UNKEPT_NS = 120 * 10**9  # a sender notes its last number every minute, or oftener
_MAGIC = b"VAE1"
_HEADER = struct.Struct(">4sBBIQd")
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message of a federation; its signature has been checked, or is still to be made."""

    sender: str  # participant, or the aggregator
    kind: str  # "join", "update", ...
    sequence: int  # rises with every message of the sender
    time_s: float  # when it was sealed, by the sender's clock
    body: bytes


class Sequence:
    """Numbers for a sender's messages: nanoseconds of the wall clock, always rising."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, *, kept: int = 0) -> None:
        """``kept``: ``last`` of an earlier process, or somewhat older."""
        self._now_ns = now_ns
        self.last = kept + _UNKEPT_NS if kept and kept > now_ns() else 0

    def next(self) -> int:
        """A number above all that this object gave out before."""
        self.last = max(self._now_ns(), self.last + 1)
        return self.last


class ReplayGuard:
    """The highest sequence seen, by sender and kind.

    By kind, because brokers keep the order within a topic, and a retained message is handed out
    again behind newer ones of other kinds. The owner stores ``state()`` and gives it back at the
    next start; what was accepted since the last ``state()`` could be replayed after a crash, so
    messages must be harmless when handled twice.
    """

    def __init__(self, state: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._highest = {sender: dict(kinds) for sender, kinds in (state or {}).items()}

    def state(self) -> dict[str, dict[str, int]]:
        """Sender → kind → highest sequence, for JSON."""
        return {sender: dict(kinds) for sender, kinds in self._highest.items()}

    def admit(self, envelope: Envelope, *, retained: bool = False) -> None:
        """Note an authentic message; MalformedMessageError where it is old.

        ``retained``: the message is state that the broker hands out at every subscription; its
        newest version is welcome again, an older one never is.
        """
        kinds = self._highest.setdefault(envelope.sender, {})
        highest = kinds.get(envelope.kind, -1)
        if envelope.sequence < highest + (not retained):
            raise MalformedMessageError(
                f"{envelope.kind} of {envelope.sender}: sequence {envelope.sequence} after "
                f"{highest}: delivered twice, replayed, or the sender's clock was set back"
            )
        if envelope.kind not in kinds and len(kinds) >= MAX_STREAMS:
            raise MalformedMessageError(f"{envelope.sender}: more than {MAX_STREAMS} kinds")
        kinds[envelope.kind] = envelope.sequence


def seal(envelope: Envelope, signing_key: Ed25519PrivateKey, *, topic: str) -> bytes:
    """Canonical bytes of ``envelope``, signed for ``topic``.

    Raises ValueError where sender or kind is no name of at most 255 characters.
    """
    content = _content(envelope)
    return content + signing_key.sign(_bound(content, topic))


def open_sealed(
    payload: bytes,
    *,
    topic: str,
    sender: str,
    keys: Mapping[str, Ed25519PublicKey],
    guard: ReplayGuard,
    limit_bytes: int,
    retained: bool = False,
) -> Envelope:
    """Parse and check untrusted bytes that arrived on ``topic``, which belongs to ``sender``.

    ``limit_bytes`` bounds the body. MalformedMessageError where the bytes are no envelope, the
    sender is unknown or not the topic's, the signature is false, or ``guard`` knows the sequence.
    """
    envelope = _parse(payload, limit_bytes)
    if envelope.sender != sender:
        raise MalformedMessageError(f"message of {envelope.sender} on a topic of {sender}")
    key = keys.get(sender)
    if key is None:
        raise MalformedMessageError(f"message of {sender}, which is not registered here")
    content, signature = payload[:-SIGNATURE_BYTES], payload[-SIGNATURE_BYTES:]
    try:
        key.verify(signature, _bound(content, topic))
    except InvalidSignature:
        raise MalformedMessageError(
            f"{envelope.kind} in the name of {sender}: the signature is not by its registered key, "
            "or was made for another topic"
        ) from None
    guard.admit(envelope, retained=retained)
    return envelope


def _content(envelope: Envelope) -> bytes:
    sender, kind = _name(envelope.sender), _name(envelope.kind)
    header = _HEADER.pack(
        _MAGIC, len(sender), len(kind), len(envelope.body), envelope.sequence, envelope.time_s
    )
    return header + sender + kind + envelope.body


def _name(name: str) -> bytes:
    if not _NAME.fullmatch(name) or len(name) > 255:
        raise ValueError(f"{name!r} is no name for an envelope")
    return name.encode("ascii")


def _bound(content: bytes, topic: str) -> bytes:
    """What is signed: the topic cannot be confused with the content that follows it."""
    name = topic.encode()
    return struct.pack(">H", len(name)) + name + content


def _parse(payload: bytes, limit_bytes: int) -> Envelope:
    if len(payload) < _HEADER.size + SIGNATURE_BYTES:
        raise MalformedMessageError(f"{len(payload)} bytes are too few for an envelope")
    magic, of_sender, of_kind, of_body, sequence, time_s = _HEADER.unpack_from(payload)
    if magic != _MAGIC:
        raise MalformedMessageError("not an envelope of a federation")
    if of_body > limit_bytes:
        raise MalformedMessageError(f"a body of {of_body} bytes: at most {limit_bytes} here")
    kind_at = _HEADER.size + of_sender
    body_at = kind_at + of_kind
    if len(payload) != body_at + of_body + SIGNATURE_BYTES:
        raise MalformedMessageError("an envelope's lengths do not add up")
    return Envelope(
        sender=_word(payload[_HEADER.size : kind_at]),
        kind=_word(payload[kind_at:body_at]),
        sequence=sequence,
        time_s=time_s,
        body=payload[body_at : body_at + of_body],
    )


def _word(raw: bytes) -> str:
    word = raw.decode("latin-1")
    if not _NAME.fullmatch(word):
        raise MalformedMessageError("an envelope's sender and kind are letters, digits, '_', '-'")
    return word
