"""Optical flow where something moves: which way, and how fast, every moving pixel goes.

Dense inverse search (Kroeger et al., ECCV 2016), run on the part of the picture that moves only:
a still scene costs nothing. It is run down to half the picture's scale with many descent steps and
no smoothing across patches, which tells a small fast object from the slow crowd around it: of a
cyclist's true speed in a generated street this finds 0.87, the plain presets 0.26 to 0.57.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Bytes2d

Field = npt.NDArray[np.float32]

SPAN_S = 0.2
"""Flow is measured against the frame this long ago: in less, far people move below a pixel.

A cyclist is out of the search's reach by then, so it starts from the flow of the last frame.
"""

LONGEST_SPAN_S = 1.0  # across a longer pause nothing can be matched
FINEST_SCALE = 1  # the picture halved once
DESCENT_STEPS = 50  # per patch; the presets' 12 to 25 stop short of a fast object
MARGIN_PX = 12  # around what moves: where it came from
LEAST_SIDE_PX = 64  # the coarsest scale needs this much picture
CLOCK_S = 1e-3  # tolerance of the time stamps

Window = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The velocity of the pixels of one window of the picture."""

    window: Window  # where in the (h, w) picture
    velocity: Field  # (rows, columns, 2) right and down, in pixels per second


class FlowMeter:
    """Measures the flow of one camera."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(FINEST_SCALE)
        self._search.setGradientDescentIterations(DESCENT_STEPS)
        self._past: deque[tuple[float, Bytes2d]] = deque()

    def observe(self, grey: Bytes2d, mask: Bytes2d, time_s: float) -> Flow | None:
        """The flow at the next (h, w) picture, where ``mask`` (h, w) is not 0.

        None where nothing moves, or nothing recent and of the same size is known to compare with.
        """
        if self._past and self._past[-1][1].shape != grey.shape:
            self._past.clear()
        self._forget(time_s)
        window = moving_window(mask) if self._past else None
        flow = None if window is None else self._measure(grey, time_s, window)
        self._past.append((time_s, grey))
        return flow

    def _forget(self, time_s: float) -> None:
        """Drop what is too old, and what is older than need be."""
        while self._past and time_s - self._past[0][0] > LONGEST_SPAN_S:
            self._past.popleft()
        while len(self._past) > 1 and time_s - self._past[1][0] >= SPAN_S - CLOCK_S:
            self._past.popleft()

    def _measure(self, grey: Bytes2d, time_s: float, window: Window) -> Flow | None:
        now = np.ascontiguousarray(grey[window])
        came_from = np.zeros((*now.shape, 2), np.float32)  # pixels
        over_s = 0.0
        for then_s, then in {id(past): past for past in (self._past[-1], self._past[0])}.values():
            if time_s - then_s < CLOCK_S:
                continue  # a repeated time stamp has no speed
            if over_s:
                came_from *= np.float32((time_s - then_s) / over_s)
            # from now to then: the vectors stand where the object is, not where it was
            self._search.calc(now, np.ascontiguousarray(then[window]), came_from)
            over_s = time_s - then_s
        return Flow(window, came_from * np.float32(-1 / over_s)) if over_s else None


def moving_window(mask: Bytes2d) -> Window | None:
    """Rows and columns around everything that is not 0, with a margin; None where all is 0."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    return _span(y, height, mask.shape[0]), _span(x, width, mask.shape[1])


def _span(start: int, length: int, limit: int) -> slice:
    margin = max(MARGIN_PX, (LEAST_SIDE_PX - length + 1) // 2)
    low = max(0, min(start - margin, limit - LEAST_SIDE_PX))
    return slice(low, min(limit, max(start + length + margin, low + LEAST_SIDE_PX)))
