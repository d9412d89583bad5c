"""An event: one anomaly of one camera, from the frame that raised it to the one that cleared it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

BoxXyxy = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Event:
    """One anomaly as it stands at ``updated_time_s``. All times are of frames, not of a clock."""

    id: str  # see ``event_id``: sortable by time, safe in a file name
    camera: str
    label: str  # the detector's class name, or "scene"
    start_time_s: float  # the first frame above the threshold, seconds since the epoch
    updated_time_s: float  # the frame that this state belongs to
    end_time_s: float | None  # the last frame that was still unusual; None while the event is open
    score: float  # the latest, in decades of surprise
    top_score: float  # the highest so far
    threshold: float  # what the score had to reach
    box_xyxy: BoxXyxy  # the latest place, pixels of the analysed frame
    frame_size_px: tuple[int, int]  # width, height of the analysed frame
    track_ids: tuple[int, ...]  # the tracks that took part, oldest first; none for the scene
    zones: tuple[str, ...]  # every zone that the event has touched, in order of entry
    reason: str  # why, at the top score: "speed 4.1 heights/s, usual ≤ 1.6"
    snapshot: str | None  # file name in the snapshot folder
    model_version: str


class TransitionKind(StrEnum):
    """What happened to an event; the values are those of the wire."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an event that the world should hear of; ``before`` is what it heard last."""

    kind: TransitionKind
    before: Event  # the same as ``after`` for NEW
    after: Event


def event_id(*, camera: str, start_time_s: float, track_id: int | None) -> str:
    """``1607123955.475377-a1b2c3``: the start time, then a digest of where and who.

    The same footage gives the same id, so nothing is announced twice when it is analysed again;
    the zero-padded time makes ids sort by age.
    """
    origin = f"{camera}/{start_time_s!r}/{track_id}".encode()
    return f"{start_time_s:017.6f}-{hashlib.blake2s(origin, digest_size=3).hexdigest()}"
