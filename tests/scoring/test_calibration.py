import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.scoring.calibration import TailCalibration, threshold_for_budget


def normal_distances(n: int = 50_000, seed: int = 0):
    return np.random.default_rng(seed).exponential(2.0, n).astype(np.float32)


@pytest.mark.parametrize("decades", [0.5, 1.0, 2.0, 4.0])
def test_surprise_is_the_decades_of_the_tail_probability(decades: float):
    calibration = TailCalibration.fit(normal_distances())
    distance = np.array([2.0 * decades * np.log(10)], np.float32)  # exact for this distribution
    assert calibration.surprise(distance)[0] == pytest.approx(decades, rel=0.05)


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60))
def test_surprise_is_monotone_finite_and_not_negative(reference: list[float]):
    calibration = TailCalibration.fit(np.array(reference, np.float32))
    out = calibration.surprise(np.linspace(0, 200, 300, dtype=np.float32))
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert (np.diff(out) >= 0).all()


def test_normal_segments_are_seldom_surprising():
    calibration = TailCalibration.fit(normal_distances())
    fresh = calibration.surprise(normal_distances(seed=1))
    assert (fresh > 2).mean() == pytest.approx(0.01, rel=0.3)


def test_state_restores_the_same_mapping():
    calibration = TailCalibration.fit(normal_distances(500))
    restored = TailCalibration.from_state(calibration.state())
    some = normal_distances(100, seed=2)
    np.testing.assert_allclose(calibration.surprise(some), restored.surprise(some), rtol=1e-5)


def footage(hours: float, seed: int, events_per_hour: float = 20.0):
    """One frame a second, quiet but for events of 3 s whose height falls tenfold per decade."""
    rng = np.random.default_rng(seed)
    scores = np.zeros(int(hours * 3600), np.float32)
    for start in rng.integers(0, len(scores) - 3, rng.poisson(events_per_hour * hours)):
        scores[start : start + 3] = rng.exponential(1 / np.log(10))
    return scores, np.arange(len(scores), dtype=np.float64)


def threshold(hours: float, seed: int, budget: float = 2.0):
    scores, time_s = footage(hours, seed)
    return threshold_for_budget(scores, time_s, alarms_per_day=budget, footage_s=3600 * hours)


def test_the_threshold_meets_the_budget_on_footage_it_has_not_seen():
    found = [threshold(6, seed).threshold for seed in range(20)]
    truth = np.log10(20 * 24 / 2)  # events per day over budget, one decade per factor of ten
    assert np.median(found) == pytest.approx(truth, abs=0.2)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    truth = np.log10(20 * 24 / 2)
    found = [threshold(4, seed) for seed in range(60)]
    assert np.mean([t.low <= truth <= t.high for t in found]) > 0.85


def test_more_footage_makes_it_surer():
    short, long = threshold(0.5, 1), threshold(20, 1)
    assert long.high - long.low < 0.5 * (short.high - short.low)
    assert long.peaks > 10 * short.peaks


def test_a_smaller_budget_needs_a_higher_threshold():
    budgets = [0.1, 1.0, 10.0, 100.0]
    found = [threshold(4, 1, budget).threshold for budget in budgets]
    assert found == sorted(found, reverse=True)


@given(st.floats(0, 2.0**100, width=32), st.sampled_from([4.0, 16.0]))
def test_a_bound_changes_nothing_below_it_and_survives_a_file(distance, most):
    normal = np.zeros(50, np.float32)  # that hardly varies
    plain, bounded = TailCalibration.fit(normal), TailCalibration.fit(normal, most=most)
    shown = np.array([distance], np.float32)
    wanted = np.minimum(plain.surprise(shown), most)
    np.testing.assert_array_equal(bounded.surprise(shown), wanted)
    again = TailCalibration.from_state(bounded.state())
    np.testing.assert_allclose(again.surprise(shown), wanted, rtol=1e-6)
    assert "most" not in plain.state()


@pytest.mark.parametrize("length", [0, 1, 600])
def test_footage_without_any_event_still_gives_a_finite_threshold(length: int):
    scores, time_s = np.zeros(length, np.float32), np.arange(length, dtype=np.float64)
    got = threshold_for_budget(scores, time_s, alarms_per_day=2, footage_s=float(length))
    assert np.isfinite(got.threshold)
    assert got.threshold > 0
    assert got.peaks == 0


def test_it_says_what_it_rests_on():
    assert "from 4 h of footage with" in str(threshold(4, 1))
