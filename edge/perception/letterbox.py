"""Fit a picture into a network's input without changing its proportions, and boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.domain.boxes import Boxes
from edge.perception.detector import Picture

GREY = 114  # of the border, as YOLO networks are trained with


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies inside a canvas; all in pixels."""

    picture: tuple[int, int]  # width, height
    canvas: tuple[int, int]  # width, height
    inner: tuple[int, int]  # width, height of the scaled picture
    left: int
    top: int

    @classmethod
    def fit(cls, picture: tuple[int, int], canvas: tuple[int, int], *, centred: bool) -> Letterbox:
        """The largest that fits; ``centred`` as Ultralytics does it, else top left as YOLOX."""
        scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
        inner = (max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale)))
        left, top = (canvas[0] - inner[0]) // 2, (canvas[1] - inner[1]) // 2
        return cls(picture, canvas, inner, left if centred else 0, top if centred else 0)

    def apply(self, picture: Picture) -> Picture:
        """The (H, W, 3) picture scaled onto a grey canvas."""
        canvas = np.full((self.canvas[1], self.canvas[0], 3), GREY, np.uint8)
        shrinks = self.inner[0] * 2 <= self.picture[0]
        scaled = cv2.resize(
            picture, self.inner, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        canvas[self.top : self.top + self.inner[1], self.left : self.left + self.inner[0]] = scaled
        return canvas

    def restore(self, boxes_xyxy: Boxes) -> Boxes:
        """Boxes (N, 4) on the canvas as boxes in the picture, cut off at its border."""
        width, height = self.picture
        scale = np.array([width / self.inner[0], height / self.inner[1]] * 2, np.float32)
        moved = (boxes_xyxy - np.array([self.left, self.top] * 2, np.float32)) * scale
        limit = np.array([width, height] * 2, np.float32)
        return np.asarray(np.clip(moved, 0, limit), np.float32)


def smallest_canvas(
    picture: tuple[int, int], limit: tuple[int, int], stride: int
) -> tuple[int, int]:
    """The canvas that wastes least inside ``limit``: sides are multiples of ``stride``."""
    inner = Letterbox.fit(picture, limit, centred=False).inner
    return -(-inner[0] // stride) * stride, -(-inner[1] // stride) * stride
