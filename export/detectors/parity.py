"""Whether an exported detector says the same as the original, on pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import iou
from edge.domain.detections import Detections
from edge.errors import ModelError
from edge.model.runtime import open_session
from edge.perception.detector import Picture
from edge.perception.layouts import Layout, decode, suppress
from edge.perception.letterbox import Letterbox, smallest_canvas
from edge.perception.network import STRIDE_PX, Network, NetworkSettings
from export.detectors.original import Original

Floats = npt.NDArray[np.float32]

SURE = 0.3  # confidence of a detection that the other network must have, too
UNSURE = 0.1  # confidence that is enough for the other one
SAME = 0.5  # overlap of two boxes that mean one object
BOX_ROWS = 4  # of an output (4 + C, A)
LARGEST_ERROR = {"fp32": 1e-3, "fp16": 0.25}  # 8-bit numbers: where nothing is, boxes are anything
LEAST_MATCHED = {"fp32": 0.99, "fp16": 0.95, "int8": 0.8}


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an export is from its original."""

    max_abs_error: float  # of confidences, and of boxes in sides of the input
    detections: int  # sure ones of either network
    matched: float | None  # share of them that the other has, too; None: there are none

    def check(self, precision: str) -> None:
        """Raise ModelError where a network of this precision must not differ so much."""
        limit, least = LARGEST_ERROR.get(precision), LEAST_MATCHED[precision]
        if limit is not None and not self.max_abs_error <= limit:
            raise ModelError(
                f"the {precision} export differs from the original by {self.max_abs_error:.2g}"
                f" (at most {limit:g}); nothing was written: use another precision"
            )
        if self.matched is None and limit is None:
            raise ModelError(
                f"the original finds nothing in the pictures, so that nothing shows what the"
                f" {precision} export is worth; calibrate on footage of what it is to detect"
            )
        if self.matched is not None and self.matched < least:
            raise ModelError(
                f"only {self.matched:.0%} of {self.detections} detections are in both the"
                f" {precision} export and the original (at least {least:.0%}); nothing was"
                " written: calibrate on more footage, or use another precision"
            )


def compare(original: Original, path: Path, pictures: Sequence[Picture], size_px: int) -> Parity:
    """Run both on pictures (H, W, 3), letterboxed into ``size_px`` as a host does it.

    Raises ModelError where the export is no detector that the host understands.
    """
    network = Network(path, settings=NetworkSettings(confidence=UNSURE))
    session = open_session(path)
    name = session.get_inputs()[0].name
    error, count, both = 0.0, 0, 0
    for picture, (box, blob) in zip(pictures, blobs(pictures, size_px), strict=True):
        expected = original.predict(blob)
        error = max(error, _largest_error(expected, session.run(None, {name: blob})[0], size_px))
        ours, theirs = network.detect([picture])[0], _detections(expected[0], box)
        for one, other in ((ours, theirs), (theirs, ours)):
            sure = one.where(one.confidence >= SURE)
            count, both = count + len(sure), both + _also_in(sure, other)
    return Parity(error, count, both / count if count else None)


def blobs(pictures: Sequence[Picture], size_px: int) -> Iterator[tuple[Letterbox, Floats]]:
    """Each picture as a host gives it to the network: (1, 3, H, W) RGB of 0 to 1."""
    for picture in pictures:
        size = (picture.shape[1], picture.shape[0])
        canvas = smallest_canvas(size, (size_px, size_px), STRIDE_PX)
        box = Letterbox.fit(size, canvas, centred=True)
        planes = box.apply(picture)[..., ::-1].transpose(2, 0, 1)[None]
        yield box, np.ascontiguousarray(planes, np.float32) / np.float32(255)


def _largest_error(expected: Floats, given: Floats, size_px: int) -> float:
    difference = np.abs(expected - given)  # (1, 4 + C, A)
    difference[:, :BOX_ROWS] /= size_px
    return float(difference.max())


def _detections(output: Floats, box: Letterbox) -> Detections:
    settings = NetworkSettings()
    found = decode(Layout.ULTRALYTICS, output, box.canvas, least_confidence=UNSURE)
    found = suppress(found, overlap=settings.overlap, most=settings.most)
    return Detections(box.restore(found.boxes_xyxy), found.confidence, found.class_id)


def _also_in(some: Detections, others: Detections) -> int:
    """How many have a box of the same class in the same place among the others."""
    same_class = some.class_id[:, None] == others.class_id
    same_place = iou(some.boxes_xyxy, others.boxes_xyxy) >= SAME
    return int((same_class & same_place).any(axis=1).sum())
