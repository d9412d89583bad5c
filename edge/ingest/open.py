"""From plain values to a source, and a look at what it delivers."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.file import FileSource
from edge.ingest.images import ImagesSource
from edge.ingest.redact import redact
from edge.ingest.rtsp import RtspSource, Transport
from edge.ingest.source import Source, SourceInfo
from edge.ingest.webcam import WebcamSource

Kind = Literal["rtsp", "file", "images", "webcam"]

DEFAULT_IMAGE_RATE_HZ = 10.0
RTSP_SCHEMES = ("rtsp", "rtsps")


def open_source(
    kind: Kind,
    uri: str,
    *,
    transport: Transport = "tcp",
    paced: bool = False,
    loop: bool = False,
    rate_hz: float = DEFAULT_IMAGE_RATE_HZ,
) -> Source:
    """Make the source; nothing is opened before its pictures are asked for.

    Args:
        kind: what ``uri`` is: an RTSP address, a video file, a folder of images, a device.
        uri: the address, path, or device (``/dev/video0`` or ``0``).
        transport: of RTSP only.
        paced: files and images at the pace of the world instead of as fast as possible.
        loop: a file that starts again when it ends.
        rate_hz: of images only, pictures per second.

    Raises:
        SourceUnusableError: an RTSP address that is none.

    """
    match kind:
        case "rtsp":
            _check_address(uri)
            return RtspSource(uri, transport=transport)
        case "file":
            return FileSource(Path(uri), paced=paced, loop=loop)
        case "images":
            return ImagesSource(Path(uri), rate_hz=rate_hz, paced=paced)
        case "webcam":
            return WebcamSource(uri)


def probe(source: Source) -> SourceInfo:
    """Open the source once, read one picture, close it; bounded by the source's timeouts.

    Raises:
        SourceError: it cannot be read; the message says why.

    """
    with closing(source.pictures(threading.Event())) as pictures:
        if next(pictures, None) is None or source.info is None:
            raise SourceUnavailableError(f"{source.name} delivered no picture")
        return source.info


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in RTSP_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        usable = False
    if not usable:
        raise SourceUnusableError(
            f"{redact(url)} is no RTSP address: write rtsp://user:password@host:554/path"
        )
