"""Messages of secure aggregation; ``edge.federation.masking`` says what they are for.

==========  ===========  ==============  ====================================================
kind        participant  aggregator      payload
==========  ===========  ==============  ====================================================
``keys``    ``Keys``     ``Roster``      JSON as in ``edge.wire.rounds``, bytes in base64
``shares``  ``Shares``   ``Passed``      the same
``unmask``  ``Unmask``   ``Survivors``   the same
``update``  ``Masked``                   a blob: session, then words, little-endian
==========  ===========  ==============  ====================================================

``session`` names one attempt at one round (``Announcement.session``); a message of another
session is refused, so that nothing is revealed about the wrong secrets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import numpy as np
from pydantic import ConfigDict, Field

from edge.domain.fixed_point import Words
from edge.domain.shamir import SHARE_BYTES
from edge.errors import MalformedMessageError
from edge.wire.rounds import Name, WireModel

KEY_BYTES = 32
SEALED_BYTES = 2 * SHARE_BYTES + 16  # two shares and the tag of ChaCha20-Poly1305
MAX_PARTICIPANTS = 1000
_SESSION: Final = r"^[A-Za-z0-9_.-]{1,250}$"

_Key = Annotated[bytes, Field(min_length=KEY_BYTES, max_length=KEY_BYTES)]
_Share = Annotated[bytes, Field(min_length=SHARE_BYTES, max_length=SHARE_BYTES)]
_Sealed = Annotated[bytes, Field(min_length=SEALED_BYTES, max_length=SEALED_BYTES)]


class _MaskModel(WireModel):
    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class _Sessional(_MaskModel):
    session: Annotated[str, Field(pattern=_SESSION)]


class PublicKeys(_MaskModel):
    """A participant's X25519 public keys of a session."""

    mask_key: _Key = Field(description="agrees on pairwise masks; its secret half is shared out")
    share_key: _Key = Field(description="agrees on the encryption of shares; never shared out")


class Keys(_Sessional):
    """A participant would take part in the session."""

    kind: ClassVar[str] = "keys"
    public: PublicKeys


class Roster(_Sessional):
    """Everybody's keys, as the aggregator heard them."""

    kind: ClassVar[str] = "keys"
    threshold: int = Field(ge=2, description="how many must stay, and restore a shared secret")
    public: dict[Name, PublicKeys] = Field(min_length=2, max_length=MAX_PARTICIPANTS)


class Shares(_Sessional):
    """One participant's secrets in encrypted shares, by receiver."""

    kind: ClassVar[str] = "shares"
    commitment: _Key = Field(description="to the sender's self-mask")
    sealed: dict[Name, _Sealed] = Field(min_length=1, max_length=MAX_PARTICIPANTS)


class Passed(_Sessional):
    """Encrypted shares for one participant, by sender."""

    kind: ClassVar[str] = "shares"
    sealed: dict[Name, _Sealed] = Field(min_length=1, max_length=MAX_PARTICIPANTS)


class Survivors(_Sessional):
    """Whose masked updates arrived: the sum will be over these."""

    kind: ClassVar[str] = "unmask"
    participants: tuple[Name, ...] = Field(min_length=2, max_length=MAX_PARTICIPANTS)


class Unmask(_Sessional):
    """What one survivor knows of the masks that the sum still carries."""

    kind: ClassVar[str] = "unmask"
    seed_shares: dict[Name, _Share] = Field(max_length=MAX_PARTICIPANTS)  # of survivors
    key_shares: dict[Name, _Share] = Field(max_length=MAX_PARTICIPANTS)  # of those who were lost


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """One participant's encoded update under its masks: uniform noise to everybody else."""

    session: str
    words: Words  # (size,)


def least_threshold(count: int) -> int:
    """More than half of ``count``: two disjoint groups can never both unmask something."""
    return count // 2 + 1


def encode_masked(message: Masked) -> bytes:
    """One byte of length, the session, the words."""
    name = message.session.encode("ascii")
    return bytes([len(name)]) + name + message.words.astype("<u4").tobytes()


def decode_masked(payload: bytes, *, size: int) -> Masked:
    """Parse untrusted bytes that should hold ``size`` words; MalformedMessageError otherwise."""
    start = 1 + payload[0] if payload else 0
    session = payload[1:start].decode("latin-1")
    if not re.fullmatch(_SESSION, session) or len(payload) != start + 4 * size:
        raise MalformedMessageError(f"{len(payload)} bytes are no masked update of {size} words")
    return Masked(session, np.frombuffer(payload, "<u4", size, start).astype(np.uint32))
