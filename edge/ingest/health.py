"""Does the camera still show the world? Frozen, covered, gone: told apart, debounced.

Frozen: 30 s in which samples of the luma stay, on average, within 0.3 grey levels of one picture.
A still picture that is encoded again and again differs from itself by up to 0.11 (x264 at CRF 23
and 30: its key frames), a dark scene with the least sensor noise (sigma 1) by 0.75 and more as
soon as a key frame passes. Samples, not block means, are compared: averaging would remove the very
noise that tells a quiet night from a dead encoder. Starved constant-bitrate encoders pump a still
picture by more than a quiet night moves; such a freeze is not seen.

Covered: 5 s in which the picture shows no detail, be it black, fogged or lit through a hand.
Detail is the mean difference of neighbouring 8-pixel blocks: daylight scenes have 15 to 23, a
night at a tenth of their contrast 2.4, sensor noise or a smooth gradient alone 1.0 to 1.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Bytes2d

CELL_PX = 8
Visible = npt.NDArray[np.bool_]


class State(StrEnum):
    """What a camera is doing; the words are those of the status topic."""

    ONLINE = "online"
    OFFLINE = "offline"
    FROZEN = "frozen"
    COVERED = "covered"


class Transition(Enum):
    """What one step changed."""

    NONE = auto()
    LOST = auto()  # the connection failed
    FROZE = auto()
    COVERED = auto()
    RECOVERED = auto()


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """When a camera counts as frozen, covered, recovered."""

    frozen_after_s: float = 30.0
    still_difference: float = 0.3  # grey levels, mean over the samples
    covered_after_s: float = 5.0
    min_detail: float = 1.8  # grey levels between neighbouring blocks, both directions summed
    good_frames: int = 3  # in a row, before a camera counts as recovered


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The little of a picture that health looks at."""

    samples: Bytes2d  # every eighth pixel of every eighth row; 0 under privacy masks
    num_visible: int  # samples that no mask hides
    detail: float  # grey levels


def look(luma: Bytes2d, visible: Visible | None = None) -> Sight:
    """Reduce (height, width) luma to what health needs, in some 0.1 ms at 640x360.

    Args:
        luma: at least 16 by 16 pixels.
        visible: (height // 8, width // 8), the cells that no privacy mask hides; None: all.

    """
    rows, columns = luma.shape[0] // CELL_PX, luma.shape[1] // CELL_PX
    blocks = cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA)
    samples = luma[CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX][:rows, :columns]
    across = np.asarray(cv2.absdiff(blocks[:, 1:], blocks[:, :-1]), np.uint8)
    down = np.asarray(cv2.absdiff(blocks[1:], blocks[:-1]), np.uint8)
    if visible is None:
        return Sight(np.ascontiguousarray(samples), samples.size, _mean(across) + _mean(down))
    detail = _mean(across[visible[:, 1:] & visible[:, :-1]])
    detail += _mean(down[visible[1:] & visible[:-1]])
    return Sight(np.where(visible, samples, np.uint8(0)), int(visible.sum()), detail)


def _mean(values: Bytes2d) -> float:
    return cv2.norm(values, cv2.NORM_L1) / values.size if values.size else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """The health of one camera after its latest frame; a step makes a new one.

    A camera starts offline. Frames count for scoring and learning only while it is online.
    """

    limits: HealthLimits = HealthLimits()
    state: State = State.OFFLINE
    good_frames: int = 0  # in a row
    reference: Bytes2d | None = None  # samples of the picture that all since have resembled
    still_since_s: float = 0.0
    detailed_s: float = 0.0  # when the picture last showed detail

    def lose(self) -> tuple[Health, Transition]:
        """Note that the connection failed; what was seen before it says nothing any more."""
        changed = Transition.NONE if self.state is State.OFFLINE else Transition.LOST
        return Health(self.limits), changed

    def step(self, sight: Sight, time_s: float) -> tuple[Health, Transition]:
        """Take in one analysed frame captured at ``time_s``."""
        seen = self._see(sight, time_s)
        verdict = seen._verdict(time_s)
        if verdict is State.ONLINE:
            return seen._count_good()
        if verdict is seen.state:
            return replace(seen, good_frames=0), Transition.NONE
        changed = Transition.FROZE if verdict is State.FROZEN else Transition.COVERED
        return replace(seen, state=verdict, good_frames=0), changed

    def _see(self, sight: Sight, time_s: float) -> Health:
        """Note since when the picture is still and when it last showed detail."""
        first = self.reference is None
        detailed = first or sight.detail >= self.limits.min_detail
        seen = replace(self, detailed_s=time_s) if detailed else self
        if seen._resembles(sight):
            return seen
        return replace(seen, reference=sight.samples, still_since_s=time_s)

    def _resembles(self, sight: Sight) -> bool:
        if self.reference is None or self.reference.shape != sight.samples.shape:
            return False
        difference = cv2.norm(self.reference, sight.samples, cv2.NORM_L1)
        return difference <= self.limits.still_difference * sight.num_visible

    def _verdict(self, time_s: float) -> State:
        if time_s - self.detailed_s >= self.limits.covered_after_s:
            return State.COVERED
        if time_s - self.still_since_s >= self.limits.frozen_after_s:
            return State.FROZEN
        return State.ONLINE

    def _count_good(self) -> tuple[Health, Transition]:
        if self.state is State.ONLINE:
            return self, Transition.NONE
        good_frames = self.good_frames + 1
        if good_frames < self.limits.good_frames:
            return replace(self, good_frames=good_frames), Transition.NONE
        return replace(self, state=State.ONLINE, good_frames=0), Transition.RECOVERED
