import numpy as np
import pytest

from edge.perception.follow import follow, moving_share


def noise_picture(seed=0):
    return np.random.default_rng(seed).integers(60, 120, (120, 200)).astype(np.uint8)


def with_object(x, y):
    """A textured object of 20 x 40 pixels in front of a still scene, and the mask of it."""
    picture, mask = noise_picture(), np.zeros((120, 200), np.uint8)
    body = np.random.default_rng(5).uniform(140, 250, (10, 5))
    picture[y : y + 40, x : x + 20] = np.kron(body, np.ones((4, 4)))
    mask[y : y + 40, x : x + 20] = 1
    return picture, mask


@pytest.mark.parametrize("step", [(3, 0), (-4, 2), (0, -3)])
def test_a_box_goes_where_its_pixels_go(step):
    before, _ = with_object(80, 40)
    now, mask = with_object(80 + step[0], 40 + step[1])
    box = np.array([[80, 40, 100, 80]], np.float32)
    moved = follow(before, now, mask, box, box)
    np.testing.assert_allclose(moved, box + np.tile(step, 2), atol=1)


def test_a_box_in_which_nothing_moves_stays_exactly():
    boxes = np.array([[80, 40, 100, 80], [0, 0, 30, 30]], np.float32)
    still = np.zeros((120, 200), np.uint8)
    np.testing.assert_array_equal(
        follow(noise_picture(), noise_picture(1), still, boxes, boxes + 3), boxes
    )


def test_a_box_without_texture_goes_where_it_is_expected():
    flat, mask = np.full((120, 200), 100, np.uint8), np.ones((120, 200), np.uint8)
    box = np.array([[80, 40, 100, 80]], np.float32)
    np.testing.assert_allclose(follow(flat, flat, mask, box, box + 4), box + 4, atol=1e-3)


def test_the_moving_share_is_counted_inside_the_picture_only():
    mask = np.zeros((120, 200), np.uint8)
    mask[:60] = 1
    boxes = np.array([[10, 40, 30, 80], [-20, -20, 20, 20], [500, 500, 600, 600]], np.float32)
    np.testing.assert_allclose(moving_share(mask, boxes), [0.5, 1, 0])
