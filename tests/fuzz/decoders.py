"""Every door through which untrusted bytes come in; a new one is one more line."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from edge.domain.guidance import Polarity
from edge.domain.shamir import SHARE_BYTES
from edge.wire.chunks import Assembly, blob_of
from edge.wire.compression import SCHEMES, decode_delta, encode_delta
from edge.wire.envelope import ReplayGuard, open_sealed
from edge.wire.events import decode_event, encode_event
from edge.wire.guidance import (
    Command,
    GuidanceState,
    Instruction,
    Standing,
    Status,
    decode_guidance,
    decode_state,
    encode_state,
)
from edge.wire.masks import SEALED_BYTES, Masked, Shares, Unmask, decode_masked, encode_masked
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Blob,
    Component,
    Join,
    Missing,
    Phase,
    Refused,
    Settings,
    Statistics,
    UpdateOffer,
    WireModel,
    decode_message,
)
from edge.wire.states import decode_command, decode_status
from edge.wire.stats import HostStats, decode_stats, encode_stats
from edge.wire.weights import decode_weights, encode_weights
from edge.wire.words import Ask, answer, decode_answer, decode_ask
from edge.wire.words import encode as encode_words
from tests.fakes.scores import story

SHAPES = {"head.weight": (4, 7), "head.bias": (4,), "scale": ()}
VALUES = np.random.default_rng(7)
WEIGHTS = {name: VALUES.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


@dataclass(frozen=True)
class Decoder:
    name: str
    decode: Callable[[bytes], object]
    seed: bytes  # a valid payload, to be mutated

    def __str__(self) -> str:
        return self.name


def _in_frame(scheme: str) -> Callable[[bytes], object]:
    """The inside of a frame: no mutation of a compressed payload gets far enough."""
    return lambda body: decode_delta(
        b"vad-delta-1 %b\n" % scheme.encode() + zstandard.compress(body), SHAPES
    )


def _message(seed: WireModel) -> Decoder:
    kind = type(seed)
    return Decoder(
        kind.__name__, lambda p: decode_message(p, kind), seed.model_dump_json().encode()
    )


def _assemble(payload: bytes) -> None:
    """The first two bytes are the offset of a chunk, the rest is the chunk."""
    with tempfile.TemporaryDirectory() as folder:
        assembly = Assembly(blob_of(bytes(20), chunk_bytes=8), Path(folder))
        assembly.add(int.from_bytes(payload[:2], "big", signed=True), payload[2:])


def _opened(payload: bytes) -> object:
    guard = ReplayGuard()
    return open_sealed(
        payload, topic="t", sender="a", keys={}, guard=guard, limit_bytes=1000, retained=False
    )


_STATS = HostStats(
    time=1.0, uptime_s=1.0, model_version="m", rss_bytes=1, stages_ms={"decode": 1.0},
    counters={"sent": 1}, problems=["none"], cameras=[],
)  # fmt: skip
_MASKED = Masked("site.3.1", np.arange(6, dtype=np.uint32))
_BLOB = Blob(id="0" * 64, size_bytes=9, chunk_bytes=3)
_SETTINGS = Settings(
    student={"head": "clap"}, spec_versions=("1",), plan={}, rule={}, compression="int8"
)
_COMPONENT = Component(mean=1.0, variance=0.5, num_segments=9)
_MESSAGES = (
    Announcement(
        run="r", round=1, phase=Phase.UPDATES, deadline_s=9.0, model=_BLOB, fingerprint="f",
        settings=_SETTINGS, mixture=(_COMPONENT,),
    ),
    Join(round=1, takes_part=False, reason="no footage", version="1.0"),
    Statistics(round=1, component=_COMPONENT),
    UpdateOffer(round=1, update="u", fingerprint="f", num_examples=3, blob=_BLOB),
    Missing(blob="0" * 64, ranges=((0, 3), (6, 9))),
    Accepted(round=1, update="u"),
    Refused(round=1, reason="late"),
    Shares(session="s", commitment=bytes(32), sealed={"b": bytes(SEALED_BYTES)}),
    Unmask(session="s", seed_shares={"b": bytes(SHARE_BYTES)}, key_shares={}),
)  # fmt: skip

_SAID = Instruction(
    text="a bicycle", polarity=Polarity.NORMAL,
    zones=("drive", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),
    hours=("22:00-06:00",),
)  # fmt: skip
_STANDING = Standing(**_SAID.model_dump(), id=_SAID.id, since=1.0, status=Status.ACTIVE)
_ASK = Ask(model="0123456789ab", text="a bicycle")

DECODERS = (
    Decoder("event", decode_event, encode_event(story()[0], age_s=1.0)),
    Decoder("status", decode_status, b"online"),
    Decoder("command", decode_command, b"ON"),
    Decoder("stats", decode_stats, encode_stats(_STATS)),
    Decoder("weights", lambda p: decode_weights(p, SHAPES), encode_weights(WEIGHTS)),
    Decoder("any weights", decode_weights, encode_weights(WEIGHTS, metadata={"format": "pt"})),
    *(
        Decoder(f"delta {name}", lambda p: decode_delta(p, SHAPES), encode_delta(WEIGHTS, name))
        for name in SCHEMES
    ),
    *(
        Decoder(f"body {name}", _in_frame(name), scheme.pack(WEIGHTS))
        for name, scheme in SCHEMES.items()
    ),
    Decoder("chunk", _assemble, bytes([0, 8]) + bytes(8)),
    *map(_message, _MESSAGES),
    Decoder("masked update", lambda p: decode_masked(p, size=6), encode_masked(_MASKED)),
    Decoder("guidance", decode_guidance, Command(add=_SAID).model_dump_json().encode()),
    Decoder("guidance state", decode_state, encode_state(GuidanceState(guidance=(_STANDING,)))),
    Decoder("question", decode_ask, encode_words(_ASK)),
    Decoder("answer", decode_answer, encode_words(answer(_ASK, np.full(4, 0.5, np.float32)))),
    Decoder("envelope", _opened, b"VAE1" + bytes([1, 1]) + bytes(20) + b"ak" + bytes(64)),
)
