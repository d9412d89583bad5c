"""Cameras plugged into this machine (Video4Linux)."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from edge.errors import SourceUnavailableError
from edge.ingest.decode import DecodedCamera, reason


class WebcamSource(DecodedCamera):
    """The camera at a device path or index: ``/dev/video0`` or ``0``.

    A camera that is absent is unavailable, not unusable: it may be plugged in later.
    """

    def __init__(self, device: str | int) -> None:
        text = str(device)
        self._path = Path(f"/dev/video{text}" if text.isdecimal() else text)
        super().__init__(str(self._path), live=True)

    def open(self) -> InputContainer:
        """Open the device; see `DecodedSource.open`."""
        if not self._path.exists():
            raise SourceUnavailableError(
                f"no camera at {self.name}: plug it in, or name one of /dev/video*"
            )
        try:
            return av.open(str(self._path), format="v4l2")
        except av.FFmpegError as error:
            raise SourceUnavailableError(
                f"{self.name} cannot be opened: {reason(error)};"
                " another program may be using it, or the user may not be in the group video"
            ) from None

    def lost(self, error: av.FFmpegError | None) -> str:
        """See `DecodedCamera.lost`; a camera that stops sending was unplugged."""
        return "unplugged" if error is None else reason(error)
