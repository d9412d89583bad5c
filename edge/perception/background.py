"""What the empty scene looks like, learnt per camera from brightness and colour.

* The background is a band: the darkest and brightest of its 3 × 3 neighbourhood, so that a camera
  that trembles by a pixel stays inside it along edges, widened by the pixel's own threshold.
* Brightness is compared after the frame's global gain is taken out (auto-exposure, clouds), colour
  after its global tint.
* The threshold of a pixel grows with its noise and with how often it flips between still and
  moving (leaves, water), which people walking through do rarely.
* A shadow darkens and leaves the colour: that tells it from an object, but only to a camera that
  sees colour. To others, darkening needs more than brightening.
* The hole that a learnt object left is told from an object that stands still by how much either
  looks like its surroundings. (Edges, which served before, took people before shelves for holes.)

Comparing is one call on 8-bit pictures at most 320 px wide; learning takes a few, 2.5 times a
second. MOG2 and KNN, which keep several modes per pixel, were tried in its place, all on brightness
alone, at two settings each: both took longer. On small people (25 px) fewer of their boxes were
right; on people twice that size KNN did as well.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.perception.sheet import (
    NEUTRAL,
    Grey,
    Mask,
    Sheet,
    colour_of,
    grey_of,
    in_colour,
    spread,
)

Floats2d: TypeAlias = npt.NDArray[np.float32]  # the shape of a sheet

KERNEL = np.ones((3, 3), np.uint8)
UPRIGHT = np.ones((15, 1), np.uint8)  # what lies between a head and its feet is no shadow
RING = np.ones((9, 9), np.uint8)  # around a place, to compare its looks with
LEARN_S = 2.0  # the first seconds: the background is their median, nothing is found
LEARN_FRAMES = 15  # pictures that the median is taken of
DUE_S = 1e-3  # before it a picture is due: camera rates divide these seconds, and times are rounded
UPDATE_S = 0.38  # least time between two updates of what was learnt
ADAPT_S = 10.0  # time constant with which still pixels follow the light
FLICKER_S = 20.0  # time constant of a pixel's flip rate
LEAST_CONTRAST = 9.0  # grey levels that an object must differ by
LEAST_COLOUR = 5.0  # ... and levels of U or V
SHADOW = 0.14  # part of the light that a soft shadow takes away
DEEP_SHADOW = 0.5  # ... and a hard one at most
COLOURFUL = 1.5  # mean distance from grey, in levels of U and V, of what a colour camera sees
NOISE_FACTOR = 2.0  # mean absolute deviations of the pixel's own noise
USUAL_FLICKER = 0.12  # flips per frame that people walking through cause
FLICKER_FACTOR = 120.0  # grey levels per flip and frame beyond those
STILL_CONTRAST = 8.0  # a pixel that changed less than this since the last update stands still
ABSORB_S = 90.0  # an object that stands this long becomes background
GHOST_S = 1.0  # ... and a hole that an object left behind this short
GHOST_LIKENESS = 0.2  # by which a hole is more like its surroundings than what was learnt there
LEVELS = 64  # of brightness, in which looks are compared
FLOOD = 0.6  # moving fraction beyond which the picture as a whole changed
FLOOD_S = 2.0  # ... and for how long until the background is learnt anew


class Background:
    """The empty scene of one camera."""

    def __init__(self) -> None:
        self._start: list[Sheet] = []
        self._start_s = 0.0
        self._scene: _Scene | None = None

    def observe(self, sheet: Sheet, time_s: float) -> Mask:
        """Which pixels of a sheet do not belong to the scene, (h, w) of 0 and 1.

        None while the scene is being learnt. Time never steps back.
        """
        if self._scene is None:
            self._learn(sheet, time_s)
            return np.zeros_like(grey_of(sheet))
        mask = self._scene.observe(sheet, time_s)
        if self._scene.flooded:
            self._scene = None  # another scene: learn it anew
        return mask

    def _learn(self, sheet: Sheet, time_s: float) -> None:
        if not self._start:
            self._start_s = time_s
        elapsed_s = time_s - self._start_s + DUE_S
        if elapsed_s >= LEARN_S * len(self._start) / LEARN_FRAMES:
            self._start.append(sheet)
        if elapsed_s >= LEARN_S and len(self._start) > 2:
            usual = np.median(np.stack(self._start), axis=0).astype(np.float32)
            self._start, self._scene = [], _Scene(usual, sheet, time_s)


class _Scene:
    """A scene that was learnt, and its upkeep; everything has the shape of a sheet."""

    def __init__(self, usual: Floats2d, sheet: Sheet, time_s: float) -> None:
        self._usual = usual  # the sheet without objects
        self._noise = np.full_like(usual, 2.0)  # mean absolute deviation of still pixels
        self._flicker = np.zeros_like(usual)  # flips per frame
        self._standing_s = np.zeros_like(grey_of(usual))  # how long an object stood still there
        self._mask = np.zeros_like(grey_of(sheet))  # of the latest frame
        self._updated = sheet  # the frame of the latest update
        self._updated_s = self._time_s = time_s
        self._flood_s = 0.0
        self._set_band()

    @property
    def flooded(self) -> bool:
        """Whether nearly everything has differed for a while."""
        return self._flood_s > FLOOD_S

    def observe(self, sheet: Sheet, time_s: float) -> Mask:
        """Compare with the scene, and keep it up to date."""
        balanced = self._balance(sheet)
        usual = cv2.inRange(balanced, self._lowest, self._highest)  # 255 or 0
        differs = np.asarray(cv2.threshold(usual, 127, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)
        coloured = in_colour(differs)
        mask = grey_of(differs) | coloured
        flooded = cv2.countNonZero(mask) > FLOOD * mask.size
        self._flood_s = self._flood_s + time_s - self._time_s if flooded else 0.0
        if time_s - self._updated_s >= UPDATE_S:
            elapsed_s = min(time_s - self._updated_s, ADAPT_S)
            self._follow_light(balanced, mask, elapsed_s)
            self._absorb(balanced, mask, elapsed_s)
            self._set_band()
            self._updated, self._updated_s = balanced, time_s
        self._mask, self._time_s = mask, time_s
        return self._without_shadows(grey_of(balanced), mask, coloured)

    def _without_shadows(self, grey: Grey, mask: Mask, coloured: Mask) -> Mask:
        """Drop what is as dark as a shadow and has the scene's colour, unless it is amid a body."""
        if not self._sees_colour:
            return mask
        lit = ~np.asarray(cv2.inRange(grey, self._shadow, grey_of(self._lowest)), np.uint8)
        sure = mask & (lit | coloured)
        body = np.asarray(cv2.morphologyEx(sure, cv2.MORPH_CLOSE, UPRIGHT), np.uint8)
        return mask & body

    def _balance(self, sheet: Sheet) -> Sheet:
        """Undo the frame's global gain and tint: medians over a coarse grid."""
        usual, now = self._usual[2::5, 2::5], sheet[2::5, 2::5].astype(np.float32)
        bright, width = len(usual) * 2 // 3, usual.shape[1] // 2
        gain = float(np.median((usual[:bright] + 8) / (now[:bright] + 8)))  # 8: dark has no ratio
        tint = usual[bright:] - now[bright:]
        tints = float(np.median(tint[:, :width])), float(np.median(tint[:, width:]))
        balanced = sheet.copy()
        if abs(gain - 1) >= 0.01:
            cv2.convertScaleAbs(grey_of(sheet), grey_of(balanced), alpha=gain, beta=8 * (gain - 1))
        halves = np.split(colour_of(balanced), 2, axis=1)
        for half, shift in zip(halves, tints, strict=True):
            if abs(shift) >= 1:
                half[:] = cv2.convertScaleAbs(half, alpha=1, beta=shift)
        return balanced

    def _set_band(self) -> None:
        """The darkest and brightest that each pixel may be, and how dark a shadow makes it."""
        unrest = np.maximum(self._flicker - USUAL_FLICKER, 0) * FLICKER_FACTOR
        least = self._noise * NOISE_FACTOR + unrest
        contrast, tint = grey_of(least), colour_of(least)
        np.maximum(contrast, LEAST_CONTRAST, out=contrast)
        np.maximum(tint, LEAST_COLOUR, out=tint)
        usual = np.asarray(cv2.convertScaleAbs(self._usual), np.uint8)
        self._highest = cv2.add(cv2.dilate(usual, KERNEL), least, dtype=cv2.CV_8U)
        self._shadow = cv2.convertScaleAbs(grey_of(usual), alpha=1 - DEEP_SHADOW)
        np.maximum(contrast, grey_of(self._usual) * np.float32(SHADOW), out=contrast)
        self._lowest = cv2.subtract(cv2.erode(usual, KERNEL), least, dtype=cv2.CV_8U)
        self._sees_colour = _colourfulness(usual) > COLOURFUL

    def _follow_light(self, sheet: Sheet, mask: Mask, elapsed_s: float) -> None:
        """Still pixels follow the light and tell their noise; flips are counted everywhere."""
        background = spread(np.asarray((mask | self._mask) ^ 1, np.uint8))
        weight = 1 - math.exp(-elapsed_s / ADAPT_S)
        deviation = cv2.absdiff(sheet.astype(np.float32), self._usual)
        cv2.accumulateWeighted(deviation, self._noise, weight, background)
        cv2.accumulateWeighted(sheet, self._usual, weight, background)
        cv2.accumulateWeighted(
            spread(mask ^ self._mask), self._flicker, 1 - math.exp(-elapsed_s / FLICKER_S)
        )

    def _absorb(self, sheet: Sheet, mask: Mask, elapsed_s: float) -> None:
        """What stands still long enough becomes background; holes at once."""
        grey = grey_of(sheet)
        change = cv2.absdiff(grey, grey_of(self._updated))
        standing = mask & (change < STILL_CONTRAST)
        self._standing_s = (self._standing_s + np.float32(elapsed_s)) * standing
        if self._standing_s.max() < GHOST_S:
            return
        old = (self._standing_s > ABSORB_S) | self._ghosts(grey, mask)
        everywhere = spread(np.asarray(old, np.uint8)) > 0
        self._usual[everywhere] = sheet[everywhere]
        self._standing_s[old] = 0

    def _ghosts(self, grey: Grey, mask: Mask) -> npt.NDArray[np.bool_]:
        """Where an object was learnt and left: now the place looks like what is around it.

        A person who stands still is the other way round. Looks are brightness histograms.
        """
        standing = np.asarray(self._standing_s > GHOST_S, np.uint8)
        count, labels, _, _ = cv2.connectedComponentsWithStats(standing, ltype=cv2.CV_16U)
        places = np.asarray(labels, np.uint16)
        around = np.asarray(cv2.dilate(places, RING) * (mask ^ 1), np.uint16)
        learnt = np.asarray(cv2.convertScaleAbs(grey_of(self._usual)), np.uint8)
        ring = _looks(grey, around, count)
        now, before = (_looks(each, places, count) for each in (grey, learnt))
        likeness = np.minimum(now, ring).sum(axis=1) - np.minimum(before, ring).sum(axis=1)
        ghosts = likeness > GHOST_LIKENESS
        return np.asarray(ghosts[cv2.dilate(places, KERNEL)], np.bool_)


def _looks(grey: Grey, labels: npt.NDArray[np.uint16], count: int) -> npt.NDArray[np.float64]:
    """Brightness histograms of labelled places, (count, LEVELS), each of sum 1; 0 for label 0."""
    where = np.flatnonzero(labels > 0)
    cells = labels.ravel()[where].astype(np.intp) * LEVELS + grey.ravel()[where] // (256 // LEVELS)
    looks = np.bincount(cells, minlength=count * LEVELS).reshape(count, LEVELS)
    return np.asarray(looks / np.maximum(looks.sum(axis=1, keepdims=True), 1))


def _colourfulness(sheet: Sheet) -> float:
    """Mean distance of U and V from grey, of every fourth pixel."""
    return float(np.abs(colour_of(sheet)[::2, ::2].astype(np.int16) - NEUTRAL).mean())
