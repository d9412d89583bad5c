import numpy as np
import pytest

from edge.ingest.synthetic import Street, StreetOptions
from edge.ingest.synthetic.draw import NOISE_STD, sprite
from edge.ingest.synthetic.shapes import paint
from edge.ingest.synthetic.world import Schedule, World


def test_the_sensor_makes_noise_of_the_stated_strength_and_no_bias():
    street = Street(StreetOptions(kind="shop"))
    still = street.painter.backdrop.astype(float)
    frames = [street.painter.frame([], index, 0.0).astype(float) for index in range(6)]
    grey = (still > 40).all(axis=2) & (still < 200).all(axis=2)
    gain = np.mean([frame[grey].mean() for frame in frames]) / still[grey].mean()
    noise = (frames[0] - frames[1])[grey].std() / np.sqrt(2)
    assert noise == pytest.approx(NOISE_STD, rel=0.35)
    assert gain == pytest.approx(1.0, abs=0.08)


def test_two_frames_never_have_the_same_noise():
    painter = Street(StreetOptions()).painter
    assert not np.array_equal(painter.frame([], 0, 0.0), painter.frame([], 1, 0.0))


def test_the_light_drifts_slowly():
    painter = Street(StreetOptions()).painter
    means = np.array([painter.frame([], 0, time_s).mean() for time_s in range(0, 100, 2)])
    assert np.ptp(means) > 0.03 * means.mean()
    assert np.abs(np.diff(means)).max() < 0.03 * means.mean()


def test_who_walks_behind_a_tree_is_hidden_by_its_trunk():
    street = Street(StreetOptions(seed=1))
    world = World(street.scene, Schedule(), seed=1)
    hidden_px = []
    for time_s in range(0, 30, 2):
        sprites = [sprite(street.scene, actor, time_s) for actor in world.at(time_s)]
        picture, uncovered = street.painter.backdrop.copy(), street.painter.backdrop.copy()
        street.painter.place(picture, sprites)
        for each in sorted(sprites, key=lambda each: -each.depth_m):
            paint(uncovered, each.shapes)
        hidden_px.append((picture != uncovered).any(axis=2).sum())
    assert max(hidden_px) > 100


@pytest.mark.parametrize(("width", "height"), [(64, 64), (321, 241), (1280, 720)])
def test_any_size_of_picture_can_be_drawn(width, height):
    picture, truth = next(iter(Street(StreetOptions(width_px=width, height_px=height))))
    assert picture.shape == (height, width, 3)
    assert truth.objects
