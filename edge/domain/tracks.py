"""The objects being followed, as they stand after one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats, no_boxes


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """N objects seen in this frame; a track that is only predicted is not listed.

    An id belongs to one object of one camera and is never given twice while the process lives.
    """

    track_id: npt.NDArray[np.int64]  # (N,)
    boxes_xyxy: Boxes  # (N, 4) pixels of the analysed frame
    confidence: Floats  # (N,) of the latest detection, in [0, 1]
    class_id: npt.NDArray[np.int32]  # (N,) index into the detector's label list

    @classmethod
    def none(cls) -> Tracks:
        """Nothing is followed."""
        return cls(
            np.zeros(0, np.int64), no_boxes(), np.zeros(0, np.float32), np.zeros(0, np.int32)
        )

    def __len__(self) -> int:
        return len(self.track_id)
