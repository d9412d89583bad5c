"""What perception remembers of one camera, and how one frame is worked through."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.domain.boxes import no_boxes
from edge.domain.detections import Detections
from edge.domain.frame import Frame
from edge.domain.tracks import Tracks
from edge.perception.gate import Gate, GateSettings
from edge.perception.motion import Motion, MotionDetector, objects
from edge.perception.tracker import Tracker, TrackerSettings

REST = 0.1  # heights per second: slower objects stand still
GAP_S = 5.0  # after a longer pause nothing is the same object any more


@dataclass(frozen=True, slots=True, eq=False)
class Percept:
    """What is known of one frame."""

    frame: Frame
    tracks: Tracks
    motion: Motion


class CameraView:
    """One camera: its scene, its tracks, and when the network looked at it.

    ``begin`` takes a frame in; then exactly one of the ``by_…`` methods finishes it.
    """

    def __init__(self, first: Frame, tracking: TrackerSettings, gating: GateSettings) -> None:
        self.frame = first
        self._tracking = tracking
        self._motion = MotionDetector()
        self._tracker = Tracker(tracking)
        self._gate = Gate(gating)
        self._boxes_xyxy = no_boxes()  # of what was seen in the latest frame, newcomers too

    def begin(self, frame: Frame) -> None:
        """Find what moves in the camera's next frame."""
        self._elapsed_s = frame.time_s - self.frame.time_s
        if self._elapsed_s > GAP_S:
            self._tracker = Tracker(self._tracking)
            self._boxes_xyxy = no_boxes()
        self.frame = frame
        self._seen = self._motion.observe(frame)

    def network_due(self) -> bool:
        """Whether a detector network must look at the frame."""
        before_xyxy = self._boxes_xyxy
        expected_xyxy = self._tracker.expect(self.frame.time_s, newcomers=True)
        self._boxes_xyxy = self._motion.follow(self._seen, before_xyxy, expected_xyxy)
        steps = np.abs(self._boxes_xyxy - before_xyxy).max(axis=1)
        heights = before_xyxy[:, 3] - before_xyxy[:, 1]
        return self._gate.due(
            self._seen.mask,
            np.asarray(self._boxes_xyxy * self._seen.scale, np.float32),
            moving=bool((steps > REST * heights * self._elapsed_s).any()),
            unsettled=self._tracker.unsettled,
            time_s=self.frame.time_s,
        )

    def by_motion(self) -> Percept:
        """Whatever moves is an object."""
        found = objects(self._seen, self._tracker.expect(self.frame.time_s))
        return self._finish(self._tracker.update(found, self.frame.time_s))

    def by_network(self, found: Detections) -> Percept:
        """The network's detections are the objects."""
        self._seen = replace(self._seen, network_ran=True)
        tracks = self._tracker.update(found, self.frame.time_s)
        known = np.asarray(self._tracker.boxes_xyxy * self._seen.scale, np.float32)
        self._gate.looked(self._seen.mask, known, self.frame.time_s)
        return self._finish(tracks)

    def by_pixels(self) -> Percept:
        """The objects are those of the frame before, where their pixels went."""
        return self._finish(self._tracker.carry(self._boxes_xyxy, self.frame.time_s))

    def _finish(self, tracks: Tracks) -> Percept:
        self._boxes_xyxy = self._tracker.live_boxes_xyxy
        return Percept(self.frame, tracks, self._seen)
