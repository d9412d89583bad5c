"""The analysing thread: takes frames of its cameras in turn, ends in alerts that are on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from edge.alerts.desk import AlertDesk
from edge.domain.frame import Frame
from edge.ingest.latest import Mailroom
from edge.perception.perception import Percept, Perception
from edge.vitals import Latencies, Stopwatch
from edge.watch import Watch

log = logging.getLogger(__name__)

BATCH = 8  # frames of different cameras that a network sees at once
POLL_S = 0.2  # how soon a stop is noticed


class Worker:
    """Analyses the cameras of one mailroom."""

    def __init__(
        self,
        name: str,
        mailroom: Mailroom,
        perception: Perception,
        watches: Mapping[str, Watch],
        *,
        desk: AlertDesk,
        desk_lock: threading.Lock,
        stopwatch: Stopwatch,
    ) -> None:
        self.scored = dict.fromkeys(watches, 0)
        self.latencies = {camera: Latencies() for camera in watches}
        self.problems: dict[str, str] = {}  # camera: why its frames cannot be analysed
        self._mailroom = mailroom
        self._perception = perception
        self._watches = watches
        self._desk = desk
        self._desk_lock = desk_lock
        self._stopwatch = stopwatch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Start the thread; call once."""
        self._thread.start()

    def stop(self) -> None:
        """End it after the frames in hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            frames = self._mailroom.take(limit=BATCH, timeout_s=POLL_S)
            frames = [frame for frame in frames if self._watches[frame.camera].enabled]
            for percept in self._perceive(frames):
                self._judge(percept)

    def _perceive(self, frames: Sequence[Frame]) -> list[Percept]:
        if not frames:
            return []
        try:
            with self._stopwatch.stage("perceive", len(frames)):
                return self._perception.observe(frames)
        except Exception as error:  # the thread's boundary: the next frames are tried again
            for frame in frames:
                self._note(frame.camera, error)
            return []

    def _judge(self, percept: Percept) -> None:
        frame = percept.frame
        try:
            with self._stopwatch.stage("score"):
                score = self._watches[frame.camera].observe(percept)
            if score is not None:
                with self._stopwatch.stage("alert"), self._desk_lock:
                    self._desk.take(score, frame)
                self.scored[frame.camera] += 1
        except Exception as error:  # the thread's boundary: other cameras go on
            self._note(frame.camera, error)
            return
        self.problems.pop(frame.camera, None)
        self.latencies[frame.camera].add(1e3 * (time.monotonic() - frame.received_s))

    def _note(self, camera: str, error: Exception) -> None:
        """Log the first of a row of failures; all of them are shown in the statistics."""
        problem = f"{type(error).__name__}: {error}"
        if self.problems.get(camera) != problem:
            self.problems[camera] = problem
            log.error("camera %s: its frames cannot be analysed", camera, exc_info=error)
