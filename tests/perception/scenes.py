"""Constructed scenes, and a detector that finds what is bright in them."""

import numpy as np

from edge.domain.detections import Detections
from edge.domain.frame import Frame
from edge.perception.detector import Detector

CLOTHES = np.kron(np.random.default_rng(3).integers(170, 240, (60, 60)), np.ones((4, 4), int))


def picture(boxes=(), *, width=320, height=180, level=90):
    """A grey picture with bright checked rectangles."""
    bgr = np.full((height, width, 3), level, np.uint8)
    for x1, y1, x2, y2 in boxes:
        low_x, low_y = max(x1, 0), max(y1, 0)
        place = bgr[low_y:y2, low_x:x2]
        place[:] = CLOTHES[low_y - y1 : y2 - y1, low_x - x1 : x2 - x1, None][: len(place)][
            :, : place.shape[1]
        ]
    return bgr


def frame(bgr, *, time_s, camera="door"):
    """The picture as a camera's frame."""
    return Frame.from_bgr(
        bgr, camera=camera, index=round(time_s * 10), time_s=time_s, received_s=time_s
    )


def detections(boxes, confidence=0.9, class_id=0):
    """Boxes as detections of one confidence and class."""
    found = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(
        found,
        np.full(len(found), confidence, np.float32),
        np.full(len(found), class_id, np.int32),
    )


class BrightThings(Detector):
    """A detector of what is bright, which counts how often it is asked."""

    def __init__(self):
        self.looks = 0
        self.batches = []

    @property
    def labels(self):
        return ("thing",)

    def detect(self, pictures):
        self.looks += len(pictures)
        self.batches.append(len(pictures))
        return [self._bright(one) for one in pictures]

    def _bright(self, bgr):
        y, x = np.nonzero(bgr[..., 0] > 150)
        if not len(x):
            return Detections.none()
        return detections([[x.min(), y.min(), x.max() + 1, y.max() + 1]])
