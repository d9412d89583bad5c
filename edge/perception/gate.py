"""Decides when a detector network must look at a camera's frame.

It looks where something moves that no followed object explains, now and then at objects that
move, and rarely at a scene at rest. Objects that stand still keep their tracks without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.domain.boxes import Boxes, no_boxes
from edge.perception.blobs import blobs_of, large
from edge.perception.sheet import Mask

MARGIN = 0.25  # of a box's sides: moving pixels so near belong to it


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """How long the network may look away."""

    keep_alive_s: float = 10.0  # from a scene in which nothing happens
    refresh_s: float = 0.5  # from followed objects that move
    pause_s: float = 0.15  # after a look, whatever happens: newcomers are looked at together
    dismiss_s: float = 2.0  # from moving pixels in which it found nothing


class Gate:
    """The schedule of one camera; boxes are in pixels of the motion mask."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._looked_s = -np.inf
        self._dismissed = no_boxes()
        self._dismissed_s = -np.inf

    def due(
        self, mask: Mask, followed: Boxes, *, moving: bool, unsettled: bool, time_s: float
    ) -> bool:
        """Whether the network must look at this frame.

        ``moving``: some followed object moves; ``unsettled``: some was seen once only or was
        just lost, and the network's word decides.
        """
        settings, since_s = self._settings, time_s - self._looked_s
        if since_s < settings.pause_s:
            return False
        if unsettled or since_s >= (settings.refresh_s if moving else settings.keep_alive_s):
            return True
        known = followed
        if time_s - self._dismissed_s < settings.dismiss_s:
            known = np.concatenate([followed, self._dismissed])
        return len(unexplained(mask, known)) > 0

    def looked(self, mask: Mask, followed: Boxes, time_s: float) -> None:
        """Note that the network looked; what moves outside ``followed`` is none of its objects."""
        self._looked_s = self._dismissed_s = time_s
        self._dismissed = unexplained(mask, followed)


def unexplained(mask: Mask, known: Boxes) -> Boxes:
    """Boxes (N, 4) of what moves outside the known boxes and their margins."""
    rest = mask.copy()
    margin = MARGIN * (known[:, 2:] - known[:, :2])
    low = np.maximum(np.floor(known[:, :2] - margin), 0).astype(int)
    high = np.maximum(np.ceil(known[:, 2:] + margin), 0).astype(int)
    for (left, top), (right, bottom) in zip(low, high, strict=True):
        rest[top:bottom, left:right] = 0
    if not rest.any():
        return no_boxes()
    _, boxes, area = blobs_of(rest)
    return boxes[large(boxes, area, mask)]
