"""Messages of a federation's rounds, JSON in UTF-8, each inside an ``edge.wire.envelope``.

The aggregator announces a round, retained; a participant answers under its own topics::

    announcement ─→  join         it takes part, or says why not; and what objects it sees
                 ─→  missing      chunks of the model that it lacks            ←─ chunks
                 ─→  statistics   three numbers, where the head needs them (phase statistics)
                 ─→  update       its result, as the header of a blob          ←─ missing
                     chunks                                                    ←─ accepted, refused

Whoever receives a blob asks for it, piece by piece: that is the flow control, and how a transfer
goes on after either end died. Every message may come twice or not at all: a sender repeats what
nobody has answered, and an answer to a repeated message is the same again.

Secure aggregation adds ``keys``, ``shares`` and ``unmask`` (``edge.wire.masks``).

Where the announcement names clusters, a participant takes its cluster's model in place of the one
model. Who finds itself in none says join, with its objects, until it is announced in one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from edge.domain.fixed_point import FixedPoint
from edge.errors import ConfigError, MalformedMessageError

MAX_MESSAGE_BYTES = 384 * 1024  # of a body; an announcement to 1000 participants has 101 KB
MAX_COMPONENTS = 1000  # of a mixture
MAX_MEMBERS = 1000  # of all clusters together
MAX_CLUSTERS = 100
MAX_CLASSES = 512  # of objects
MAX_RANGES = 64  # of missing bytes in one message; the rest is asked for later
MAX_BLOB_BYTES = 2**31
_LARGEST_ROUND = 2**31
MAX_REASON = 1000  # characters
_SHOWN = 100  # characters of a foreign key in a message
_SUM_ERROR = 0.01  # of a distribution's sum, rounded on its way

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RoundNumber = Annotated[int, Field(ge=1, le=_LARGEST_ROUND)]
_Count = Annotated[int, Field(ge=1, le=2**53)]


def printable(text: str) -> str:
    """``text`` on one line and without control characters: it goes into logs and to terminals."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


