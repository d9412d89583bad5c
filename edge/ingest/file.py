"""Recorded footage: anything that FFmpeg reads."""

from __future__ import annotations

import threading
from pathlib import Path

import av
from av.container import InputContainer

from edge.errors import SourceUnusableError
from edge.ingest.decode import DecodedSource, reason
from edge.ingest.pace import Pace
from edge.ingest.source import Pictures

ASSUMED_RATE_HZ = 25.0  # of bare streams, which carry no times


class FileSource(DecodedSource):
    """A video file: ``paced`` like a camera or as fast as possible; ``loop`` for ever or once."""

    def __init__(self, path: Path, *, paced: bool = False, loop: bool = False) -> None:
        super().__init__(str(path), live=paced)
        self._path = path
        self._paced = paced
        self._loop = loop

    def open(self) -> InputContainer:
        """Open the file; see `DecodedSource.open`."""
        if not self._path.is_file():
            raise SourceUnusableError(f"{self.name} is no file: check the path")
        try:
            return av.open(str(self._path))
        except av.FFmpegError as error:
            raise self._unusable(error) from None

    def pictures(self, stop: threading.Event) -> Pictures:
        """See `Source.pictures`; with ``loop`` the media time starts anew at each round."""
        empty = True
        while not stop.is_set():
            for picture in self._once(stop):
                empty = False
                yield picture
            if empty and not stop.is_set():
                raise SourceUnusableError(f"{self.name} holds no intact picture")
            if not self._loop:
                return

    def _once(self, stop: threading.Event) -> Pictures:
        pace = Pace(stop)
        with self.open() as container:
            try:
                for number, picture in enumerate(self.decode(container, stop)):
                    if picture.media_s is None:
                        picture.media_s = number / ASSUMED_RATE_HZ
                    if self._paced:
                        picture.received_s = pace.wait_for(picture.media_s)
                        if stop.is_set():
                            return  # before it was due
                    yield picture
            except av.FFmpegError as error:
                raise self._unusable(error) from None

    def _unusable(self, error: av.FFmpegError) -> SourceUnusableError:
        return SourceUnusableError(
            f"{self.name} cannot be read as video: {reason(error)}; convert it or replace it"
        )
