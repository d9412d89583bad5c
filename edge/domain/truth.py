"""What is known to be true of a frame: every visible object, its box and what it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectTruth:
    """One visible object of one frame."""

    object_id: int  # the same in all frames of a clip
    species: str  # "person", "bicycle" (with its rider), "car", "bag" (when nobody carries it)
    action: str  # "walking", "running", "loitering", ...
    box_xyxy: tuple[float, float, float, float]  # pixels, clipped to the picture
    anomalous: bool


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """All visible objects of one frame, far ones first."""

    index: int
    time_s: float  # since the clip's first frame
    objects: tuple[ObjectTruth, ...]

    @property
    def anomalous(self) -> bool:
        """The frame's label: whether any visible object is anomalous."""
        return any(each.anomalous for each in self.objects)
