"""The short messages: how a camera is, whether it is analysed, its latest score."""

from __future__ import annotations

import json
from enum import StrEnum

from edge.errors import MalformedMessageError

ON, OFF = b"ON", b"OFF"
AVAILABLE, GONE, STOPPED = b"online", b"offline", b"stopped"  # of a host; GONE is the last will


class CameraStatus(StrEnum):
    """The payload of ``<p>/<host>/<camera>/status``."""

    ONLINE = "online"
    OFFLINE = "offline"
    FROZEN = "frozen"  # the same picture again and again
    COVERED = "covered"  # dark or without structure
    DISABLED = "disabled"  # switched off through detect/set
    LEARNING = "learning"  # no normality yet: frames are watched, not judged


def encode_status(status: CameraStatus) -> bytes:
    """The bare word."""
    return status.value.encode()


def decode_status(payload: bytes) -> CameraStatus:
    """Parse untrusted bytes; MalformedMessageError for anything but a known word."""
    for status in CameraStatus:
        if payload == status.value.encode():
            return status
    raise MalformedMessageError(f"no camera status: {payload[:32]!r}")


def encode_switch(on: bool) -> bytes:
    """``ON`` or ``OFF``."""
    return ON if on else OFF


def decode_command(payload: bytes) -> bool:
    """Parse untrusted bytes of ``detect/set``: exactly ``ON`` or ``OFF``, nothing else."""
    if payload not in (ON, OFF):
        raise MalformedMessageError(f"a switch takes ON or OFF, not {payload[:32]!r}")
    return payload == ON


def encode_score(score: float, *, time_s: float, student: float | None = None) -> bytes:
    """``{"score": 2.113, "time": 1607123955.475377}``; ``score`` in decades of surprise.

    Where a student looks at the scene, ``"student"`` is its own score of the latest segment.
    """
    message = {"score": round(score, 3), "time": round(time_s, 6)}
    if student is not None:
        message["student"] = round(student, 6)
    return json.dumps(message, allow_nan=False).encode()
