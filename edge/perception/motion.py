"""The detector that needs no weights: whatever differs from the empty scene is an object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.domain.boxes import Boxes
from edge.domain.detections import Detections
from edge.domain.frame import Frame
from edge.perception.background import Background
from edge.perception.blobs import clean, objects_of
from edge.perception.follow import follow
from edge.perception.sheet import Grey, Mask, grey_of, sheet_of

MOTION_LABELS = ("object",)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where something moves in a frame."""

    mask: Mask  # (h, w) 1 where a pixel does not belong to the empty scene; w at most 320
    scale: float  # mask pixels per pixel of the frame
    moving_fraction: float  # of the mask, in [0, 1]
    network_ran: bool  # whether a detector network looked at the frame


class MotionDetector:
    """Finds what moves before one fixed camera."""

    def __init__(self) -> None:
        self._background = Background()
        self._pair: tuple[Grey, Grey] | None = None  # the frame before and this one

    def observe(self, frame: Frame) -> Motion:
        """The foreground of the camera's next frame; nothing while the scene is being learnt."""
        sheet = sheet_of(frame)
        grey = grey_of(sheet)
        self._pair = (self._pair[1] if self._pair else grey, grey)
        mask = clean(self._background.observe(sheet, frame.time_s))
        return Motion(mask, grey.shape[1] / frame.width, cv2.countNonZero(mask) / mask.size, False)

    def follow(self, motion: Motion, boxes_xyxy: Boxes, expected_xyxy: Boxes) -> Boxes:
        """Where boxes (N, 4) of the frame before went in the latest one, pixels of the frame.

        ``expected_xyxy`` (N, 4) is where they should be by now.
        """
        if self._pair is None or not len(boxes_xyxy):
            return boxes_xyxy
        boxes = np.asarray(boxes_xyxy * motion.scale, np.float32)
        expected = np.asarray(expected_xyxy * motion.scale, np.float32)
        moved = follow(*self._pair, motion.mask, boxes, expected)
        return np.asarray(moved / motion.scale, np.float32)


def objects(motion: Motion, expected_xyxy: Boxes) -> Detections:
    """What moves as detections in pixels of the frame, given where followed objects should be."""
    boxes, area = objects_of(motion.mask, np.asarray(expected_xyxy * motion.scale, np.float32))
    return Detections(
        np.asarray(boxes / motion.scale, np.float32),
        _confidence(boxes, area),
        np.zeros(len(boxes), np.int32),
    )


def _confidence(
    boxes: Boxes, area: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """How much of its box a blob fills, as a stand-in for certainty: 0.6 to 1."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(0.6 + 0.4 * area / np.prod(sides, axis=1), np.float32)
