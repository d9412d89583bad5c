"""Pictures out of footage, as a host's backbone would be shown them, and some shaken ones.

A camera shows the same people at the same places for hours. So that the small network learns from
more than that, boxes are shaken and pictures mirrored; both networks are shown the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.domain.boxes import Boxes
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.features.embedding import Look, Picture, View, crops
from edge.perception.detector import Detector
from export.extract.watch import Seen, Viewing, Watch

SHIFT = 0.1  # of a box's sides, at most, either way
SCALE: dict[View, tuple[float, float]] = {"objects": (0.85, 1.15), "picture": (0.7, 0.85)}
"""Of a box's sides; ``crops`` adds its margin, with which a part of the picture is nearly all."""

SHORTER_SIDE_PX = 256  # larger pictures are scaled down: no network here sees more


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a video is made pictures of."""

    view: View
    viewing: Viewing
    most: int  # pictures of one video, evenly spread over it
    shaken: bool  # also as they might have been
    seed: int = 0


def gather(path: Path, shown: Shown, *, detector: Detector | None) -> list[Picture]:
    """At most ``shown.most`` pictures of a video; raises SourceError where it cannot be read."""
    watch = Watch(path, shown.viewing, detector=detector, follow=shown.view == "objects")
    kept: list[Picture] = []
    step = 1
    for number, picture in enumerate(_pictures(watch, shown), start=1):
        if number % step == 0:
            kept.append(_small(picture))
        if len(kept) > shown.most:  # from here on every other one
            kept, step = kept[1::2], step * 2
    return kept


def shake(boxes_xyxy: Boxes, view: View, rng: np.random.Generator) -> Boxes:
    """Boxes (N, 4) as a detector might have drawn them elsewhere: shifted, and of another size."""
    count = len(boxes_xyxy)
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    middle = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    middle = middle + sides * rng.uniform(-SHIFT, SHIFT, (count, 2))
    half = sides / 2 * rng.uniform(*SCALE[view], (count, 1))
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def _pictures(watch: Watch, shown: Shown) -> Iterator[Picture]:
    """All that a backbone is shown of the video, or might have been."""
    rng = np.random.default_rng(shown.seed)
    due = Look(shown.view).due
    for index, seen in enumerate(watch):
        if index % SCENE_SEGMENT_FRAMES not in due:
            continue
        bgr, boxes = seen.frame.bgr(), _boxes(seen)
        yield from [bgr] if shown.view == "picture" else crops(bgr, boxes)
        if shown.shaken:
            for picture in crops(bgr, shake(boxes, shown.view, rng)):
                yield picture[:, ::-1] if rng.uniform() < 0.5 else picture


def _boxes(seen: Seen) -> Boxes:
    if seen.percept is not None:
        return seen.percept.tracks.boxes_xyxy
    return np.array([[0, 0, seen.frame.width, seen.frame.height]], np.float32)


def _small(picture: Picture) -> Picture:
    """A copy, which lets go of the frame."""
    factor = SHORTER_SIDE_PX / min(picture.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(picture)
    resized = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
