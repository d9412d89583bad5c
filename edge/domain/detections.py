"""What a detector found in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats, no_boxes


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N boxes found in one frame; an empty frame has N = 0, never ``None``."""

    boxes_xyxy: Boxes  # (N, 4) pixels of the analysed frame
    confidence: Floats  # (N,) in [0, 1]
    class_id: npt.NDArray[np.int32]  # (N,) index into the detector's label list

    @classmethod
    def none(cls) -> Detections:
        """The detections of an empty frame."""
        return cls(no_boxes(), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def where(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Detections:
        """Those that a mask or an index array picks."""
        return Detections(self.boxes_xyxy[keep], self.confidence[keep], self.class_id[keep])
