"""What the sources that FFmpeg reads have in common: open, demux, decode, survive damage."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from contextlib import suppress

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.convert import VideoPicture
from edge.ingest.source import Pictures, Source, SourceInfo

UNDECODABLE_S = 30.0  # packets without a picture for so long: longer than any sane key-frame gap


class DecodedSource(Source):
    """A source that FFmpeg opens. Subclasses say what to open and what an end means.

    No error of FFmpeg's is passed on or chained: they carry the address with its password.
    Decoding uses one thread without look-ahead: frame threads would add their number of frames
    to the latency, and many cameras keep the cores busy without them.
    """

    @abstractmethod
    def open(self) -> InputContainer:
        """Open the container once; raises what `pictures` raises."""

    def decode(self, container: InputContainer, stop: threading.Event) -> Pictures:
        """Yield every intact picture; returns when the container ends or ``stop`` is set."""
        stream = self._video_stream(container)
        last_s = time.monotonic()
        for packet in container.demux(stream):
            for frame in self._intact_frames(packet):
                self.info = self.info or _info(stream, frame)
                yield VideoPicture(frame, frame.time, time.monotonic())
                last_s = time.monotonic()  # a reader that took its time is no silent stream
            if stop.is_set():
                return
            if time.monotonic() - last_s > UNDECODABLE_S:
                raise SourceUnavailableError(
                    f"{self.name} sends data but no whole picture for {UNDECODABLE_S:.0f} s:"
                    " check the camera's codec and the network"
                )

    def _video_stream(self, container: InputContainer) -> VideoStream:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise SourceUnusableError(
                f"{self.name} has no video that can be decoded: H.264 and H.265 always can"
            )
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        return stream

    def _intact_frames(self, packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
        """Decode a packet; damaged pictures are counted and left out."""
        frames: list[av.VideoFrame] = []
        try:
            frames = packet.decode()
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.corrupt += 1
        intact = [frame for frame in frames if not frame.is_corrupt]
        self.corrupt += len(frames) - len(intact)
        return intact


class DecodedCamera(DecodedSource):
    """A camera that FFmpeg opens: it never ends, it only fails."""

    @abstractmethod
    def lost(self, error: av.FFmpegError | None) -> str:
        """Say why the stream ended; None: without an error."""

    def pictures(self, stop: threading.Event) -> Pictures:
        """See `Source.pictures`; whatever ends the stream but ``stop`` is a lost connection."""
        with self.open() as container:
            try:
                yield from self.decode(container, stop)
            except av.FFmpegError as error:
                raise SourceUnavailableError(f"{self.name} was lost: {self.lost(error)}") from None
        if not stop.is_set():
            raise SourceUnavailableError(f"{self.name} was lost: {self.lost(None)}")

    def _video_stream(self, container: InputContainer) -> VideoStream:
        try:
            return super()._video_stream(container)
        except SourceUnusableError as error:  # a camera that boots has no video yet
            raise SourceUnavailableError(str(error)) from None


def reason(error: av.FFmpegError) -> str:
    """FFmpeg's words for what went wrong, without the address that its own text would carry."""
    return str(error.strerror)


def _info(stream: VideoStream, frame: av.VideoFrame) -> SourceInfo:
    rate = None
    with suppress(ValueError):  # a stream that claims an absurd rate has none
        rate = stream.average_rate or stream.guessed_rate
    codec = stream.codec_context.name
    return SourceInfo(frame.width, frame.height, float(rate) if rate else None, codec)
