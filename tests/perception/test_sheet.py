import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.frame import Frame
from edge.perception.sheet import (
    NEUTRAL,
    colour_of,
    grey_of,
    grey_sheet,
    in_colour,
    sheet_of,
    spread,
)

SIZES = st.tuples(st.integers(2, 60), st.integers(1, 60).map(lambda half: 2 * half))


def frame_of(bgr):
    return Frame.from_bgr(bgr, camera="a", index=0, time_s=0.0, received_s=0.0)


@given(SIZES)
def test_brightness_and_colour_are_told_apart_at_any_height(size):
    sheet = grey_sheet(np.zeros(size, np.uint8))
    assert grey_of(sheet).shape == size
    assert (colour_of(sheet) == NEUTRAL).all()
    assert len(sheet) == len(grey_of(sheet)) + len(colour_of(sheet))


@given(SIZES, st.integers(0, 2**32 - 1))
def test_a_spread_mask_is_found_again_in_colour(size, seed):
    coarse = np.random.default_rng(seed).integers(0, 2, (size[0] // 2, size[1] // 2), np.uint8)
    mask = np.kron(coarse, np.ones((2, 2), np.uint8))
    np.testing.assert_array_equal(in_colour(spread(mask)), mask)


@pytest.mark.parametrize("size", [(360, 640), (240, 360), (90, 160), (1080, 1920)])
def test_a_sheet_holds_the_frames_planes(size):
    red = np.zeros((*size, 3), np.uint8)
    red[..., 2] = 200
    sheet = sheet_of(frame_of(red))
    y, v, u = cv2.cvtColor(red[:1, :1], cv2.COLOR_BGR2YCrCb)[0, 0].astype(int)
    left, right = np.split(colour_of(sheet).astype(int), 2, axis=1)
    assert abs(grey_of(sheet).astype(int) - y).max() <= 30  # video range against full range
    assert (left < NEUTRAL).all() == (u < NEUTRAL)
    assert (right > NEUTRAL).all() == (v > NEUTRAL)
