import cv2
import numpy as np
import pytest

from edge.perception.background import ABSORB_S, Background, motion_size

PACE_S = 0.1
SHAPE = (120, 200)


def scene(seed=0):
    """A street of soft texture with some hard edges."""
    rough = np.random.default_rng(seed).uniform(60, 160, (12, 20)).astype(np.float32)
    grey = cv2.resize(rough, SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
    grey[40:44] = 210
    grey[:, 90:93] = 30
    return grey


def shot(base, rng, *, box=None, level=235.0):
    """The scene with sensor noise and perhaps an object."""
    grey = base + rng.normal(0, 1.5, SHAPE)
    if box is not None:
        x1, y1, x2, y2 = box
        grey[y1:y2, x1:x2] = level + rng.normal(0, 1.5, (y2 - y1, x2 - x1))
        grey[y1:y2:4, x1:x2] -= 60  # clothes have stripes
    return np.clip(grey, 0, 255).astype(np.uint8)


class Camera:
    """Feeds a background model at a steady pace."""

    def __init__(self):
        self.background, self.rng, self.time_s = Background(), np.random.default_rng(1), 0.0

    def see(self, base, *, seconds=PACE_S, **what):
        mask = None
        for _ in range(round(seconds / PACE_S)):
            mask = self.background.observe(shot(base, self.rng, **what), self.time_s)
            self.time_s += PACE_S
        return mask


@pytest.fixture
def camera():
    camera = Camera()
    camera.see(scene(), seconds=3)
    return camera


def share(mask):
    return float(mask.mean())


def test_nothing_is_found_while_the_scene_is_learnt():
    assert share(Camera().see(scene(), box=(50, 50, 70, 100))) == 0


def test_a_scene_at_rest_is_empty(camera):
    assert share(camera.see(scene(), seconds=5)) < 0.001


def test_an_object_is_found_where_it_is(camera):
    mask = camera.see(scene(), box=(50, 50, 70, 100))
    assert mask[52:98, 52:68].mean() > 0.9
    mask[48:102, 48:72] = 0
    assert share(mask) < 0.001


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_light_that_changes_as_a_whole_does_not_flood(camera, gain):
    assert share(camera.see(np.clip(scene() * gain, 0, 245))) < 0.03


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, -1)])
def test_a_camera_that_trembles_does_not_flood(camera, shift):
    assert share(camera.see(np.roll(scene(), shift, axis=(0, 1)))) < 0.02


def test_an_object_that_stands_still_fades_late(camera):
    box = (50, 50, 70, 100)
    assert camera.see(scene(), seconds=30, box=box)[52:98, 52:68].mean() > 0.8
    assert camera.see(scene(), seconds=ABSORB_S, box=box)[52:98, 52:68].mean() < 0.1


def test_the_hole_that_a_learnt_object_leaves_closes_within_seconds():
    camera = Camera()
    camera.see(scene(), seconds=3, box=(50, 50, 70, 100))  # it stood there from the start
    assert camera.see(scene())[52:98, 52:68].mean() > 0.5
    assert camera.see(scene(), seconds=4)[52:98, 52:68].mean() < 0.1


def test_another_scene_is_learnt_anew(camera):
    other = 255 - scene(seed=7)
    other[20:100, 20:180] = 12
    assert share(camera.see(other)) > 0.3
    assert share(camera.see(other, seconds=8)) < 0.02


def test_what_flickers_for_long_is_no_object(camera):
    """A leaf in the wind; an object that comes later elsewhere is still seen."""
    bright = scene()
    bright[60:80, 120:140] += 50
    before = camera.see(bright)[62:78, 122:138].mean()
    for turn in range(300):
        camera.see(bright if turn % 2 else scene())
    assert before > 0.9
    assert camera.see(bright)[62:78, 122:138].mean() < 0.1
    assert camera.see(scene(), box=(30, 60, 50, 110))[62:108, 32:48].mean() > 0.9


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (320, 180)), ((200, 100), (200, 100))]
)
def test_motion_is_looked_for_in_a_small_picture(size, expected):
    assert motion_size(*size) == expected
