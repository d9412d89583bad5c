"""Figures of a running host: ``<p>/<host>/stats``, JSON in UTF-8."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import MalformedMessageError
from edge.wire.states import CameraStatus

MAX_STATS_BYTES = 256 * 1024


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CameraStats(_Figures):
    """One camera: counts since the process began, latencies of its last few thousand frames."""

    camera: str
    status: CameraStatus
    learnt_share: float | None = Field(
        default=None, ge=0, le=1, description="of the learning period; null: it judges"
    )
    stream_hz: float = Field(ge=0, description="frames that arrived per second")
    analysed_hz: float = Field(ge=0, description="frames scored or learnt from per second")
    dropped: dict[str, int] = Field(description="frames lost, by cause")
    reconnects: int = Field(ge=0)
    latency_p50_ms: float | None = Field(description="capture to score; null: nothing scored")
    latency_p99_ms: float | None
    open_events: int = Field(ge=0)
    stored_clips: int = Field(default=0, ge=0, description="kept on the host to learn from")
    stored_bytes: int = Field(default=0, ge=0)
    embeddings: int = Field(default=0, ge=0, description="objects that a word model looked at")
    embeddings_dropped: int = Field(
        default=0, ge=0, description="looks that were left out: words.embeddings_per_s was spent"
    )
    embeddings_failed: int = Field(
        default=0, ge=0, description="looks that gave nothing: the word model did not run"
    )


class HostStats(_Figures):
    """One host."""

    time: float = Field(description="seconds since the epoch")
    uptime_s: float = Field(ge=0)
    model_version: str
    rss_bytes: int = Field(ge=0)
    stages_ms: dict[str, float] = Field(description="mean per frame, by stage")
    counters: dict[str, int] = Field(description="alerts pending, sent, dropped, refused, ...")
    problems: list[str] = Field(description="what an operator should mend, in words")
    learning: str = Field(default="", description="what the learning process does, in words")
    cameras: list[CameraStats]


def encode_stats(stats: HostStats) -> bytes:
    """As JSON."""
    return stats.model_dump_json().encode()


def decode_stats(payload: bytes) -> HostStats:
    """Parse untrusted bytes; MalformedMessageError where they are no such message."""
    if len(payload) > MAX_STATS_BYTES:
        raise MalformedMessageError(f"stats of {len(payload)} bytes: at most {MAX_STATS_BYTES}")
    try:
        return HostStats.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedMessageError(f"no stats message: {error.error_count()} mistakes") from None
