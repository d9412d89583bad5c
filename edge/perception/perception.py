"""From frames to objects that are followed."""

from __future__ import annotations

from collections.abc import Sequence

from edge.domain.frame import Frame
from edge.perception.camera import CameraView, Percept
from edge.perception.detector import Detector
from edge.perception.gate import GateSettings
from edge.perception.motion import MOTION_LABELS, Motion
from edge.perception.tracker import TrackerSettings

# Blobs change their shape more than a network's boxes do. Six sizes a second: a bicycle at 5 m/s
# makes four, and has no velocity yet when it is seen for the second time.
MOTION_TRACKING = TrackerSettings(least_overlap=0.05, least_overlap_new=0.05, reach=6.0)

__all__ = ["Motion", "Percept", "Perception"]


class Perception:
    """Finds and follows the objects of many cameras.

    With a detector network, objects are what it finds where something moves, and are followed by
    their pixels in between; without one, whatever moves is an object. Cameras share nothing but
    the network's batches.
    """

    def __init__(
        self,
        detector: Detector | None = None,
        *,
        tracking: TrackerSettings | None = None,
        gating: GateSettings | None = None,
    ) -> None:
        self._detector = detector
        self._tracking = tracking or (TrackerSettings() if detector else MOTION_TRACKING)
        self._gating = gating or GateSettings()
        self._views: dict[str, CameraView] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that ``class_id`` of the tracks points into."""
        return self._detector.labels if self._detector else MOTION_LABELS

    def observe(self, frames: Sequence[Frame]) -> list[Percept]:
        """Take the next frame of some cameras, at most one of each; percepts in that order."""
        views = [self._begin(frame) for frame in frames]
        if self._detector is None:
            return [view.by_motion() for view in views]
        due = [view for view in views if view.network_due()]
        found = dict(zip(due, self._detector.detect([v.frame.bgr() for v in due]), strict=True))
        return [
            view.by_network(found[view]) if view in found else view.by_pixels() for view in views
        ]

    def _begin(self, frame: Frame) -> CameraView:
        view = self._views.get(frame.camera)
        if view is None or view.frame.planes.shape != frame.planes.shape:
            view = self._views[frame.camera] = CameraView(frame, self._tracking, self._gating)
        view.begin(frame)
        return view
