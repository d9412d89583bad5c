"""One picture of one camera, as the decoder gives it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bytes2d = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame in I420 planes: brightness comes free, colour only when somebody asks.

    Width and height are even. Privacy masks are already blacked out: no pixel under a mask
    reaches anybody who holds a Frame.
    """

    camera: str
    index: int  # counts the camera's analysed frames from 0; drops leave no gap
    time_s: float  # when it was captured, seconds since the epoch; never steps back
    received_s: float  # time.monotonic() when it arrived or was due; latencies start here
    planes: Bytes2d  # (height * 3 / 2, width): Y, then U and V at half size

    @classmethod
    def from_bgr(
        cls,
        bgr: npt.NDArray[np.uint8],
        *,
        camera: str,
        index: int,
        time_s: float,
        received_s: float,
    ) -> Frame:
        """Pack an (H, W, 3) BGR picture; an odd last row or column is cut off."""
        height, width = bgr.shape[0] & ~1, bgr.shape[1] & ~1
        planes = cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2YUV_I420)
        return cls(camera, index, time_s, received_s, np.asarray(planes, np.uint8))

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.planes.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.planes.shape[0]) * 2 // 3

    @property
    def luma(self) -> Bytes2d:
        """Brightness, (height, width), a view: do not write into it."""
        return self.planes[: self.height]

    def bgr(self) -> npt.NDArray[np.uint8]:
        """The colour picture, (height, width, 3), converted anew at each call."""
        return np.asarray(cv2.cvtColor(self.planes, cv2.COLOR_YUV2BGR_I420), np.uint8)
