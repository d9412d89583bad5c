"""Where messages live on the broker.

=================================  ========  =====================================================
topic                              retained  payload
=================================  ========  =====================================================
``<p>/<host>/available``           yes       ``online``, ``offline`` (last will), ``stopped``
``<p>/<host>/stats``               no        ``edge.wire.stats``
``<p>/<host>/events``              never     ``edge.wire.events``
``<p>/<host>/<camera>/status``     yes       ``edge.wire.states.CameraStatus``
``<p>/<host>/<camera>/anomaly``    yes       ``ON`` while an event is open, else ``OFF``
``<p>/<host>/<camera>/score``      no        ``edge.wire.states.encode_score``, QoS 0, at most 1 Hz
``<p>/<host>/<camera>/snapshot``   no        JPEG, only where the operator turned it on
``<p>/<host>/<camera>/detect/set``  no       ``ON`` or ``OFF``: a command to this host
``<p>/<host>/<camera>/detect/state`` yes     ``ON`` or ``OFF``
``<p>/<host>/<camera>/guidance/set``  no      ``edge.wire.guidance``: a command to this host
``<p>/<host>/<camera>/guidance/state`` yes   ``edge.wire.guidance``: the words that it goes by
``<p>/<host>/words/...``           no        ``edge.wire.words``: sentences to be embedded elsewhere
=================================  ========  =====================================================

A prefix may have slashes of its own; a whole topic has at most 7 (the limit of AWS IoT Core).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import ConfigError

MAX_SLASHES = 7
_DEEPEST = 4  # slashes that follow the prefix in <p>/<host>/<camera>/detect/set
_ID = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED = frozenset(
    {"available", "stats", "events", "words"}
)  # a camera must not look like these


def check_id(name: str, what: str) -> str:
    """Return ``name`` if it may stand between two slashes; ConfigError otherwise."""
    if not _ID.fullmatch(name):
        raise ConfigError(f"{what} {name!r} is no MQTT name: use letters, digits, '_' and '-' only")
    return name


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one host; refuses names that would not be topics."""

    prefix: str  # "vad", "site/vad"
    host: str

    def __post_init__(self) -> None:
        for level in self.prefix.split("/"):
            check_id(level, f"level of the topic prefix {self.prefix!r}:")
        check_id(self.host, "host")
        if self.prefix.count("/") + _DEEPEST > MAX_SLASHES:
            raise ConfigError(
                f"topic prefix {self.prefix!r} is too deep: at most "
                f"{MAX_SLASHES - _DEEPEST} slashes, so that no topic has more than {MAX_SLASHES}"
            )

    @property
    def available(self) -> str:
        """Whether this host is there; retained, carries the last will."""
        return f"{self.prefix}/{self.host}/available"

    @property
    def stats(self) -> str:
        """Figures of the running process."""
        return f"{self.prefix}/{self.host}/stats"

    @property
    def events(self) -> str:
        """Every event of every camera; never retained."""
        return f"{self.prefix}/{self.host}/events"

    def status(self, camera: str) -> str:
        """How the camera is; retained."""
        return self._of(camera, "status")

    def anomaly(self, camera: str) -> str:
        """``ON`` while an event is open; retained."""
        return self._of(camera, "anomaly")

    def score(self, camera: str) -> str:
        """The latest score."""
        return self._of(camera, "score")

    def snapshot(self, camera: str) -> str:
        """Pictures of events."""
        return self._of(camera, "snapshot")

    def detect_set(self, camera: str) -> str:
        """Where others switch the camera's analysis on and off."""
        return self._of(camera, "detect/set")

    def detect_state(self, camera: str) -> str:
        """Whether the camera is analysed; retained."""
        return self._of(camera, "detect/state")

    def guidance_set(self, camera: str) -> str:
        """Where others say in words what is normal for the camera."""
        return self._of(camera, "guidance/set")

    def guidance_state(self, camera: str) -> str:
        """The words that the camera goes by; retained."""
        return self._of(camera, "guidance/state")

    def _of(self, camera: str, leaf: str) -> str:
        check_id(camera, "camera")
        if camera in _RESERVED:
            raise ConfigError(f"camera {camera!r}: the name is taken by a topic of the host")
        return f"{self.prefix}/{self.host}/{camera}/{leaf}"
