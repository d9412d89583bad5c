import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.features import Feature, FeatureSpec
from edge.scoring.standardise import CLIP, Standardiser, place_of

PLAIN = FeatureSpec("plain", 1, (Feature("a", "m"), Feature("b", "m")))
SIZED = FeatureSpec("sized", 1, (Feature("height", "px", log_floor=0.0, by_place=True),))


def street(n: int, seed: int = 0):
    """Heights that grow towards the lower edge, as perspective has it."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 1, (n, 2)).astype(np.float32)
    height = 40 * np.exp(1.5 * place[:, 1]) * rng.lognormal(0, 0.1, n)
    return height[:, None].astype(np.float32), place


@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_origin_of_a_feature_do_not_matter(scale: float, origin: float):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 2)).astype(np.float32)
    place = np.full((200, 2), 0.5, np.float32)
    moved = (values * scale + origin).astype(np.float32)
    plain = Standardiser.fit(PLAIN, values, place).apply(values, place)
    other = Standardiser.fit(PLAIN, moved, place).apply(moved, place)
    np.testing.assert_allclose(plain, other, atol=0.05)


def test_median_is_zero_and_spread_is_one_despite_outliers():
    values = np.random.default_rng(2).normal(5, 3, (2000, 2)).astype(np.float32)
    values[:40] = 1e4
    place = np.full((2000, 2), 0.5, np.float32)
    out = Standardiser.fit(PLAIN, values, place).apply(values[40:], place[40:])
    assert abs(np.median(out)) < 0.1
    assert out.std() == pytest.approx(1, abs=0.15)


def test_a_feature_that_never_varies_stays_finite_and_bounded():
    values = np.ones((100, 2), np.float32)
    place = np.zeros((100, 2), np.float32)
    fitted = Standardiser.fit(PLAIN, values, place)
    assert np.abs(fitted.apply(values, place)).max() < 1e-3
    assert np.abs(fitted.apply(values + 1e6, place)).max() == CLIP


def test_the_same_height_is_usual_near_and_strange_far():
    heights, place = street(3000)
    fitted = Standardiser.fit(SIZED, heights, place)
    tall = np.full((2, 1), 40 * np.exp(1.5 * 0.9), np.float32)
    near_far = np.array([[0.5, 0.9], [0.5, 0.1]], np.float32)
    near, far = fitted.apply(tall, near_far)[:, 0]
    assert abs(near) < 1
    assert far > 5


def test_bounds_are_physical_and_hold_most_of_the_footage():
    heights, place = street(3000)
    fitted = Standardiser.fit(SIZED, heights, place)
    low, high = fitted.bounds(place)
    inside = (heights >= low) & (heights <= high)
    assert inside.mean() == pytest.approx(0.99, abs=0.005)


def test_departure_is_one_at_the_bound():
    heights, place = street(3000)
    fitted = Standardiser.fit(SIZED, heights, place)
    _, high = fitted.bounds(place[:1])
    at_bound = fitted.departure(fitted.apply(high, place[:1]))
    assert at_bound[0, 0] == pytest.approx(1, abs=0.01)


def test_state_restores_the_same_mapping():
    heights, place = street(500)
    fitted = Standardiser.fit(SIZED, heights, place)
    restored = Standardiser.from_state(fitted.state())
    np.testing.assert_array_equal(fitted.apply(heights, place), restored.apply(heights, place))


def test_place_is_the_middle_of_the_lower_edge():
    box = np.array([[10, 20, 30, 60]], np.float32)
    np.testing.assert_allclose(place_of(box, 100, 120), [[0.2, 0.5]])
