"""Constant-velocity Kalman filters of many boxes at once.

The state of a box is its centre, width and height, each with a velocity. Measurement and noise act
on each of the four alone, so the usual 8 × 8 covariance is exactly four 2 × 2 blocks and the
filter is four scalar ones, written out here over (N, 4) arrays.

Noise follows SORT and ByteTrack (Zhang et al., ECCV 2022): standard deviations in box sizes, per
frame of 30 Hz footage; per coordinate of centre, width and height as in BoT-SORT (Aharon et al.,
2022). Time is in seconds, so frames may come at any pace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes

Array = npt.NDArray[np.float64]

FRAME_RATE_HZ = 30.0  # of the footage that the noise levels were set on
POSITION_STD = 1 / 20  # box sizes, of a measurement and of the model per frame
VELOCITY_STD = FRAME_RATE_HZ / 160  # box sizes per second, gained per frame
START_POSITION = 2.0  # times the above for a new box
START_VELOCITY = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Motions:
    """N boxes with their velocities and uncertainties."""

    moments: Array
    """(5, N, 4): position (centre x, centre y, width, height in pixels), velocity (pixels per
    second), variance of the position, covariance of both, variance of the velocity."""

    @classmethod
    def begin(cls, boxes_xyxy: Boxes) -> Motions:
        """Boxes seen for the first time: at rest, with wide uncertainty."""
        position = _centred(boxes_xyxy)
        size = _sizes(position)
        var_position = (START_POSITION * POSITION_STD * size) ** 2
        var_velocity = (START_VELOCITY * VELOCITY_STD * size) ** 2
        zero = np.zeros_like(position)
        return cls(np.stack([position, zero, var_position, zero, var_velocity]))

    def __len__(self) -> int:
        return int(self.moments.shape[1])

    @property
    def boxes_xyxy(self) -> Boxes:
        """The boxes, (N, 4)."""
        centre, half = self.moments[0, :, :2], np.maximum(self.moments[0, :, 2:], 1.0) / 2
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)

    def predict(self, elapsed_s: float) -> Motions:
        """Where the boxes are after a while."""
        position, velocity, var_position, covariance, var_velocity = self.moments
        frames = elapsed_s * FRAME_RATE_HZ
        size = _sizes(position)
        spread = var_position + 2 * elapsed_s * covariance + elapsed_s**2 * var_velocity
        return Motions(
            np.stack(
                [
                    position + elapsed_s * velocity,
                    velocity,
                    spread + frames * (POSITION_STD * size) ** 2,
                    covariance + elapsed_s * var_velocity,
                    var_velocity + frames * (VELOCITY_STD * size) ** 2,
                ]
            )
        )

    def correct(self, boxes_xyxy: Boxes) -> Motions:
        """All N boxes after each was seen at its row of ``boxes_xyxy``."""
        position, velocity, var_position, covariance, var_velocity = self.moments
        innovation = _centred(boxes_xyxy) - position
        var_seen = var_position + (POSITION_STD * _sizes(position)) ** 2
        gain, gain_velocity = var_position / var_seen, covariance / var_seen
        return Motions(
            np.stack(
                [
                    position + gain * innovation,
                    velocity + gain_velocity * innovation,
                    (1 - gain) * var_position,
                    (1 - gain) * covariance,
                    var_velocity - gain_velocity * covariance,
                ]
            )
        )

    def where(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Motions:
        """Those that a mask or an index array picks."""
        return Motions(self.moments[:, keep])

    def corrected(self, rows: npt.NDArray[np.intp], boxes_xyxy: Boxes) -> Motions:
        """All N, of which ``rows`` were seen at ``boxes_xyxy``."""
        moments = self.moments.copy()
        moments[:, rows] = self.where(rows).correct(boxes_xyxy).moments
        return Motions(moments)

    def joined(self, others: Motions) -> Motions:
        """These boxes followed by others."""
        return Motions(np.concatenate([self.moments, others.moments], axis=1))


def _centred(boxes_xyxy: Boxes) -> Array:
    """Corners to centre, width and height, (N, 4)."""
    boxes = boxes_xyxy.astype(np.float64)
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def _sizes(position: Array) -> Array:
    """Width, height, width, height of each box, (N, 4): what its noise is measured in."""
    return np.maximum(np.tile(position[:, 2:], 2), 1.0)
