"""A clip's objects frame by frame, and the scene segments that they make up.

Segments are 16 analysed frames. Those to learn from do not overlap; at a test they slide, as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.simulate.problem import Array
from aggregator.simulate.segments import LabelledClip
from edge.domain.features import Features
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.evaluation.figures import Labels
from edge.features.scene_segment import object_values


@dataclass(frozen=True, slots=True, eq=False)
class DescribedClip:
    """The kinematics of a clip's objects."""

    frames: Sequence[Features]  # analysed
    labels: Labels | None  # (T,) of the footage; None: nobody labelled it, nothing happens
    stride: int  # every so many frames of the footage one is analysed
    values: Callable[[Sequence[Features]], Array] = object_values  # (d,) of a segment's frames

    def apart(self) -> Array:
        """Segments that do not overlap, (m, d); a rest shorter than a segment is not one."""
        ends = range(SCENE_SEGMENT_FRAMES, len(self.frames) + 1, SCENE_SEGMENT_FRAMES)
        return self.ending_at(ends or [len(self.frames)])

    def ending_at(self, ends: Iterable[int]) -> Array:
        """The segments before these frames, (m, d); the first ones are shorter."""
        size = SCENE_SEGMENT_FRAMES
        return np.array([self.values(self.frames[max(e - size, 0) : e]) for e in ends])

    def test(self, name: str, standardise: Callable[[Array], Array]) -> LabelledClip:
        """A segment ends at every analysed frame, so what is known is never old."""
        last = len(self.frames) - 1
        labels = np.zeros(self.stride * len(self.frames), np.bool_)
        labels = labels if self.labels is None else self.labels
        at = np.arange(len(labels)) // self.stride
        block = at // SCENE_SEGMENT_FRAMES
        return LabelledClip(
            name=name,
            values=standardise(self.ending_at(range(1, last + 2))),
            labels=labels,
            known=at,
            within=np.minimum((block + 1) * SCENE_SEGMENT_FRAMES - 1, last),
        )
