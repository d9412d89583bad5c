"""What the empty scene looks like, learnt per camera from brightness alone.

* The background is a band: the darkest and brightest of its 3 × 3 neighbourhood, so that a camera
  that trembles by a pixel stays inside it along edges, widened by the pixel's own threshold.
* Brightness is compared after the frame's global gain is taken out (auto-exposure, clouds).
* The threshold of a pixel grows with its noise and with how often it flips between still and
  moving (leaves, water), which people walking through do rarely; darkening needs more than
  brightening, for shadows darken.
* An object that left a hole in what was learnt is told from one that stands still by their edges.

Comparing is one call on 8-bit pictures at most 320 px wide; learning takes a few, 2.5 times a
second. MOG2 and KNN, which keep several modes per pixel, were tried in its place at two settings
each: both took longer. On small people (25 px) fewer of their boxes were right; on people twice
that size KNN did as well.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.uint8]  # (h, w) of 0 and 1
Grey: TypeAlias = npt.NDArray[np.uint8]  # (h, w)
Floats2d: TypeAlias = npt.NDArray[np.float32]  # (h, w)

WIDTH_PX = 320  # widest picture that motion is looked for in
KERNEL = np.ones((3, 3), np.uint8)
LEARN_S = 2.0  # the first seconds: the background is their median, nothing is found
LEARN_FRAMES = 15  # pictures that the median is taken of
UPDATE_S = 0.38  # least time between two updates of what was learnt
ADAPT_S = 10.0  # time constant with which still pixels follow the light
FLICKER_S = 20.0  # time constant of a pixel's flip rate
LEAST_CONTRAST = 9.0  # grey levels that an object must differ by
SHADOW = 0.14  # part of the light that a soft shadow takes away
NOISE_FACTOR = 2.0  # mean absolute deviations of the pixel's own noise
USUAL_FLICKER = 0.12  # flips per frame that people walking through cause
FLICKER_FACTOR = 120.0  # grey levels per flip and frame beyond those
STILL_CONTRAST = 8.0  # a pixel that changed less than this since the last update stands still
ABSORB_S = 90.0  # an object that stands this long becomes background
GHOST_S = 1.0  # ... and a hole that an object left behind this short
GHOST_EDGES = 1.5  # times the edges of the frame that a hole has in the learnt picture
FLOOD = 0.6  # moving fraction beyond which the picture as a whole changed
FLOOD_S = 2.0  # ... and for how long until the background is learnt anew


def motion_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture that motion is looked for in."""
    scale = min(1.0, WIDTH_PX / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


class Background:
    """The empty scene of one camera."""

    def __init__(self) -> None:
        self._start: list[Grey] = []
        self._start_s = 0.0
        self._scene: _Scene | None = None

    def observe(self, grey: Grey, time_s: float) -> Mask:
        """Which pixels of an (h, w) picture do not belong to the scene, as 0/1.

        None while the scene is being learnt. Time never steps back.
        """
        if self._scene is None:
            self._learn(grey, time_s)
            return np.zeros_like(grey)
        mask = self._scene.observe(grey, time_s)
        if self._scene.flooded:
            self._scene = None  # another scene: learn it anew
        return mask

    def _learn(self, grey: Grey, time_s: float) -> None:
        if not self._start:
            self._start_s = time_s
        elapsed_s = time_s - self._start_s
        if elapsed_s >= LEARN_S * len(self._start) / LEARN_FRAMES:
            self._start.append(grey)
        if elapsed_s >= LEARN_S and len(self._start) > 2:
            usual = np.median(np.stack(self._start), axis=0).astype(np.float32)
            self._start, self._scene = [], _Scene(usual, grey, time_s)


class _Scene:
    """A scene that was learnt, and its upkeep."""

    def __init__(self, usual: Floats2d, grey: Grey, time_s: float) -> None:
        self._usual = usual  # brightness without objects
        self._noise = np.full_like(usual, 2.0)  # mean absolute deviation of still pixels
        self._flicker = np.zeros_like(usual)  # flips per frame
        self._standing_s = np.zeros_like(usual)  # how long an object has stood still there
        self._mask = np.zeros_like(grey)  # of the latest frame
        self._updated = grey  # the frame of the latest update
        self._updated_s = self._time_s = time_s
        self._flood_s = 0.0
        self._set_band()

    @property
    def flooded(self) -> bool:
        """Whether nearly everything has differed for a while."""
        return self._flood_s > FLOOD_S

    def observe(self, grey: Grey, time_s: float) -> Mask:
        """Compare with the scene, and keep it up to date."""
        balanced = self._balance(grey)
        usual = cv2.inRange(balanced, self._lowest, self._highest)  # 255 or 0
        mask = np.asarray(cv2.threshold(usual, 127, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)
        flooded = cv2.countNonZero(mask) > FLOOD * mask.size
        self._flood_s = self._flood_s + time_s - self._time_s if flooded else 0.0
        if time_s - self._updated_s >= UPDATE_S:
            elapsed_s = min(time_s - self._updated_s, ADAPT_S)
            self._follow_light(balanced, mask, elapsed_s)
            self._absorb(balanced, mask, elapsed_s)
            self._set_band()
            self._updated, self._updated_s = balanced, time_s
        self._mask, self._time_s = mask, time_s
        return mask

    def _balance(self, grey: Grey) -> Grey:
        """Undo the frame's global gain: the median ratio over a coarse grid."""
        usual, now = self._usual[2::5, 2::5], grey[2::5, 2::5].astype(np.float32)
        gain = float(np.median((usual + 8) / (now + 8)))  # 8: the dark has no ratio
        if abs(gain - 1) < 0.01:
            return grey
        return np.asarray(cv2.convertScaleAbs(grey, alpha=gain, beta=8 * (gain - 1)), np.uint8)

    def _set_band(self) -> None:
        """The darkest and brightest that each pixel may be."""
        unrest = np.maximum(self._flicker - USUAL_FLICKER, 0) * FLICKER_FACTOR
        least = np.maximum(self._noise * NOISE_FACTOR + unrest, LEAST_CONTRAST)
        lowest, highest = cv2.erode(self._usual, KERNEL), cv2.dilate(self._usual, KERNEL)
        darker = lowest - np.maximum(least, self._usual * SHADOW)
        self._lowest = np.maximum(darker, 0).astype(np.uint8)
        self._highest = np.minimum(highest + least, 255).astype(np.uint8)

    def _follow_light(self, grey: Grey, mask: Mask, elapsed_s: float) -> None:
        """Still pixels follow the light and tell their noise; flips are counted everywhere."""
        background = (mask ^ 1) & (self._mask ^ 1)
        weight = 1 - math.exp(-elapsed_s / ADAPT_S)
        deviation = cv2.absdiff(grey.astype(np.float32), self._usual)
        cv2.accumulateWeighted(deviation, self._noise, weight, background)
        cv2.accumulateWeighted(grey, self._usual, weight, background)
        cv2.accumulateWeighted(
            mask ^ self._mask, self._flicker, 1 - math.exp(-elapsed_s / FLICKER_S)
        )

    def _absorb(self, grey: Grey, mask: Mask, elapsed_s: float) -> None:
        """What stands still long enough becomes background; holes at once."""
        change = cv2.absdiff(grey, self._updated)
        standing = mask & (change < STILL_CONTRAST)
        self._standing_s = (self._standing_s + np.float32(elapsed_s)) * standing
        if self._standing_s.max() < GHOST_S:
            return
        old = (self._standing_s > ABSORB_S) | self._ghosts(grey)
        self._usual[old] = grey[old]
        self._standing_s[old] = 0

    def _ghosts(self, grey: Grey) -> npt.NDArray[np.bool_]:
        """An object that was learnt and left is outlined in the learnt picture, not in the frame.

        A person who stands still is the other way round.
        """
        standing = np.asarray(self._standing_s > GHOST_S, np.uint8)
        count, labels, _, _ = cv2.connectedComponentsWithStats(standing, ltype=cv2.CV_16U)
        wide = cv2.dilate(labels, KERNEL)
        outline = (wide > 0) & (cv2.erode(standing, KERNEL) == 0)
        learnt = np.asarray(cv2.convertScaleAbs(self._usual), np.uint8)
        in_frame = np.bincount(wide[outline], _edges(grey)[outline], count)
        in_learnt = np.bincount(wide[outline], _edges(learnt)[outline], count)
        ghosts = in_learnt > GHOST_EDGES * in_frame
        return np.asarray(ghosts[wide], np.bool_)


def _edges(grey: Grey) -> Grey:
    """How much each pixel differs from its neighbours."""
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, KERNEL), np.uint8)
