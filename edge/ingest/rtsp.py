"""Network cameras: H.264 or H.265 over RTSP."""

from __future__ import annotations

import time
from typing import Literal

import av
from av.container import InputContainer

from edge.errors import SourceUnavailableError
from edge.ingest.decode import DecodedCamera, reason
from edge.ingest.redact import redact

Transport = Literal["tcp", "udp"]

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 4.0  # FFmpeg's own check keeps it to within a tenth of a second

# A camera describes its stream before it sends it: half a second of probing finds the rest,
# FFmpeg's default takes almost three. Audio is never asked for: it would also keep a connection
# that has lost its video from timing out.
_OPTIONS = {"analyzeduration": "500000", "fpsprobesize": "0", "allowed_media_types": "video"}


class RtspSource(DecodedCamera):
    """A camera at an ``rtsp://`` address."""

    def __init__(
        self,
        url: str,
        *,
        transport: Transport = "tcp",
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        super().__init__(redact(url), live=True)
        self._url = url
        self._transport = transport
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s

    def open(self) -> InputContainer:
        """Connect and start the stream; at most twice ``open_timeout_s``."""
        start_s = time.monotonic()
        try:
            return av.open(
                self._url,
                options={"rtsp_transport": self._transport, **_OPTIONS},
                timeout=(self._open_timeout_s, self._read_timeout_s),
            )
        except av.FFmpegError as error:
            why = reason(error)
            if time.monotonic() - start_s >= self._open_timeout_s:  # then FFmpeg's word is no help
                why = f"no answer within {self._open_timeout_s:.0f} s"
            raise SourceUnavailableError(
                f"{self.name} cannot be opened: {why}{_hint(error)}"
            ) from None

    def lost(self, error: av.FFmpegError | None) -> str:
        """See `DecodedCamera.lost`."""
        if error is None:
            return "the camera closed the connection"
        if isinstance(error, av.error.ExitError | TimeoutError):
            return f"no data for {self._read_timeout_s:.0f} s"
        return reason(error)


def _hint(error: av.FFmpegError) -> str:
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return ": check user and password"
        case av.error.HTTPNotFoundError():
            return ": check the path of the address"
    return ""
