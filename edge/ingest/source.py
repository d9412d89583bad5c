"""The port of the ingest room: what a camera, a file or a generator of pictures looks like.

A source opens *one* connection and yields light pictures until the footage ends or the connection
fails; retrying is the supervisor's job, stamping the clock's, choosing which pictures are analysed
the sampler's. Only a chosen picture is ever converted.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from edge.domain.frame import Bytes2d


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source delivers, as seen on its first picture."""

    width: int  # pixels, before scaling to the analysis size
    height: int
    rate_hz: float | None  # nominal pictures per second; None: the stream does not say
    codec: str  # "h264", "hevc", "mjpeg", "images", ...


class Picture(ABC):
    """One decoded picture, not yet converted.

    ``media_s`` is its time on the source's own clock in seconds, None where the source has none;
    ``received_s`` is ``time.monotonic()`` when it left the decoder, or when paced footage was due.
    """

    __slots__ = ("media_s", "received_s")

    def __init__(self, media_s: float | None, received_s: float) -> None:
        self.media_s = media_s
        self.received_s = received_s

    @abstractmethod
    def planes(self, max_width: int | None) -> Bytes2d:
        """Convert to I420, (height * 3 / 2, width), both even; a fresh array that may be changed.

        Scaled down to ``max_width`` pixels with the aspect kept; never scaled up; None: full size.
        """


Pictures: TypeAlias = Generator[Picture, None, None]


class Source(ABC):
    """A camera, a file, a folder or a generator of pictures.

    ``name`` stands for it in every message and never holds a password. ``live`` says that
    pictures arrive at the pace of the world, so that their arrival tells the wall-clock time;
    otherwise they come as fast as they can be read and only ``media_s`` tells the time.
    """

    def __init__(self, name: str, *, live: bool) -> None:
        self.name = name
        self.live = live
        self.corrupt = 0  # damaged pictures skipped so far, over all connections
        self.info: SourceInfo | None = None  # known from the first picture on

    @abstractmethod
    def pictures(self, stop: threading.Event) -> Pictures:
        """Open one connection and yield its pictures; returns when the footage ends for good.

        Close the iterator to close the connection. It also returns soon after ``stop`` is set.

        Raises:
            SourceUnavailableError: the connection failed; another attempt may succeed.
            SourceUnusableError: no attempt ever will.

        """


def analysis_size(width: int, height: int, max_width: int | None) -> tuple[int, int]:
    """Even (width, height) of at most ``max_width``, aspect kept, never larger than the input."""
    if max_width is None or width & ~1 <= max_width:
        return max(width & ~1, 2), max(height & ~1, 2)
    scaled_width = max(max_width & ~1, 2)
    scaled_height = round(height * scaled_width / width)
    return scaled_width, max(scaled_height & ~1, 2)
