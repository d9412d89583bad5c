import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.letterbox import GREY, Letterbox, smallest_canvas
from tests.perception.scenes import picture

sides = st.tuples(st.integers(16, 1920), st.integers(16, 1080))


@given(sides, sides, st.booleans())
def test_the_whole_picture_survives_the_round_trip(size, canvas, centred):
    box = Letterbox.fit(size, canvas, centred=centred)
    right, bottom = box.left + box.inner[0], box.top + box.inner[1]
    assert 0 <= box.left <= right <= canvas[0]
    assert 0 <= box.top <= bottom <= canvas[1]
    whole = np.array([[box.left, box.top, right, bottom]], np.float32)
    np.testing.assert_allclose(box.restore(whole), [[0, 0, *size]], rtol=1e-5)


@given(sides)
def test_proportions_are_kept_within_a_pixel(size):
    box = Letterbox.fit(size, (416, 416), centred=True)
    scale = 416 / max(size)
    assert abs(box.inner[0] - size[0] * scale) <= 1
    assert abs(box.inner[1] - size[1] * scale) <= 1


@given(sides)
def test_boxes_never_leave_the_picture(size):
    box = Letterbox.fit(size, (416, 416), centred=True)
    restored = box.restore(np.array([[-50, -50, 900, 900]], np.float32))
    np.testing.assert_allclose(restored, [[0, 0, *size]])


@given(sides)
def test_the_smallest_canvas_holds_the_picture_and_no_spare_stride(size):
    width, height = smallest_canvas(size, (640, 640), 32)
    inner = Letterbox.fit(size, (640, 640), centred=False).inner
    assert (width % 32, height % 32) == (0, 0)
    assert 0 <= width - inner[0] < 32
    assert 0 <= height - inner[1] < 32


def test_a_mark_is_found_again_where_it_was():
    bgr = picture([(100, 40, 140, 80)])
    box = Letterbox.fit((320, 180), (416, 416), centred=True)
    canvas = box.apply(bgr)
    y, x = np.nonzero(canvas[..., 0] > 160)
    found = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    np.testing.assert_allclose(box.restore(found), [[100, 40, 140, 80]], atol=1)
    assert (canvas[0] == GREY).all()
