"""The port behind which networks that find objects stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.detections import Detections

Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) BGR


class Detector(ABC):
    """Finds objects in pictures; keeps no state, so that one serves all cameras."""

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Names that ``class_id`` of the detections points into."""

    @abstractmethod
    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """What is in each picture, boxes in its own pixels; pictures may differ in size."""
