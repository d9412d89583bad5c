from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.zones import Zone

SIZE = (640, 360)
L_SHAPE = Zone("L", ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))


@given(st.integers(1, 639), st.integers(1, 359))
def test_a_zone_with_a_notch_holds_what_is_inside(x, y):
    if x == 320 or y == 180:
        return
    inside = not (x > 320 and y < 180)
    assert L_SHAPE.holds((x - 5, y - 20, x + 5, y), SIZE) is inside


@given(st.integers(0, 5))
def test_the_first_corner_does_not_matter(turn):
    turned = Zone("L", L_SHAPE.corners[turn:] + L_SHAPE.corners[:turn])
    for box in ((10.0, 0.0, 20.0, 50.0), (600.0, 0.0, 620.0, 50.0), (600.0, 0.0, 620.0, 350.0)):
        assert turned.holds(box, SIZE) == L_SHAPE.holds(box, SIZE)
