"""The analysing thread: takes frames of its cameras in turn, ends in alerts that are on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from edge.alerts.desk import AlertDesk
from edge.domain.frame import Frame
from edge.features.actions import ActionSight
from edge.ingest.counters import Rate
from edge.ingest.latest import Mailroom
from edge.perception.perception import Percept, Perception
from edge.vitals import Latencies, Stopwatch
from edge.watch import Watch

log = logging.getLogger(__name__)

BATCH = 8  # frames of different cameras that a network sees at once
POLL_S = 0.2  # how soon a stop is noticed


class Tally:
    """What became of one camera's frames; written by its worker alone, read by any thread."""

    def __init__(self) -> None:
        self.analysed = 0  # scored, or learnt from
        self.scored = 0
        self.failed = 0  # lost to an error in the analysis
        self.disabled = 0  # not looked at: switched off
        self.problem = ""  # the latest error, "" once a frame succeeds
        self.latencies = Latencies()  # capture to score
        self.rate = Rate(time.monotonic())  # of analysed frames


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
        arm: Callable[[str], None],
        stopwatch: Stopwatch,
        sight: ActionSight | None = None,
    ) -> None:
        """``arm`` sets a camera's alarm to the model that judges it, ``desk_lock`` held.

        ``sight``: what sees actions for all of them; None: nobody asks for actions.
        """
        self.tallies = {camera: Tally() for camera in watches}
        self._mailroom = mailroom
        self._perception = perception
        self._watches = watches
        self._desk = desk
        self._desk_lock = desk_lock
        self._arm = arm
        self._stopwatch = stopwatch
        self._sight = sight
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Start the thread; call once."""
        self.thread.start()

    def stop(self) -> None:
        """End it after the frames in hand."""
        self._stop.set()
        self.thread.join()

    def turn(self, timeout_s: float = POLL_S) -> None:
        """Analyse what waits, at most one frame of each camera."""
        frames = self._mailroom.take(limit=BATCH, timeout_s=timeout_s)
        wanted = [frame for frame in frames if self._is_wanted(frame.camera)]
        for percept in self._look(self._perceive(wanted)):
            self._judge(percept)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.turn()

    def _is_wanted(self, camera: str) -> bool:
        enabled = self._watches[camera].enabled
        self.tallies[camera].disabled += not enabled
        return enabled

    def _perceive(self, frames: Sequence[Frame]) -> list[Percept]:
        if not frames:
            return []
        try:
            with self._stopwatch.stage("perceive", len(frames)):
                return self._perception.observe(frames)
        except Exception as error:  # the thread's boundary: the next frames are tried again
            if len(frames) > 1:  # one camera's fault must not cost the others their frames
                return [percept for frame in frames for percept in self._perceive([frame])]
            self._note(frames[0].camera, error)
            return []

    def _look(self, percepts: Sequence[Percept]) -> Sequence[Percept]:
        """See what is done in all of them at once; those of which that could be seen."""
        if self._sight is None or not percepts:
            return percepts
        try:
            with self._stopwatch.stage("embed", len(percepts)):
                self._sight.look(percepts)
        except Exception as error:  # the thread's boundary, as in ``_perceive``
            if len(percepts) > 1:
                return [seen for percept in percepts for seen in self._look([percept])]
            self._note(percepts[0].frame.camera, error)
            return []
        return percepts

    def _judge(self, percept: Percept) -> None:
        frame, tally = percept.frame, self.tallies[percept.frame.camera]
        try:
            with self._stopwatch.stage("score"):
                score = self._watches[frame.camera].observe(percept)
            if score is not None:
                with self._stopwatch.stage("alert"), self._desk_lock:
                    self._arm(frame.camera)  # never a score by the limits of another model
                    self._desk.take(score, frame)
                tally.scored += 1
        except Exception as error:  # the thread's boundary: other cameras go on
            self._note(frame.camera, error)
            return
        now_s = time.monotonic()
        tally.analysed += 1
        tally.problem = ""
        tally.rate.tick(now_s)
        tally.latencies.add(1e3 * (now_s - frame.received_s))

    def _note(self, camera: str, error: Exception) -> None:
        """Log the first of a row of failures; all are counted."""
        tally = self.tallies[camera]
        tally.failed += 1
        problem = f"its frames cannot be analysed: {type(error).__name__}: {error}"
        if tally.problem != problem:
            tally.problem = problem
            log.error("camera %s: its frames cannot be analysed", camera, exc_info=error)
