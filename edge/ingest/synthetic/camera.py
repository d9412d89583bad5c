"""A pinhole camera above a flat ground, and the metres that it sees.

World axes: x to the right along the street, y up, z away from the camera; the camera stands at
(0, mount, 0). A pixel's coordinate is that of its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
TALLEST_M = 2.0  # what may stick into the picture while its feet are still outside


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Where points of the world fall in a picture of ``width_px`` by ``height_px``."""

    width_px: int
    height_px: int
    matrix: Array  # (3, 4), homogeneous: pixels times depth = matrix @ (x, y, z, 1)

    @classmethod
    def mounted(
        cls,
        *,
        width_px: int,
        height_px: int,
        mount_m: float,
        yaw_rad: float,
        pitch_rad: float,
        focal_widths: float = 0.8,
    ) -> Camera:
        """A camera turned right by the yaw and down by the pitch; 0.8 widths see 64 degrees."""
        right = [cos(yaw_rad), 0.0, -sin(yaw_rad)]
        down = [-sin(yaw_rad) * sin(pitch_rad), -cos(pitch_rad), -cos(yaw_rad) * sin(pitch_rad)]
        ahead = [sin(yaw_rad) * cos(pitch_rad), -sin(pitch_rad), cos(yaw_rad) * cos(pitch_rad)]
        rotation = np.array([right, down, ahead])  # (3, 3)
        place = rotation @ np.array([0.0, -mount_m, 0.0])
        focal_px = focal_widths * width_px
        lens = np.array(
            [
                [focal_px, 0.0, (width_px - 1) / 2],
                [0.0, focal_px, (height_px - 1) / 2],
                [0.0, 0.0, 1.0],
            ]
        )
        return cls(width_px, height_px, lens @ np.column_stack([rotation, place]))

    def enlarged(self, factor: int) -> Camera:
        """The same view with ``factor`` times the pixels in each direction."""
        shift = (factor - 1) / 2
        zoom = np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1]], np.float64)
        return Camera(self.width_px * factor, self.height_px * factor, zoom @ self.matrix)

    def project(self, points_m: Array) -> Array:
        """World points (..., 3) to pixels (..., 2); the points lie in front of the camera."""
        homogeneous = points_m @ self.matrix[:, :3].T + self.matrix[:, 3]
        return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:])

    def depth_m(self, x_m: float, z_m: float) -> float:
        """Distance along the optical axis of a point on the ground: what hides what."""
        return float(self.matrix[2, 0] * x_m + self.matrix[2, 2] * z_m + self.matrix[2, 3])

    def ground(self) -> Array:
        """Homography (3, 3) from ground metres (x, z, 1) to pixels."""
        return self.matrix[:, [0, 2, 3]]

    def wall(self, z_m: float) -> Array:
        """Homography (3, 3) from metres (x, y, 1) of the upright plane at ``z_m`` to pixels."""
        bent = self.matrix[:, 2] * z_m + self.matrix[:, 3]
        return np.column_stack([self.matrix[:, 0], self.matrix[:, 1], bent])

    def span_m(self, z_m: float, margin_m: float) -> tuple[float, float]:
        """Left and right x between which something at ``z_m`` can be in the picture."""
        left = min(self._edge_x(0.0, y, z_m) for y in (0.0, TALLEST_M))
        right = max(self._edge_x(self.width_px - 1.0, y, z_m) for y in (0.0, TALLEST_M))
        return left - margin_m, right + margin_m

    def _edge_x(self, column_px: float, y_m: float, z_m: float) -> float:
        row = self.matrix[0] - column_px * self.matrix[2]
        return float(-(row[1] * y_m + row[2] * z_m + row[3]) / row[0])
