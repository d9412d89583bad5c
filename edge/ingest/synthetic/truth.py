"""Which objects of a street are visible, and their boxes.

An object is visible where at least ``VISIBLE_SHARE`` of its box lies inside the picture. Being
hidden behind others does not count: a box that is covered is still listed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edge.domain.truth import ObjectTruth
from edge.ingest.synthetic.camera import Array
from edge.ingest.synthetic.draw import Sprite

VISIBLE_SHARE = 0.3


def visible_objects(
    sprites: Iterable[Sprite], width_px: int, height_px: int
) -> tuple[ObjectTruth, ...]:
    """The truth of those that are visible, far ones first."""
    objects = []
    for each in sorted(sprites, key=lambda each: -each.depth_m):
        box = clipped(each.box_xyxy, width_px, height_px)
        if box is not None:
            actor, state = each.actor, each.state
            objects.append(
                ObjectTruth(actor.object_id, actor.species, state.action, box, state.anomalous)
            )
    return tuple(objects)


def clipped(box: Array, width_px: int, height_px: int) -> tuple[float, float, float, float] | None:
    """The part of a box in the picture, or None where less than ``VISIBLE_SHARE`` of it is."""
    limits = (width_px, height_px, width_px, height_px)
    inside = np.clip(box, 0, limits)
    whole = (box[2] - box[0]) * (box[3] - box[1])
    if (inside[2] - inside[0]) * (inside[3] - inside[1]) < VISIBLE_SHARE * whole:
        return None
    return float(inside[0]), float(inside[1]), float(inside[2]), float(inside[3])
