"""From a source to frames: on a thread of its own for live cameras, without one for footage.

Supervise, stamp, sample, convert, mask, judge, deliver. Frames of an unhealthy camera are
withheld, so that nothing behind this room can score them or learn from them; its state says why
they are missing. A camera's first frames after a connection are withheld too, until they have
proved good.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing

from edge.domain.frame import Frame
from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.clock import Clock, MediaClock, StreamClock
from edge.ingest.counters import Counters, FeedSnapshot
from edge.ingest.health import CELL_PX, Health, HealthLimits, State, Transition, Visible, look
from edge.ingest.latest import Mailbox
from edge.ingest.masks import PrivacyMasks
from edge.ingest.sample import Sampler
from edge.ingest.source import Picture, Source
from edge.ingest.supervise import Backoff, supervise

log = logging.getLogger(__name__)

STALE_S = 10.0  # a thread stuck for so long in a connection has lost it, whatever it believes


class CameraFeed:
    """The decoding thread of one camera; everything it can say about itself is in `snapshot`."""

    def __init__(
        self,
        source: Source,
        mailbox: Mailbox,
        *,
        camera: str,
        analysis_hz: float | None = None,
        max_width: int | None = None,
        masks: PrivacyMasks | None = None,
        limits: HealthLimits | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Nothing is opened before `start`.

        Args:
            source: where the pictures come from.
            mailbox: where healthy frames go.
            camera: the name that frames carry.
            analysis_hz: frames analysed per second; None: every one.
            max_width: of the analysed frame in pixels; None: as the camera sends.
            masks: blacked out before anything else sees a frame.
            limits: when the camera counts as frozen or covered.
            backoff: pauses between attempts to connect.

        """
        self._source = source
        self._mailbox = mailbox
        self._camera = camera
        self._max_width = max_width
        self._masks = masks or PrivacyMasks()
        self._health = Health(limits or HealthLimits())
        self._backoff = backoff or Backoff()
        self._clock = _clock_for(source, time.time())
        self._sampler = Sampler(analysis_hz)
        self._counters = Counters()
        self._visible: Visible | None = None
        self._visible_size: tuple[int, int] | None = None
        self._stop = threading.Event()
        # A daemon: FFmpeg may hold it in a dead connection for some seconds after `stop`.
        self._thread = threading.Thread(target=self._run, name=f"feed-{camera}", daemon=True)

    def start(self) -> None:
        """Start the thread; call once."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ask the thread to end and wait for it, at most ``timeout_s``."""
        self._stop.set()
        self._thread.join(timeout_s)

    def snapshot(self) -> FeedSnapshot:
        """State and counters now; safe from any thread."""
        now_s = time.monotonic()
        stale = now_s - self._counters.last_picture_s > STALE_S
        return self._counters.snapshot(
            now_s,
            state=State.OFFLINE if stale else self._health.state,
            unread=self._mailbox.unread,
            corrupt=self._source.corrupt,
        )

    def _run(self) -> None:
        try:
            self._read()
        except SourceUnusableError as error:
            log.error("camera %s: %s", self._camera, error)
            self._counters.error = str(error)
        except Exception as error:  # the thread's boundary: other cameras go on
            log.exception("camera %s stopped by an internal error", self._camera)
            self._counters.error = f"internal error: {type(error).__name__}"
        self._health, _ = self._health.lose()
        self._counters.ended = True

    def _read(self) -> None:
        pictures = supervise(
            self._source, stop=self._stop, on_lost=self._on_lost, backoff=self._backoff
        )
        with closing(pictures):
            for picture in pictures:
                self._take(picture)

    def _take(self, picture: Picture) -> None:
        self._counters.count_decoded(picture.received_s)
        time_s = _stamp(self._clock, picture)
        if not self._sampler.is_due(self._clock.elapsed_s):
            return
        self._counters.count_due(picture.received_s)
        frame = _frame(picture, self._camera, time_s, self._max_width, self._masks)
        if self._is_healthy(frame):
            self._counters.delivered += 1
            self._mailbox.put(frame)
        else:
            self._counters.unhealthy += 1

    def _is_healthy(self, frame: Frame) -> bool:
        sight = look(frame.luma, self._visible_cells(frame.width, frame.height))
        self._health, changed = self._health.step(sight, frame.time_s)
        if changed is Transition.RECOVERED:
            self._counters.error = None
        if changed is not Transition.NONE:
            log.info("camera %s is %s", self._camera, self._health.state)
        return self._health.state is State.ONLINE

    def _visible_cells(self, width: int, height: int) -> Visible | None:
        if self._visible_size != (width, height):
            self._visible_size = (width, height)
            self._visible = self._masks.visible(width // CELL_PX, height // CELL_PX)
        return self._visible

    def _on_lost(self, error: SourceUnavailableError) -> None:
        self._counters.reconnects += 1
        self._counters.error = str(error)
        self._health, changed = self._health.lose()
        if changed is Transition.LOST:
            log.info("camera %s is offline", self._camera)


def read_frames(
    source: Source,
    *,
    camera: str,
    analysis_hz: float | None = None,
    max_width: int | None = None,
    masks: PrivacyMasks | None = None,
    start_s: float = 0.0,
) -> Iterator[Frame]:
    """Every due frame of one connection, none dropped, on the caller's thread.

    Args:
        source: opened once, not retried.
        camera: the name that frames carry.
        analysis_hz: frames per second; None: every one.
        max_width: of the frames in pixels; None: as the source gives.
        masks: blacked out.
        start_s: ``time_s`` of the first frame, unless the source is live.

    Raises:
        SourceError: the source cannot be read.

    """
    clock, sampler = _clock_for(source, start_s), Sampler(analysis_hz)
    masks = masks or PrivacyMasks()
    index = 0
    with closing(source.pictures(threading.Event())) as pictures:
        for picture in pictures:
            time_s = _stamp(clock, picture)
            if sampler.is_due(clock.elapsed_s):
                yield _frame(picture, camera, time_s, max_width, masks, index)
                index += 1


def _clock_for(source: Source, start_s: float) -> Clock:
    return StreamClock() if source.live else MediaClock(start_s)


def _stamp(clock: Clock, picture: Picture) -> float:
    age_s = time.monotonic() - picture.received_s
    return clock.stamp(picture.media_s, received_s=picture.received_s, wall_s=time.time() - age_s)


def _frame(
    picture: Picture,
    camera: str,
    time_s: float,
    max_width: int | None,
    masks: PrivacyMasks,
    index: int = 0,  # the mailbox numbers what is taken from it
) -> Frame:
    planes = picture.planes(max_width)
    masks.apply(planes)
    return Frame(camera, index, time_s, picture.received_s, planes)
