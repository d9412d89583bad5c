"""Scene segments: what the whole picture does over the last 16 analysed frames.

Two groups, so that footage without pixels has one of them whole: ``scene-flow`` is measured of the
picture, ``scene-objects`` of the kinematics of what is followed in it. Live, a segment slides and
ends at the latest frame; whoever wants them apart takes every sixteenth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.features import SCENE, Cells, Feature, Features, FeatureSpec
from edge.domain.frame import Bytes2d
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.features import kinematics
from edge.features.directions import DIRECTIONS, Directions

Array = npt.NDArray[np.float32]
Item = TypeVar("Item")

FLOW_SPEC = FeatureSpec(
    group="scene-flow",
    revision=1,
    features=(
        *(Feature(f"flow {way}", "picture heights/s", log_floor=0.01) for way in DIRECTIONS),
        Feature("moving area", "of the picture", log_floor=0.003),
        Feature("change of moving area", "of the picture", log_floor=0.003),
    ),
)

QUANTITIES = ("speed", "path speed", "wobble", "acceleration", "slimness", "height")
"""Of the kinematics: how fast, how straight, how abruptly, and in what shape and size.

The signed ones cancel in a mean and the sways repeat the wobble; where things happen is left to the
groups that know a place.
"""

_COLUMNS = [[f.name for f in kinematics.SPEC.features].index(name) for name in QUANTITIES]
_UNITS = [kinematics.SPEC.features[column].unit for column in _COLUMNS]
_FLOORS = (0.1, 0.1, kinematics.JITTER, 0.5, 0.1, 0.02)  # in those units; nobody in sight is 0

OBJECTS_SPEC = FeatureSpec(
    group="scene-objects",
    revision=1,
    features=(
        Feature("objects", "", log_floor=0.5),
        *(
            Feature(f"{which} {name}", unit, log_floor=floor)
            for which in ("largest", "mean")
            for name, unit, floor in zip(QUANTITIES, _UNITS, _FLOORS, strict=True)
        ),
    ),
)

SPECS = (FLOW_SPEC, OBJECTS_SPEC)
"""The two groups in the order in which they make up one vector."""


class SceneFlow:
    """The motion of one camera's picture over scene segments."""

    def __init__(self) -> None:
        self._window = _Window[Array]()

    def observe(
        self, directions: Directions, mask: Bytes2d, *, time_s: float, width: int, height: int
    ) -> Features:
        """Describe the segment that ends at the next frame of ``width`` by ``height`` pixels.

        No row until it is full, then one: (0 or 1, 10). ``mask`` (h, w) is not 0 where something
        moves, ``directions`` are measured at its size.
        """
        flow = directions.histogram() / mask.shape[0]
        seen = np.append(flow, cv2.countNonZero(mask) / mask.size).astype(np.float32)
        segment = self._window.push(seen, time_s)
        return _whole_picture(FLOW_SPEC, [flow_values(s) for s in segment], width, height)


class SceneObjects:
    """What the objects of one camera do over scene segments; needs no pixels."""

    def __init__(self) -> None:
        self._window = _Window[Features]()

    def observe(self, objects: Features, *, time_s: float, width: int, height: int) -> Features:
        """Describe the segment that ends at the next frame: (0 or 1, 13).

        ``objects`` is the frame's kinematics; no row until the segment is full.
        """
        segment = self._window.push(objects, time_s)
        return _whole_picture(OBJECTS_SPEC, [object_values(s) for s in segment], width, height)


def flow_values(frames: Sequence[Array]) -> Array:
    """``FLOW_SPEC`` of a segment's frames, each eight directions and the moving area: (10,)."""
    seen = np.array(frames)  # (T, 9)
    return np.append(seen.mean(axis=0), np.ptp(seen[:, -1])).astype(np.float32)


def object_values(frames: Sequence[Features]) -> Array:
    """``OBJECTS_SPEC`` of the kinematics of a segment's frames: (13,).

    Largest and mean are over all object segments that end in it; nobody in sight is all 0.
    """
    rows = np.concatenate([frame.values[:, _COLUMNS] for frame in frames])  # (R, 6)
    if not len(rows):
        return np.zeros(len(OBJECTS_SPEC), np.float32)
    count = len(rows) / len(frames)
    return np.concatenate([[count], rows.max(axis=0), rows.mean(axis=0)]).astype(np.float32)


class _Window(Generic[Item]):
    """The last frames of a camera, without a hole between them."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque(maxlen=SCENE_SEGMENT_FRAMES)
        self._time_s = float("-inf")

    def push(self, item: Item, time_s: float) -> list[list[Item]]:
        """The segment that ends with ``item``, if there are frames enough."""
        if not 0 <= time_s - self._time_s <= MAX_GAP_S:
            self._items.clear()
        self._items.append(item)
        self._time_s = time_s
        return [list(self._items)] if len(self._items) == SCENE_SEGMENT_FRAMES else []


def _whole_picture(spec: FeatureSpec, rows: Sequence[Array], width: int, height: int) -> Features:
    count = len(rows)
    return Features(
        spec=spec,
        track_id=np.full(count, SCENE, np.int64),
        class_id=np.zeros(count, np.int32),
        boxes_xyxy=np.tile(np.array([0, 0, width, height], np.float32), (count, 1)),
        values=np.array(rows, np.float32).reshape(count, len(spec)),
        cells=Cells(np.zeros((count, 2), np.int32), np.zeros((count, 2), np.float32), (1, 1)),
    )
