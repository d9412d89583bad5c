"""What the numbers that a detector network gives out mean."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.boxes import no_boxes
from edge.domain.detections import Detections

Array = npt.NDArray[np.float32]

STRIDES_PX = (8, 16, 32)  # of the three grids that YOLO networks predict on


class Layout(StrEnum):
    """The output of one picture; A anchors, C classes."""

    ULTRALYTICS = "ultralytics"  # (4 + C, A): centre, size; class confidences (v8, 11, 26)
    END_TO_END = "end2end"  # (K, 6): corners, confidence, class; NMS is done (26, nms=True)
    YOLOX = "yolox"  # (A, 5 + C): centre and size per grid cell, objectness, classes


def anchors(canvas: tuple[int, int]) -> int:
    """How many boxes the three grids give for a canvas of the given width and height."""
    return sum((canvas[0] // stride) * (canvas[1] // stride) for stride in STRIDES_PX)


def fits(layout: Layout, shape: tuple[int, ...], canvas: tuple[int, int]) -> bool:
    """Whether an output of this shape (without the batch) can be of the layout."""
    match layout:
        case Layout.ULTRALYTICS:
            return shape[1] == anchors(canvas) and shape[0] > 4
        case Layout.YOLOX:
            return shape[0] == anchors(canvas) and shape[1] > 5
        case Layout.END_TO_END:
            return shape[1] == 6


def guess(
    shape: tuple[int, ...], canvas: tuple[int, int], *, from_ultralytics: bool
) -> Layout | None:
    """The layout of an output shape, ``None`` where nothing fits.

    Rows of six numbers are finished boxes, or YOLOX with a single class; of the two only
    Ultralytics writes metadata.
    """
    likely = [Layout.YOLOX, Layout.END_TO_END, Layout.ULTRALYTICS]
    if from_ultralytics:
        likely.remove(Layout.YOLOX)
    return next((layout for layout in likely if fits(layout, shape, canvas)), None)


def class_count(layout: Layout, shape: tuple[int, ...]) -> int | None:
    """How many classes an output of this shape tells apart; ``None`` where it does not say."""
    match layout:
        case Layout.ULTRALYTICS:
            return shape[0] - 4
        case Layout.YOLOX:
            return shape[1] - 5
        case Layout.END_TO_END:
            return None


def decode(
    layout: Layout, output: Array, canvas: tuple[int, int], *, least_confidence: float
) -> Detections:
    """Detections of one picture in pixels of the canvas, before suppression."""
    match layout:
        case Layout.ULTRALYTICS:
            return _decode_ultralytics(output, least_confidence)
        case Layout.YOLOX:
            return _decode_yolox(output, canvas, least_confidence)
        case Layout.END_TO_END:
            kept = output[output[:, 4] >= least_confidence]
            return Detections(kept[:, :4], kept[:, 4], kept[:, 5].astype(np.int32))


def suppress(found: Detections, *, overlap: float, most: int) -> Detections:
    """Class-aware non-maximum suppression; the most confident first, at most ``most``."""
    if not len(found):
        return found
    boxes = found.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), found.confidence.tolist(), found.class_id.tolist(), 0.0, overlap
    )
    return found.where(np.asarray(kept, np.intp).reshape(-1)[:most])


def _decode_ultralytics(output: Array, least: float) -> Detections:
    confidence = output[4:].max(axis=0)  # (A,)
    kept = np.nonzero(confidence >= least)[0]
    class_id = output[4:, kept].argmax(axis=0).astype(np.int32)
    return Detections(_corners(output[:4, kept].T), confidence[kept], class_id)


def _decode_yolox(output: Array, canvas: tuple[int, int], least: float) -> Detections:
    """Ge et al., "YOLOX", 2021: offsets in strides, sizes as logarithms, score = obj · class."""
    kept = np.nonzero(output[:, 4] >= least)[0]  # class confidences are at most 1
    rows, (cells, strides) = output[kept], _grid(canvas)
    scores = rows[:, 5:] * rows[:, 4:5]
    confidence = scores.max(axis=1, initial=0)
    cells, strides = cells[kept], strides[kept]
    boxes = np.concatenate([(rows[:, :2] + cells) * strides, np.exp(rows[:, 2:4]) * strides], 1)
    found = Detections(_corners(boxes), confidence, scores.argmax(axis=1).astype(np.int32))
    return found.where(confidence >= least)


@lru_cache(maxsize=8)
def _grid(canvas: tuple[int, int]) -> tuple[Array, Array]:
    """Cell (A, 2) and stride (A, 1) of every anchor."""
    cells, strides = [no_boxes()[:, :2]], [no_boxes()[:, :1]]
    for stride in STRIDES_PX:
        y, x = np.mgrid[: canvas[1] // stride, : canvas[0] // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], 1).astype(np.float32))
        strides.append(np.full((x.size, 1), stride, np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def _corners(centred: Array) -> Array:
    """Centre and size (N, 4) to corners."""
    half = centred[:, 2:] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], 1).astype(np.float32)
