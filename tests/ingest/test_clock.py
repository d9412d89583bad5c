import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.clock import DEFAULT_STEP_S, MediaClock, StreamClock

EPOCH_S = 1.8e9  # wall clock - monotonic clock of these tests
SECONDS = st.floats(-1e6, 1e6, allow_nan=False)


def stamps(clock, media, received, wall=None):
    wall = [EPOCH_S + value for value in received] if wall is None else wall
    pairs = zip(media, received, wall, strict=True)
    return np.array([clock.stamp(m, received_s=r, wall_s=w) for m, r, w in pairs])


@given(
    st.lists(st.tuples(st.none() | SECONDS, st.floats(0, 1e4), SECONDS), min_size=2, max_size=60)
)
def test_time_never_steps_back_whatever_the_clocks_do(steps) -> None:
    received = np.cumsum([elapsed for _, elapsed, _ in steps])
    wall = [EPOCH_S + jump for _, _, jump in steps]
    times = stamps(StreamClock(), [media for media, _, _ in steps], received, wall)
    assert (np.diff(times) >= 0).all()


def test_network_jitter_does_not_reach_the_time() -> None:
    media = np.arange(300) / 10
    delay = 0.05 + np.random.default_rng(0).exponential(0.1, 300)
    received = np.maximum.accumulate(media + delay)
    times = stamps(StreamClock(), media, received)
    assert np.abs(np.diff(times)[50:] - 0.1).max() < 0.01
    assert np.abs(np.diff(received)[50:] - 0.1).max() > 0.1  # what arrival alone would give
    assert np.abs(times - EPOCH_S - media - 0.05)[100:].max() < 0.05


def test_a_burst_after_a_stall_keeps_its_spacing() -> None:
    media = np.arange(200) / 10
    received = media.copy()
    received[100:150] = 15.0  # five seconds arrive at once
    times = stamps(StreamClock(), media, received)
    assert np.allclose(np.diff(times), 0.1, atol=0.01)


@pytest.mark.parametrize("jump_s", [-50.0, -0.3, 1000.0, -(2**32) / 90000])
def test_a_jump_of_media_time_leaves_no_trace(jump_s: float) -> None:
    received = 100 + np.arange(100) / 10
    media = received - 100
    media[50:] += jump_s
    times = stamps(StreamClock(), media, received)
    assert np.allclose(times, EPOCH_S + received, atol=0.01)


def test_elapsed_time_is_as_even_as_the_camera_while_the_clock_catches_up() -> None:
    clock = StreamClock()
    elapsed = []
    for number in range(50):
        late_s = max(2.0 - number / 10, 0.0)  # a burst: two seconds arrive at once
        clock.stamp(number / 10, received_s=number / 10 + late_s, wall_s=number / 10 + late_s)
        elapsed.append(clock.elapsed_s)
    assert np.allclose(elapsed, np.arange(50) / 10)


def test_missing_media_times_are_bridged() -> None:
    received = np.arange(100) / 10
    media = [None if number % 3 else value for number, value in enumerate(received)]
    times = stamps(StreamClock(), media, received)
    assert np.allclose(times, EPOCH_S + received, atol=0.01)


def test_a_reconnect_returns_to_the_wall_clock() -> None:
    received = np.r_[np.arange(50) / 10, 60 + np.arange(50) / 10]
    media = np.r_[np.arange(50) / 10, np.arange(50) / 10]
    times = stamps(StreamClock(), media, received)
    assert np.allclose(times, EPOCH_S + received, atol=0.02)


def test_a_wall_clock_set_forward_is_followed_at_once() -> None:
    received = np.arange(100) / 10
    wall = EPOCH_S + received + np.where(received >= 5, 3600, 0)
    assert np.allclose(stamps(StreamClock(), received, received, wall), wall, atol=0.01)


def test_a_wall_clock_set_back_is_met_by_running_slower() -> None:
    received = np.arange(1000) / 10
    wall = EPOCH_S + received - np.where(received >= 5, 2, 0)
    times = stamps(StreamClock(), received, received, wall)
    assert (np.diff(times) > 0.09).all()
    assert np.allclose(times[-100:], wall[-100:], atol=0.01)


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_a_camera_whose_clock_runs_wrong_stays_near_the_wall_clock(speed: float) -> None:
    received = np.arange(2000) / 10
    times = stamps(StreamClock(), received * speed, received)
    assert np.abs(times - EPOCH_S - received).max() < 11


@given(st.lists(st.none() | SECONDS, min_size=2, max_size=60))
def test_media_time_always_advances(media) -> None:
    times = stamps(MediaClock(0.0), media, [0.0] * len(media))
    assert (np.diff(times) > 0).all()


def test_footage_starts_where_it_is_told_and_loops_on() -> None:
    media = np.r_[np.arange(5), np.arange(5)] / 8 + 3
    times = stamps(MediaClock(EPOCH_S), media, [0.0] * 10)
    assert np.allclose(times, EPOCH_S + np.arange(10) / 8)


def test_footage_without_times_advances_by_the_usual_step() -> None:
    times = stamps(MediaClock(0.0), [None] * 4, [0.0] * 4)
    assert np.allclose(times, np.arange(4) * DEFAULT_STEP_S)


def test_a_camera_clock_that_drifts_is_followed() -> None:
    received = np.arange(3600.0)  # an hour
    times = stamps(StreamClock(), received * (1 - 3e-4), received)
    assert np.abs(times - EPOCH_S - received).max() < 0.05  # unfollowed: a second
