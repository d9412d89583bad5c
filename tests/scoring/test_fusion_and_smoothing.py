import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.scoring.fusion import fuse
from edge.scoring.smoothing import FORGET_S, FrameSmoother, TrackSmoother

ONE = np.array([1], np.int64)


def track(values: list[float], *, hz: float = 8.0, **options: float) -> list[float]:
    smoother = TrackSmoother(**options)
    steps = (
        smoother.step(ONE, np.array([value], np.float32), k / hz) for k, value in enumerate(values)
    )
    return [float(step[0]) for step in steps]


@pytest.mark.parametrize(("rule", "expected"), [("max", [3, 2, 0]), ("mean", [2, 2, 0])])
def test_a_silent_term_does_not_count(rule: str, expected: list[float]):
    surprise = np.array([[1, np.nan, np.nan], [3, 2, np.nan]], np.float32)
    assert fuse(surprise, rule).tolist() == expected  # type: ignore[arg-type]  # parametrised


@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30), st.integers(0, 29))
def test_smoothing_does_not_look_ahead(values: list[float], cut: int):
    assert track(values)[: cut + 1] == track(values[: cut + 1])


@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30))
def test_evidence_stays_within_what_was_seen(values: list[float]):
    smoothed = track(values)
    assert max(smoothed) <= max(values) + 1e-4
    assert min(smoothed) >= 0


def test_lasting_surprise_comes_through_whatever_the_frame_rate():
    slow, fast = track([3.0] * 40, hz=4), track([3.0] * 400, hz=40)
    assert slow[-1] == pytest.approx(3, abs=0.05)
    assert fast[-1] == pytest.approx(3, abs=0.05)


def test_one_wild_frame_is_damped():
    assert max(track([0.0] * 20 + [8.0] + [0.0] * 5)) < 1


def test_tracks_do_not_mix_and_old_ones_are_forgotten():
    smoother = TrackSmoother()
    for k in range(200):
        smoother.step(np.array([k], np.int64), np.array([k % 2], np.float32), k * FORGET_S / 5)
    assert len(smoother) <= 6


def test_a_frame_score_rises_at_once_and_fades():
    smoother = FrameSmoother(fade_s=1.0)
    values = [smoother.step(v, k / 8) for k, v in enumerate([0.0, 4.0, 0.0, 0.0, 0.0])]
    assert values[1] == 4.0
    assert values[2] == pytest.approx(4 * np.exp(-1 / 8))
    assert values[2] > values[3] > values[4] > 0


def test_no_memory_passes_values_through():
    assert track([1.0, 5.0, 2.0], memory_s=0.0) == [1.0, 5.0, 2.0]
    smoother = FrameSmoother(fade_s=0.0)
    assert [smoother.step(v, 0.1 * v) for v in (1.0, 3.0, 0.5)] == [1.0, 3.0, 0.5]
