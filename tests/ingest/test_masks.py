import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.ingest.masks import PrivacyMasks

FRACTION = st.floats(0, 1, width=32)
TRIANGLE = st.tuples(*[st.tuples(FRACTION, FRACTION)] * 3)
SQUARE = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]


def bright(width: int = 64, height: int = 48):
    return np.full((height * 3 // 2, width), 200, np.uint8)


@given(TRIANGLE, st.sampled_from([(64, 48), (66, 50), (30, 18)]))
def test_every_pixel_whose_middle_is_masked_is_black(corners, size) -> None:
    (ax, ay), (bx, by), (cx, cy) = np.array(corners) * size
    doubled_area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if abs(doubled_area) < 2:
        return
    planes = bright(*size)
    PrivacyMasks([corners]).apply(planes)
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    sides = [(ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)]
    turns = [(x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) for x1, y1, x2, y2 in sides]
    inside = np.logical_and.reduce([np.sign(doubled_area) * turn > 0 for turn in turns])
    assert (planes[: size[1]][inside] == 16).all()


def test_colour_goes_with_brightness_and_the_rest_is_untouched() -> None:
    planes = bright()
    PrivacyMasks([SQUARE]).apply(planes)
    luma, (u, v) = planes[:48], planes[48:].reshape(2, 24, 32)
    for plane, hidden in ((luma, 16), (u, 128), (v, 128)):
        height, width = plane.shape
        middle = plane[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
        assert (middle == hidden).all()
        assert (plane == hidden).sum() <= (height // 2 + 3) * (width // 2 + 3)
        assert (plane[: height // 4 - 1] == 200).all()


def test_without_masks_nothing_changes() -> None:
    planes = bright()
    PrivacyMasks().apply(planes)
    assert (planes == 200).all()
    assert PrivacyMasks().visible(8, 6) is None


def test_the_grid_of_visible_cells_matches_the_mask() -> None:
    visible = PrivacyMasks([[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]).visible(8, 6)
    assert visible is not None
    assert not visible[:, :4].any()
    assert visible[:, 6:].all()


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([[0, 0], [1, 1]], "three or more"),
        ([[0, 0], [1, 1], [1]], "three or more"),
        ([[0, 0], [320, 0], [320, 200]], "not pixels"),
        ([[0, 0], [float("nan"), 0], [1, 1]], "not pixels"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "one line"),
    ],
)
def test_a_senseless_polygon_is_refused(points, reason) -> None:
    with pytest.raises(ConfigError, match=reason):
        PrivacyMasks([points])
