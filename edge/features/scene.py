"""The motion of the scene, cell by cell: what moves there, how fast, and how uniformly.

The picture is covered by cells that overlap by two thirds. A cell knows no objects, so it still
tells one cyclist in a crowd whose outlines have merged. Lengths are in picture heights; perspective
is left to the comparison with what is usual at the same place.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Feature, Features, FeatureSpec
from edge.domain.frame import Bytes2d, Frame
from edge.features.flow import Flow, FlowMeter

Array = npt.NDArray[np.float32]

SPEED_SPEC = FeatureSpec(
    group="scene-speed",
    revision=1,
    features=(Feature("speed", "picture heights/s", by_place=True),),
)
MOTION_SPEC = FeatureSpec(
    group="scene-motion",
    revision=1,
    features=(
        Feature("motion right", "picture heights/s"),
        Feature("motion down", "picture heights/s"),
        Feature("uneven motion", "picture heights/s"),
        Feature("moving area", "of the cell"),
    ),
)

CELLS_DOWN = 8  # heights of a cell in the height of the picture
CELL_ASPECT = 0.6  # width of a cell in its heights: a person with swinging arms
STEPS = 3  # from one cell to the next is this part of its sides; odd
LEAST_FILL = 0.15  # of a cell that moves; with less, its mean is an outline's


class SceneMotion:
    """Describes the moving cells of one camera."""

    def __init__(self) -> None:
        self._meter = FlowMeter()

    def observe(self, frame: Frame, mask: Bytes2d) -> tuple[Features, Features]:
        """The next frame's moving cells as ``SPEED_SPEC`` and ``MOTION_SPEC``, row by row.

        ``mask`` is (h, w), not 0 where something moves, of the frame's shape but maybe smaller:
        the flow is measured at its size.
        """
        height, width = mask.shape
        grey = cv2.resize(frame.luma, (width, height), interpolation=cv2.INTER_AREA)
        flow = self._meter.observe(np.asarray(grey, np.uint8), mask, frame.time_s)
        if flow is None:
            return _pack(np.zeros((0, 4), np.float32), np.zeros((0, 5), np.float32))
        boxes, values = _describe(cell_means(flow, mask))
        return _pack(boxes * np.array([frame.width, frame.height] * 2, np.float32), values)


def cell_means(flow: Flow, mask: Bytes2d) -> Array:
    """Means over each cell of: moving, velocity right and down, squared speed; (rows, columns, 4).

    Still pixels count as 0. Lengths are in picture heights.
    """
    height, width = mask.shape
    moving = (mask[flow.window] != 0).astype(np.float32)
    right, down = cv2.split(flow.velocity)
    right, down = (cv2.multiply(part, moving, scale=1 / height) for part in (right, down))
    square = cv2.add(cv2.multiply(right, right), cv2.multiply(down, down))
    picture = np.zeros((height, width, 4), np.float32)
    picture[flow.window] = cv2.merge([moving, right, down, square])
    parts_down = STEPS * CELLS_DOWN
    parts_across = max(STEPS, round(parts_down * width / (height * CELL_ASPECT)))
    parts = cv2.resize(picture, (parts_across, parts_down), interpolation=cv2.INTER_AREA)
    inside = STEPS // 2  # the anchor of a cell of parts: all of it lies in the picture
    means = cv2.blur(parts, (STEPS, STEPS))[inside:-inside, inside:-inside]
    return np.asarray(means, np.float32)


def _describe(means: Array) -> tuple[Array, Array]:
    """Boxes as shares of the picture (N, 4), and speed followed by the motion's features (N, 5)."""
    row, column = np.nonzero(means[..., 0] >= LEAST_FILL)
    fill, right, down, square = means[row, column].T
    right, down, square = right / fill, down / fill, square / fill
    uneven = np.sqrt(np.maximum(square - right**2 - down**2, 0))
    low = np.stack([column, row], axis=1)  # (N, 2) in parts of the picture
    parts = np.array(means.shape[1::-1]) + STEPS - 1
    boxes = np.concatenate([low, low + STEPS], axis=1) / np.tile(parts, 2)
    values = np.stack([np.hypot(right, down), right, down, uneven, fill], axis=1)
    return boxes.astype(np.float32), values.astype(np.float32)


def _pack(boxes_xyxy: Array, values: Array) -> tuple[Features, Features]:
    track_id = np.full(len(values), SCENE, np.int64)
    class_id = np.zeros(len(values), np.int32)
    speed = Features(SPEED_SPEC, track_id, class_id, boxes_xyxy, values[:, :1])
    return speed, Features(MOTION_SPEC, track_id, class_id, boxes_xyxy, values[:, 1:])
