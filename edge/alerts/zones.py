"""Named places of a camera's picture."""

from __future__ import annotations

from dataclasses import dataclass

from edge.domain.alert import BoxXyxy


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon in fractions of the picture's width and height, so that any frame size fits."""

    name: str
    corners: tuple[tuple[float, float], ...]  # (x, y) in [0, 1], at least three

    def holds(self, box_xyxy: BoxXyxy, frame_size_px: tuple[int, int]) -> bool:
        """Whether the foot point of a box, the middle of its lower edge, is inside.

        Even-odd rule: a ray to the right crosses the outline an odd number of times.
        """
        x = (box_xyxy[0] + box_xyxy[2]) / 2 / frame_size_px[0]
        y = box_xyxy[3] / frame_size_px[1]
        inside = False
        for (x1, y1), (x2, y2) in zip(self.corners, self.corners[-1:] + self.corners, strict=False):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside
