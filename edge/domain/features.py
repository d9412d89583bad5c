"""Features: what is measured of regions of a frame, and the description that versions it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats

SCENE = -1
"""The track id of a region that is no object: a cell of the picture, or all of it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One measured quantity, in a physical unit that a person can read."""

    name: str  # "speed"
    unit: str  # "heights/s", "" for a pure number
    log_floor: float | None = None  # compared as log(value + floor); None: as it is
    by_place: bool = False  # compared with what is usual at this place of the picture


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """A group of features that are compared together."""

    group: str  # "kinematics"
    revision: int  # raised when the computation changes
    features: tuple[Feature, ...]
    excess: bool = False  # only too much is strange, in each feature by itself: speed
    spec_version: str = field(init=False, compare=False, repr=False)
    """Changes whenever values of two versions must not be mixed: ``kinematics-1-3fa8…``."""

    def __post_init__(self) -> None:
        """Asked for at every frame, and an embedding has hundreds of features."""
        digest = hashlib.sha256(repr((self.features, self.excess)).encode()).hexdigest()[:12]
        object.__setattr__(self, "spec_version", f"{self.group}-{self.revision}-{digest}")

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The grid places of N regions that are no objects, and where what they show is going."""

    column_row: npt.NDArray[np.int32]  # (N, 2)
    velocity: Floats  # (N, 2) columns and rows per second
    shape: tuple[int, int]  # rows and columns of the grid

    def part(self, rows: slice) -> Cells:
        """Some of them."""
        return Cells(self.column_row[rows], self.velocity[rows], self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One group's values for N regions of one frame."""

    spec: FeatureSpec
    track_id: npt.NDArray[np.int64]  # (N,) or SCENE
    class_id: npt.NDArray[np.int32]  # (N,) index into the detector's label list; SCENE: unused
    boxes_xyxy: Boxes  # (N, 4) pixels of the analysed frame
    values: Floats  # (N, d) physical units, finite
    cells: Cells | None = None  # None: the regions are objects

    def __len__(self) -> int:
        return len(self.values)
