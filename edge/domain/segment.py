"""Segments: the last few observations of every object in sight, and of the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEGMENT_FRAMES = 9
"""Analysed frames in an object segment (SVAD, section 3.1): about a second at 8 Hz."""

SCENE_SEGMENT_FRAMES = 16
"""Analysed frames in a scene segment (CLAP, section 4.1): two seconds at 8 Hz."""

MAX_GAP_S = 1.0
"""After a longer pause a new segment begins: a line across the gap would be a guess."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSegments:
    """N object segments that end at one analysed frame; n = SEGMENT_FRAMES observations each.

    The newest observation is the last. A track younger than n observations has its oldest one
    repeated at the front: ``seen`` says how many at the end are real.
    """

    track_id: npt.NDArray[np.int64]  # (N,)
    class_id: npt.NDArray[np.int32]  # (N,) index into the detector's label list
    time_s: npt.NDArray[np.float64]  # (N, n) seconds, never decreasing along a row
    boxes_xyxy: npt.NDArray[np.float32]  # (N, n, 4) pixels of the analysed frame
    seen: npt.NDArray[np.int32]  # (N,) real observations, in [1, n]
    age_s: npt.NDArray[np.float32]  # (N,) since the track was first seen
    width: int  # of the analysed frame, pixels
    height: int

    @classmethod
    def none(cls, width: int, height: int) -> ObjectSegments:
        """No object is in sight."""
        return cls(
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
            np.zeros((0, SEGMENT_FRAMES)),
            np.zeros((0, SEGMENT_FRAMES, 4), np.float32),
            np.zeros(0, np.int32),
            np.zeros(0, np.float32),
            width,
            height,
        )

    def __len__(self) -> int:
        return len(self.track_id)
