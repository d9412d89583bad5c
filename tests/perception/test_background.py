import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.perception.background import ABSORB_S, LEARN_S, Background
from edge.perception.sheet import colour_of, grey_of, grey_sheet, motion_size

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
            mask = self.background.observe(grey_sheet(shot(base, self.rng, **what)), self.time_s)
            self.time_s += PACE_S
        return mask


@pytest.fixture
def camera():
    camera = Camera()
    camera.see(scene(), seconds=3)
    return camera


def share(mask):
    return float(mask.mean())


@given(st.integers(1, 10**10).map(lambda sevenths: sevenths / 7))  # none is a round number
@settings(max_examples=20)
def test_how_long_it_learns_does_not_depend_on_when_it_began(begin_s: float):
    camera = Camera()
    camera.time_s = begin_s
    base = scene()
    camera.see(base, seconds=LEARN_S + PACE_S)  # of these times each is rounded
    assert share(camera.see(base, box=(50, 50, 70, 100))) > 0


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


class ColourCamera:
    """A pavement of warm stone; time passes at the same pace."""

    def __init__(self):
        self.background, self.rng, self.time_s = Background(), np.random.default_rng(1), 0.0

    def see(self, *, seconds=PACE_S, box=None, light=1.0, tint=0.0):
        mask = None
        for _ in range(round(seconds / PACE_S)):
            sheet = grey_sheet(shot(scene(), self.rng)).astype(np.float32)
            colour_of(sheet)[:, : SHAPE[1] // 2] -= 6  # U
            colour_of(sheet)[:, SHAPE[1] // 2 :] += 6  # V
            if box is not None:
                x1, y1, x2, y2 = box
                grey_of(sheet)[y1:y2, x1:x2] *= light
                colour_of(sheet)[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2] += tint
            mask = self.background.observe(np.clip(sheet, 0, 255).astype(np.uint8), self.time_s)
            self.time_s += PACE_S
        return mask


@pytest.fixture
def colour_camera():
    camera = ColourCamera()
    camera.see(seconds=3)
    return camera


BOX = (20, 50, 70, 100)


def test_a_shadow_is_no_object_to_a_camera_that_sees_colour(colour_camera):
    assert share(colour_camera.see(box=BOX, light=0.65)) < 0.005


def test_what_is_darker_than_a_shadow_is_an_object(colour_camera):
    assert colour_camera.see(box=BOX, light=0.3)[52:98, 22:68].mean() > 0.8


def test_what_differs_in_colour_alone_is_an_object(colour_camera):
    assert colour_camera.see(box=BOX, tint=20.0)[52:98, 22:68].mean() > 0.9


def test_a_dark_thing_of_another_colour_is_an_object(colour_camera):
    assert colour_camera.see(box=BOX, light=0.65, tint=20.0)[52:98, 22:68].mean() > 0.9


def test_to_a_camera_without_colour_what_is_darker_is_an_object(camera):
    darker = scene()
    darker[50:100, 20:70] *= 0.6
    assert camera.see(darker)[52:98, 22:68].mean() > 0.6


def test_somebody_who_stands_before_a_busy_background_is_not_taken_for_a_hole():
    camera, base = Camera(), scene()
    base[:, :] += np.random.default_rng(5).choice([-45, 45], SHAPE)  # a book shelf
    camera.see(base, seconds=4)
    plain = base.copy()
    plain[40:100, 40:64] = 20
    assert camera.see(plain, seconds=10)[45:95, 44:60].mean() > 0.7
