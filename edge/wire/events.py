"""Event messages: ``<p>/<host>/events``, JSON in UTF-8, in the shape of Frigate's events.

``{"type": "new" | "update" | "end", "age": 0.4, "before": {...}, "after": {...}}``

``before`` is the state that was announced last, ``after`` the present one; they are equal in a
``new``. An event is announced as one ``new``, any number of ``update`` and one ``end``, all with
the same ``id``, in this order. Delivery is at least once: the same ``id``, ``type`` and
``frame_time`` may come twice. ``age`` is how old the state was when it was sent, in seconds: after
an outage events are late, not new, and a consumer may drop what is too old for it.

The fields of a state, and their units, are those of ``EventState``; ``event_json_schema`` gives
them as JSON Schema. Numbers are finite; times have microseconds, scores three decimals, boxes one.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.domain.alert import Event, Transition, TransitionKind
from edge.errors import MalformedMessageError

MAX_EVENT_BYTES = 64 * 1024  # far above any real event, far below what hurts to parse
_TIME_DECIMALS = 6
_SCORE_DECIMALS = 3
_BOX_DECIMALS = 1

_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Text = Annotated[str, Field(max_length=1024)]
_Box = tuple[float, float, float, float]


class _WireModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class EventState(_WireModel):
    """One event at one moment."""

    id: _Name = Field(description="the same in every message of an event; sorts by start time")
    camera: _Name
    label: _Name = Field(description="class of the object, or 'scene'")
    start_time: float = Field(description="seconds since the epoch, of the first unusual frame")
    end_time: float | None = Field(description="of the last unusual frame; null while open")
    frame_time: float = Field(description="of the frame that this state belongs to")
    score: float = Field(description="latest, in decades of surprise: 3 is one in a thousand")
    top_score: float = Field(description="highest so far")
    threshold: float = Field(description="what the score had to reach")
    box: _Box = Field(description="x1, y1, x2, y2 in pixels of the analysed frame")
    frame_size: tuple[int, int] = Field(description="width, height of the analysed frame")
    track_ids: tuple[int, ...] = Field(max_length=256)
    entered_zones: tuple[_Name, ...] = Field(max_length=256)
    reason: _Text = Field(description="the feature that departed from normal, in words")
    has_snapshot: bool
    snapshot: _Name | None = Field(description="file name on the host")
    model_version: _Text


class EventMessage(_WireModel):
    """The payload of ``<p>/<host>/events``."""

    type: Annotated[TransitionKind, Field(strict=False)]
    age: float = Field(ge=0, description="seconds from frame_time to when this was sent")
    before: EventState
    after: EventState


def event_json_schema() -> dict[str, Any]:
    """The JSON Schema of a message, for integrators."""
    return EventMessage.model_json_schema()


def encode_event(transition: Transition, *, age_s: float) -> bytes:
    """A transition as JSON; ``age_s`` below 0 (a clock was set back) is sent as 0."""
    message = EventMessage(
        type=transition.kind,
        age=round(max(age_s, 0.0), _SCORE_DECIMALS),
        before=_state(transition.before),
        after=_state(transition.after),
    )
    return message.model_dump_json().encode()


def decode_event(payload: bytes) -> Transition:
    """Parse untrusted bytes; MalformedMessageError where they are no event message."""
    if len(payload) > MAX_EVENT_BYTES:
        raise MalformedMessageError(f"event of {len(payload)} bytes: at most {MAX_EVENT_BYTES}")
    try:
        message = EventMessage.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedMessageError(f"not an event message: {_first(error)}") from None
    return Transition(message.type, _event(message.before), _event(message.after))


def _first(error: ValidationError) -> str:
    """Where the first mistake is and what it is, without the offending input."""
    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in detail["loc"]) or "payload"
    return f"{place}: {detail['msg']}"


def _state(event: Event) -> EventState:
    x1, y1, x2, y2 = (round(side, _BOX_DECIMALS) for side in event.box_xyxy)
    end = event.end_time_s
    return EventState(
        id=event.id,
        camera=event.camera,
        label=event.label,
        start_time=round(event.start_time_s, _TIME_DECIMALS),
        end_time=None if end is None else round(end, _TIME_DECIMALS),
        frame_time=round(event.updated_time_s, _TIME_DECIMALS),
        score=round(event.score, _SCORE_DECIMALS),
        top_score=round(event.top_score, _SCORE_DECIMALS),
        threshold=round(event.threshold, _SCORE_DECIMALS),
        box=(x1, y1, x2, y2),
        frame_size=event.frame_size_px,
        track_ids=event.track_ids,
        entered_zones=event.zones,
        reason=event.reason,
        has_snapshot=event.snapshot is not None,
        snapshot=event.snapshot,
        model_version=event.model_version,
    )


def _event(state: EventState) -> Event:
    return Event(
        id=state.id,
        camera=state.camera,
        label=state.label,
        start_time_s=state.start_time,
        updated_time_s=state.frame_time,
        end_time_s=state.end_time,
        score=state.score,
        top_score=state.top_score,
        threshold=state.threshold,
        box_xyxy=state.box,
        frame_size_px=state.frame_size,
        track_ids=state.track_ids,
        zones=state.entered_zones,
        reason=state.reason,
        snapshot=state.snapshot,
        model_version=state.model_version,
    )
