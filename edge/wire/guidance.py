"""Guidance in words: commands to a camera, and what it goes by; JSON in UTF-8.

``<p>/<host>/<camera>/guidance/set`` takes one of::

    {"add": {"text": "a person riding a bicycle", "polarity": "normal"}}
    {"remove": "5f0c1b2a9d3e4f60"}
    {"replace": [{...}, {...}]}

An instruction may have a ``threshold`` of the cosine, ``zones`` (names of the configuration, or
polygons ``[[x, y], ...]`` in fractions of the picture) and ``hours`` (``"22:00-06:00"``, local
time). Its id is made of what it says: to add the same twice changes nothing but its age, so a
command may be delivered twice.

``.../guidance/state`` is retained: all instructions, oldest first, and why the latest command was
refused, if it was.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from enum import StrEnum
from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain.guidance import Hours, Polarity
from edge.errors import MalformedMessageError
from edge.wire.rounds import printable

MAX_TEXT = 500  # characters, trimmed
MAX_GUIDANCES = 50  # of a camera
MAX_COMMAND_BYTES = 256 * 1024
MAX_STATE_BYTES = 4 * MAX_COMMAND_BYTES
MAX_REASON = 300  # characters
_ID_BYTES = 8
_SHOWN = 60  # characters of a foreign key in a message
_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Unicode: control, surrogate, line, paragraph


def sentence(text: str) -> str:
    """Trimmed, in Unicode's composed form; ValueError where it is no single line of text."""
    trimmed = unicodedata.normalize("NFC", text.strip())
    if not trimmed:
        raise ValueError("an empty text: say in words what is seen")
    if len(trimmed) > MAX_TEXT:
        raise ValueError(f"{len(trimmed)} characters: at most {MAX_TEXT}")
    if any(unicodedata.category(letter) in _UNFIT for letter in trimmed):
        raise ValueError("control characters or line breaks: write one line of plain text")
    return trimmed


def _hours(text: str) -> str:
    Hours.parse(text)
    return text


Sentence = Annotated[str, AfterValidator(sentence)]
GuidanceId = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * _ID_BYTES}}}$")]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Polygon = Annotated[tuple[tuple[_Fraction, _Fraction], ...], Field(min_length=3, max_length=64)]
_ZoneName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ZoneSaid: TypeAlias = _ZoneName | _Polygon
"""A zone of the configuration by its name, or corners."""


class Strict(BaseModel):
    """A key that we do not know is a slip, which an operator must hear of."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Instruction(Strict):
    """What an operator says."""

    text: Sentence
    polarity: Polarity
    threshold: float | None = Field(default=None, ge=-1, le=1, description="null: by its rivals")
    zones: tuple[ZoneSaid, ...] = Field(default=(), max_length=16, description="none: everywhere")
    hours: tuple[Annotated[str, AfterValidator(_hours)], ...] = Field(
        default=(), max_length=8, description="none: always"
    )

    @property
    def id(self) -> str:
        """The same for the same words, sixteen hexadecimal digits."""
        said = json.dumps(Instruction.model_dump(self, mode="json"), sort_keys=True)
        return hashlib.blake2s(said.encode(), digest_size=_ID_BYTES).hexdigest()


class Command(Strict):
    """A change of one camera's guidance: exactly one of these."""

    add: Instruction | None = None
    remove: GuidanceId | None = None
    replace: tuple[Instruction, ...] | None = Field(default=None, max_length=MAX_GUIDANCES)

    @model_validator(mode="after")
    def _one(self) -> Command:
        if len([part for part in (self.add, self.remove, self.replace) if part is not None]) != 1:
            raise ValueError('one of "add", "remove" and "replace" is needed')
        return self


class Status(StrEnum):
    """What becomes of an instruction."""

    ACTIVE = "active"
    WAITING = "waiting for its embedding"
    REFUSED = "refused"


class Standing(Strict):
    """One instruction in the state."""

    id: GuidanceId
    text: Sentence
    polarity: Polarity
    threshold: float | None
    zones: tuple[ZoneSaid, ...]
    hours: tuple[str, ...]
    since: float = Field(description="seconds since the epoch")
    status: Status
    reason: str = Field(default="", max_length=MAX_REASON, description="why, in words")


class Refusal(Strict):
    """A command that changed nothing."""

    reason: str = Field(max_length=MAX_REASON)
    time: float = Field(description="seconds since the epoch")


class GuidanceState(Strict):
    """The payload of ``guidance/state``."""

    guidance: tuple[Standing, ...] = Field(max_length=MAX_GUIDANCES)
    refused: Refusal | None = None


def decode_guidance(payload: bytes) -> Command:
    """Parse untrusted bytes of ``guidance/set``; MalformedMessageError says what to mend."""
    return parse(payload, Command, limit_bytes=MAX_COMMAND_BYTES)


def encode_state(state: GuidanceState) -> bytes:
    """As JSON."""
    return state.model_dump_json().encode()


def decode_state(payload: bytes) -> GuidanceState:
    """Parse untrusted bytes of ``guidance/state``."""
    return parse(payload, GuidanceState, limit_bytes=MAX_STATE_BYTES)


_Kind = TypeVar("_Kind", bound=BaseModel)


def parse(payload: bytes, of: type[_Kind], *, limit_bytes: int) -> _Kind:
    """JSON of one kind; MalformedMessageError with the first mistake, on one line."""
    if len(payload) > limit_bytes:
        raise MalformedMessageError(f"{len(payload)} bytes: at most {limit_bytes}")
    try:
        return of.model_validate_json(payload)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(step)[:_SHOWN] for step in detail["loc"])
        said = detail["msg"].removeprefix("Value error, ")
        raise MalformedMessageError(line(f"{place}: {said}" if place else said)) from None


def line(text: str) -> str:
    """One printable line of at most ``MAX_REASON`` characters."""
    return printable(text)[:MAX_REASON]
