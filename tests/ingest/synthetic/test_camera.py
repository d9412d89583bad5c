import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.synthetic.camera import Camera

CAMERA = Camera.mounted(width_px=640, height_px=360, mount_m=5, yaw_rad=0.15, pitch_rad=0.2)
GROUND = st.tuples(st.floats(-8, 8), st.floats(8, 22))


@given(GROUND)
def test_the_ground_homography_is_the_camera_on_the_ground(place):
    x, z = place
    flat = CAMERA.ground() @ [x, z, 1]
    np.testing.assert_allclose(flat[:2] / flat[2], CAMERA.project(np.array([x, 0, z])))


@given(GROUND, st.floats(0.5, 5))
def test_what_is_further_away_is_smaller(place, further):
    def height(z):
        foot, head = CAMERA.project(np.array([(0, 0, z), (0, 1.7, z)]))
        return foot[1] - head[1]

    assert height(place[1]) > height(place[1] + further)


@given(GROUND)
def test_what_is_in_the_picture_is_within_the_span(place):
    x, z = place
    left, right = CAMERA.span_m(z, 0.0)
    column = CAMERA.project(np.array([x, 0, z]))[0]
    if 0 <= column <= 639:
        assert left <= x <= right


@given(GROUND, st.floats(0, 3), st.integers(2, 4))
def test_an_enlarged_view_shows_the_same(place, y, factor):
    point = np.array([place[0], y, place[1]])
    small, large = CAMERA.project(point), CAMERA.enlarged(factor).project(point)
    np.testing.assert_allclose((large + 0.5) / factor, small + 0.5, atol=1e-6)
