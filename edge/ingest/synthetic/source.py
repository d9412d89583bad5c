"""The street as a source of the ingest room, and its address.

``synthetic:KIND?key=value&...``, for example
``synthetic:precinct?seed=1&anomalies=running,cycling`` or
``synthetic:road?planted=wrong_way@20,running@45&fps=15``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl

from edge.domain.frame import Bytes2d
from edge.errors import ConfigError, SourceUnusableError
from edge.ingest.convert import ImagePicture
from edge.ingest.pace import Pace
from edge.ingest.source import Picture, Pictures, Source, SourceInfo
from edge.ingest.synthetic.behaviour import Anomaly
from edge.ingest.synthetic.street import Shot, Street, StreetOptions
from edge.ingest.synthetic.world import Planted


class SyntheticSource(Source):
    """A street, ``paced`` like a camera or as fast as possible; it begins anew when reopened."""

    def __init__(self, options: StreetOptions, *, paced: bool = True) -> None:
        super().__init__(f"synthetic:{options.kind}", live=paced)
        try:
            self._street = Street(options)
        except ConfigError as error:
            raise SourceUnusableError(str(error)) from None
        self._paced = paced

    def pictures(self, stop: threading.Event) -> Pictures:
        """See `Source.pictures`; a picture that is not analysed is not drawn either."""
        options, pace = self._street.options, Pace(stop)
        self.info = SourceInfo(options.width_px, options.height_px, options.fps, "synthetic")
        for shot in self._street.shots():
            due_s = pace.wait_for(shot.truth.time_s) if self._paced else time.monotonic()
            if stop.is_set():
                return
            yield ShotPicture(shot, due_s)


class ShotPicture(Picture):
    """A frame of the street that is drawn when it is converted; ``truth`` is what it shows."""

    __slots__ = ("_shot", "truth")

    def __init__(self, shot: Shot, received_s: float) -> None:
        super().__init__(shot.truth.time_s, received_s)
        self._shot = shot
        self.truth = shot.truth

    def planes(self, max_width: int | None) -> Bytes2d:
        """See `Picture.planes`."""
        return ImagePicture(self._shot.draw(), self.media_s, self.received_s).planes(max_width)


def parse_street(address: str) -> StreetOptions:
    """The options in ``KIND?key=value&...``, with or without ``synthetic:`` before it.

    Keys: seed, scene, size (WxH), fps, duration (s), anomalies (comma between), per_minute,
    normal (s), planted (NAME@SECOND, comma between). Raises SourceUnusableError for an unknown
    key and for a value that does not fit.
    """
    kind, _, query = address.removeprefix("synthetic:").partition("?")
    values: dict[str, Any] = {"kind": kind or "precinct"}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in _KEYS:
            raise SourceUnusableError(
                f"synthetic street: no option {key!r}; known are {', '.join(_KEYS)}"
            )
        try:
            values |= _KEYS[key](text)
        except ValueError:
            raise SourceUnusableError(f"synthetic street: {key}={text} does not fit") from None
    return StreetOptions(**values)


def _size(text: str) -> dict[str, Any]:
    width, height = text.split("x")
    return {"width_px": int(width), "height_px": int(height)}


def _planted(text: str) -> dict[str, Any]:
    # Street checks the names, as it does those of its other options
    pairs = (each.split("@") for each in text.split(","))
    return {"planted": tuple(Planted(cast(Anomaly, name), float(start)) for name, start in pairs)}


_KEYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "seed": lambda text: {"seed": int(text)},
    "scene": lambda text: {"scene_seed": int(text)},
    "size": _size,
    "fps": lambda text: {"fps": float(text)},
    "duration": lambda text: {"duration_s": float(text)},
    "anomalies": lambda text: {"anomalies": tuple(text.split(","))},
    "per_minute": lambda text: {"anomalies_per_minute": float(text)},
    "normal": lambda text: {"normal_s": float(text)},
    "planted": _planted,
}
