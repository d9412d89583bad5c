"""The motion of the scene, cell by cell: what moves there, how fast, and how uniformly.

The picture is covered by cells that overlap by two thirds. A cell knows no objects, so it still
tells one cyclist in a crowd whose outlines have merged. Lengths are in picture heights; perspective
is left to the comparison with what is usual at the same place.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Cells, Feature, Features, FeatureSpec
from edge.domain.frame import Bytes2d, Frame
from edge.features.flow import Flow, FlowMeter

Array = npt.NDArray[np.float32]

SPEED_SPEC = FeatureSpec(
    group="scene-speed",
    revision=1,
    # far things are slower by a factor, not by a difference: hence the logarithm
    features=(Feature("speed", "picture heights/s", log_floor=0.02, by_place=True),),
    excess=True,
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

SPECS = (SPEED_SPEC, MOTION_SPEC)

CELLS_DOWN = 8  # heights of a cell in the height of the picture
CELL_ASPECT = 0.6  # width of a cell in its heights: a person with swinging arms
STEPS = 3  # from one cell to the next is this part of its sides; odd
LEAST_FILL = 0.15  # of a cell that moves; with less, its mean is an outline's

_NO_MEANS = np.zeros((1, 1, 4), np.float32)


class SceneMotion:
    """Describes the moving cells of one camera."""

    def __init__(self) -> None:
        self._meter = FlowMeter()
        self.flow: Flow | None = None  # of the latest frame, at the size of its mask

    def observe(self, frame: Frame, mask: Bytes2d) -> tuple[Features, Features]:
        """The next frame's moving cells as ``SPEED_SPEC`` and ``MOTION_SPEC``, row by row.

        ``mask`` is (h, w), not 0 where something moves, of the frame's shape but maybe smaller:
        the flow is measured at its size.
        """
        height, width = mask.shape
        grey = cv2.resize(frame.luma, (width, height), interpolation=cv2.INTER_AREA)
        flow = self._meter.observe(np.asarray(grey, np.uint8), mask, frame.time_s)
        self.flow = flow
        return _describe(_NO_MEANS if flow is None else cell_means(flow, mask), frame)


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


def _describe(means: Array, frame: Frame) -> tuple[Features, Features]:
    """The cells of which enough moves; speeds in picture heights per second."""
    row, column = np.nonzero(means[..., 0] >= LEAST_FILL)
    fill, right, down, square = means[row, column].T
    right, down, square = right / fill, down / fill, square / fill
    uneven = np.sqrt(np.maximum(square - right**2 - down**2, 0))
    place = np.stack([column, row], axis=1).astype(np.int32)  # (N, 2) in parts of the picture
    parts = np.array(means.shape[1::-1]) + STEPS - 1
    part_px = (np.array([frame.width, frame.height]) / parts).astype(np.float32)
    speed = Features(
        spec=SPEED_SPEC,
        track_id=np.full(len(row), SCENE, np.int64),
        class_id=np.zeros(len(row), np.int32),
        boxes_xyxy=np.concatenate([place, place + STEPS], axis=1).astype(np.float32)
        * np.tile(part_px, 2),
        values=np.hypot(right, down)[:, None],
        cells=Cells(
            column_row=place,
            velocity=np.stack([right, down], axis=1) * (frame.height / part_px),
            shape=(means.shape[0], means.shape[1]),
        ),
    )
    motion = np.stack([right, down, uneven, fill], axis=1)
    return speed, replace(speed, spec=MOTION_SPEC, values=motion)
