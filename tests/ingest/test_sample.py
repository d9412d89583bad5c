import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.ingest.sample import Sampler


def picks(rate_hz, times):
    sampler = Sampler(rate_hz)
    return np.array([time_s for time_s in times if sampler.is_due(time_s)])


@given(st.floats(1, 15), st.floats(15, 60), st.floats(0, 2e9))
def test_the_mean_rate_is_exact_and_the_picks_are_even(rate_hz, stream_hz, start_s) -> None:
    times = start_s + np.arange(int(20 * stream_hz)) / stream_hz
    picked = picks(rate_hz, times)
    assert abs(len(picked) - 20 * rate_hz) <= 2
    assert np.abs(np.diff(picked) - 1 / rate_hz).max() <= 1.01 / stream_hz


@pytest.mark.parametrize(("rate_hz", "stream_hz"), [(5, 10), (5, 25), (1, 30)])
def test_a_divisor_of_the_rate_picks_every_nth(rate_hz: int, stream_hz: int) -> None:
    picked = picks(rate_hz, np.arange(300) / stream_hz)
    assert np.allclose(np.diff(picked), 1 / rate_hz)


def test_jittering_times_are_still_picked_evenly() -> None:
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, 500)
    picked = picks(5, np.arange(500) / 10 + jitter)
    assert len(picked) == 250
    assert np.abs(np.diff(picked) - 0.2).max() < 0.05


@pytest.mark.parametrize("rate_hz", [None, 10, 40])
def test_a_slow_stream_is_taken_whole(rate_hz) -> None:
    assert len(picks(rate_hz, np.arange(100) / 10)) == 100


def test_a_gap_restarts_the_grid() -> None:
    picked = picks(5, np.r_[np.arange(20), 1000 + np.arange(20)] / 10)
    assert np.allclose(np.delete(np.diff(picked), 9), 0.2)


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan")])
def test_a_senseless_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        Sampler(rate_hz)