_Text = Annotated[str, Field(max_length=1024), AfterValidator(printable)]
_ClassName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
Classes = Annotated[tuple[_ClassName, ...], Field(max_length=MAX_CLASSES)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Phase(StrEnum):
    """What the aggregator waits for."""

    STATISTICS = "statistics"
    KEYS = "keys"  # the phases from here to UNMASK: secure aggregation
    SHARES = "shares"
    UPDATES = "updates"
    UNMASK = "unmask"
    DISTILLATION = "distillation"  # all updates are in, and the models are being improved
    FINISHED = "finished"  # of the federation: no round follows


class Mode(StrEnum):
    """What happens to an update that was trained on an older model."""

    SYNCHRONOUS = "synchronous"  # refused
    BUFFERED = "buffered"  # weighted by its staleness (FedBuff), up to a limit


class WireModel(BaseModel):
    """Immutable; strict types, finite numbers; a key that we do not know is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Blob(WireModel):
    """Many bytes that travel in chunks under their own topics."""

    id: Sha256 = Field(description="SHA-256 of all bytes")
    size_bytes: int = Field(ge=1, le=MAX_BLOB_BYTES)
    chunk_bytes: int = Field(ge=1, le=2**20)


class Component(WireModel):
    """One participant's segment norms, as a Gaussian of the mixture."""

    mean: float
    variance: float = Field(ge=0)
    num_segments: _Count


class Privacy(WireModel):
    """What every participant does to its delta before it leaves."""

    clip_norm: float = Field(gt=0)
    noise_multiplier: float = Field(ge=0)


class Masking(WireModel):
    """Terms of secure aggregation: the aggregator sees the sum of a round's updates alone."""

    threshold: int = Field(ge=2, description="how many must stay to a round's end")
    max_examples: _Count = Field(description="a participant counts for no more")
    weighted: bool = Field(description="by numbers of examples; else everybody counts the same")

    @property
    def max_participants(self) -> int:
        """Of a session: the threshold must be more than half of them."""
        return 2 * self.threshold - 1


class Settings(WireModel):
    """What the participants of a round have in common."""

    student: dict[Name, JsonValue] = Field(description="which network, as a StudentSpec")
    spec_versions: tuple[_Text, ...] = Field(max_length=16, description="of its features")
    plan: dict[Name, JsonValue] = Field(description="local training, fields of a LocalPlan")
    rule: dict[Name, JsonValue] = Field(description="what the strategy asks of local training")
    compression: Name = Field(description="scheme of the updates' encoding")
    privacy: Privacy | None = None
    mode: Annotated[Mode, Field(strict=False)] = Mode.SYNCHRONOUS
    masking: Masking | None = None
    classes: Classes = Field(default=(), description="whose shares are asked for; (): nothing")

    def fixed_point(self) -> FixedPoint:
        """How masked updates are encoded; ConfigError where that is not settled, or impossible."""
        if self.masking is None or self.privacy is None:
            raise ConfigError("secure aggregation needs its terms, and a clip norm")
        return FixedPoint.for_updates(
            clip_norm=self.privacy.clip_norm,
            noise_multiplier=self.privacy.noise_multiplier,
            participants=self.masking.max_participants,
            max_examples=self.masking.max_examples,
        )


class ClusterNotice(WireModel):
    """Participants that share a model of their own, which travels on topics of its own."""

    label: int = Field(ge=0, le=_LARGEST_ROUND, description="the same from round to round")
    model: Blob
    fingerprint: Name
    members: tuple[Name, ...] = Field(max_length=MAX_MEMBERS)


class Announcement(WireModel):
    """The running round: ``<p>/fl/<federation>/round``, retained."""

    kind: ClassVar[str] = "round"
    run: Name = Field(description="random; another one: the aggregator has begun at round 1 again")
    round: RoundNumber
    phase: Annotated[Phase, Field(strict=False)]
    attempt: int = Field(default=1, ge=1, description="of secure aggregation; others have one")
    deadline_s: float = Field(description="seconds since the epoch, by the aggregator's clock")
    model: Blob = Field(description="the weights to begin with, safetensors")
    fingerprint: Name = Field(description="of the weights, however they are stored")
    settings: Settings
    mixture: tuple[Component, ...] = Field(
        default=(), max_length=MAX_COMPONENTS, description="of all statistics, once collected"
    )
    survivors: tuple[Name, ...] = Field(
        default=(), max_length=1000, description="whose masked updates are in the sum"
    )
    clusters: tuple[ClusterNotice, ...] = Field(
        default=(), max_length=MAX_CLUSTERS, description="none: everybody is given ``model``"
    )

    @model_validator(mode="after")
    def _members_are_told_once(self) -> Announcement:
        if len({cluster.label for cluster in self.clusters}) < len(self.clusters):
            raise ValueError("two clusters have the same label")
        members = [name for cluster in self.clusters for name in cluster.members]
        if len(members) > MAX_MEMBERS or len(set(members)) < len(members):
            raise ValueError("clusters: somebody is in two of them, or they are too many")
        return self

    def seen_by(self, participant: str) -> Announcement | None:
        """What concerns one participant; ``model`` is its cluster's, ``clusters`` that alone.

        None: there are clusters, and it is in none of them yet.
        """
        if not self.clusters:
            return self
        own = next((one for one in self.clusters if participant in one.members), None)
        if own is None:
            return None
        mine = {"model": own.model, "fingerprint": own.fingerprint, "clusters": (own,)}
        return self.model_copy(update=mine)

    @property
    def session(self) -> str:
        """Of secure aggregation: one attempt at one round."""
        return f"{self.run}.{self.round}.{self.attempt}"


class Join(WireModel):
    """What a participant thinks of the round that was announced."""

    kind: ClassVar[str] = "join"
    round: RoundNumber
    takes_part: bool
    reason: _Text = Field(default="", description="why it does not take part")
    version: _Text = Field(description="of its software")
    objects: tuple[_Share, ...] = Field(
        default=(),
        max_length=MAX_CLASSES,
        description="share of each class among what it sees, noised; (): nothing seen, or not told",
    )

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Join:
        if self.objects and abs(sum(self.objects) - 1) > _SUM_ERROR:
            raise ValueError("objects: shares of which the sum is not 1")
        return self


class Statistics(WireModel):
    """Norms of a participant's normal segments: three numbers (CLAP, Eqs. 5 and 6)."""

    kind: ClassVar[str] = "statistics"
    round: RoundNumber
    component: Component


class UpdateOffer(WireModel):
    """A result that waits to be fetched."""

    kind: ClassVar[str] = "update"
    round: RoundNumber
    update: Name = Field(description="its id: the same at every repetition")
    fingerprint: Name = Field(description="of the model that it was trained on")
    num_examples: _Count
    blob: Blob


class Missing(WireModel):
    """Bytes of a blob that the receiver lacks: half-open ranges, a part of all that is missing."""

    kind: ClassVar[str] = "missing"
    blob: Sha256
    ranges: Annotated[
        tuple[tuple[Annotated[int, Field(ge=0)], int], ...],
        Field(min_length=1, max_length=MAX_RANGES),
    ]

    @model_validator(mode="after")
    def _not_empty(self) -> Missing:
        if not all(start < end <= MAX_BLOB_BYTES for start, end in self.ranges):
            raise ValueError("a range ends where it begins, or beyond all blobs")
        return self


class Accepted(WireModel):
    """The update is on the aggregator's disk and will count, once."""

    kind: ClassVar[str] = "accepted"
    round: RoundNumber
    update: Name


class Refused(WireModel):
    """Something was not taken; ``update`` is given where that is final for this update."""

    kind: ClassVar[str] = "refused"
    round: RoundNumber = Field(description="the running one")
    update: Name | None = None
    reason: _Text


UP = {kind.kind: kind for kind in (Join, Statistics, UpdateOffer, Missing)}
"""What a participant may say, besides what ``edge.wire.masks`` adds."""

_Kind = TypeVar("_Kind", bound=WireModel)


def encode_message(message: WireModel) -> bytes:
    """As JSON."""
    return message.model_dump_json().encode()


def decode_message(payload: bytes, of: type[_Kind]) -> _Kind:
    """Parse untrusted bytes; MalformedMessageError where they are no message of this kind."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MalformedMessageError(f"{len(payload)} bytes: at most {MAX_MESSAGE_BYTES}")
    try:
        return of.model_validate_json(payload)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = printable(".".join(str(part) for part in detail["loc"])[:_SHOWN]) or "payload"
        raise MalformedMessageError(f"no {of.__name__}: {place}: {detail['msg']}") from None
