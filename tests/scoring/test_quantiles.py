import numpy as np
import pytest

from edge.scoring.quantiles import HIGHEST, DecayingQuantiles


def levels(chance: np.random.Generator, count: int, *, scale: float = 1.0) -> np.ndarray:
    """Of a calibrated camera where ``scale`` is 1: one in 10^x is above x."""
    return (scale * chance.exponential(1 / np.log(10), count)).astype(np.float32)


def test_before_anything_was_seen_levels_count_as_calibrated():
    fresh = DecayingQuantiles()
    assert fresh.at(0.99) == pytest.approx(2.0, abs=0.02)
    assert fresh.at(0.01) == pytest.approx(0.0044, abs=0.001)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_it_converges_to_the_quantile_of_the_stream(share):
    chance = np.random.default_rng(3)
    seen = levels(chance, 60_000, scale=0.4)
    quantiles = DecayingQuantiles()
    for part in seen.reshape(-1, 5):
        quantiles.add(part)
    assert quantiles.at(share) == pytest.approx(np.quantile(seen, share), rel=0.1, abs=0.01)


@pytest.mark.parametrize(("before", "after"), [(1.0, 3.0), (3.0, 1.0)])
def test_it_follows_a_shift_and_forgets_what_was_before(before, after):
    chance = np.random.default_rng(4)
    quantiles = DecayingQuantiles(memory=2000)
    for scale in (before, after):
        for part in levels(chance, 20_000, scale=scale).reshape(-1, 10):
            quantiles.add(part)
        assert quantiles.at(0.99) == pytest.approx(2 * scale, rel=0.15)


def test_one_frame_of_many_or_many_of_one_count_alike():
    seen = levels(np.random.default_rng(5), 300)
    one, many = DecayingQuantiles(memory=500), DecayingQuantiles(memory=500)
    for level in seen:
        one.add(level[None])
    for part in seen.reshape(-1, 3):
        many.add(part)
    assert many.at(0.9) == pytest.approx(one.at(0.9), abs=0.01)


def test_no_tracks_change_nothing_and_the_wildest_level_is_bounded():
    quantiles = DecayingQuantiles(memory=50)
    before = quantiles.at(0.99)
    quantiles.add(np.zeros(0, np.float32))
    assert quantiles.at(0.99) == before
    for _ in range(100):
        quantiles.add(np.array([1e9, np.inf], np.float32))
    assert HIGHEST - 0.1 <= quantiles.at(0.99) <= HIGHEST
