import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.features import SCENE, Cells
from edge.scoring.smoothing import FIRST_S, FORGET_S, FlowSmoother, Smoother, TrackSmoother

ONE = np.array([1], np.int64)
GRID = (12, 20)  # rows, columns
speeds = st.floats(width=32, allow_nan=False, allow_infinity=False)


def track(values: list[float], *, hz: float = 8.0, **options: float) -> list[float]:
    smoother = TrackSmoother(**options)
    steps = (
        smoother.step(ONE, np.array([value], np.float32), k / hz) for k, value in enumerate(values)
    )
    return [float(step[0]) for step in steps]


def cells(*places: tuple[float, float], right=0.0, down=0.0, shape=GRID) -> Cells:
    """Cells at (column, row), all with one velocity in cells per second."""
    velocity = np.tile(np.array([[right, down]], np.float32), (len(places), 1))
    return Cells(np.array(places, np.int32).reshape(-1, 2), velocity, shape)


def flow(values: list[float], *, step: int = 0, hz: float = 8.0, **options: float) -> list[float]:
    """One cell that moves on by ``step`` columns a frame."""
    smoother = FlowSmoother(**options)
    return [
        float(smoother.step(cells((2 + k * step, 5), right=step * hz), as_array(value), k / hz)[0])
        for k, value in enumerate(values)
    ]


def as_array(*values: float):
    return np.array(values, np.float32)


class TestTrackSmoother:
    @given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30), st.integers(0, 29))
    def test_it_does_not_look_ahead(self, values: list[float], cut: int):
        assert track(values)[: cut + 1] == track(values[: cut + 1])

    @given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30))
    def test_evidence_stays_within_what_was_seen(self, values: list[float]):
        smoothed = track(values)
        assert max(smoothed) <= max(values) + 1e-4
        assert min(smoothed) >= 0

    @pytest.mark.parametrize("hz", [4, 40])
    def test_lasting_surprise_comes_through_whatever_the_frame_rate(self, hz: int):
        assert track([3.0] * 10 * hz, hz=hz)[-1] == pytest.approx(3, abs=0.05)

    def test_one_wild_frame_is_damped(self):
        assert max(track([0.0] * 20 + [8.0] + [0.0] * 5)) < 1

    def test_tracks_do_not_mix(self):
        both, alone = TrackSmoother(), TrackSmoother()
        for k in range(20):
            mixed = both.step(np.array([1, 2]), as_array(0.0, k), k / 8)
            single = alone.step(np.array([2]), as_array(k), k / 8)
        assert mixed.tolist() == [0, single[0]]

    def test_old_tracks_are_forgotten(self):
        smoother = TrackSmoother()
        for k in range(200):
            smoother.step(np.array([k], np.int64), as_array(1.0), k * FORGET_S / 5)
        assert len(smoother) <= 6

    def test_no_memory_passes_values_through(self):
        assert track([1.0, 5.0, 2.0], memory_s=0.0) == [1.0, 5.0, 2.0]


class TestFlowSmoother:
    @given(
        st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30),
        st.sampled_from([0.0, 0.5, 3.0]),
    )
    def test_a_still_cell_is_smoothed_like_a_track(self, values: list[float], memory_s: float):
        still = flow(values, memory_s=memory_s, prior_s=0)
        assert still == pytest.approx(track(values, memory_s=memory_s, prior_s=0), abs=1e-4)

    @given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=15))
    def test_a_cell_that_moves_on_is_smoothed_like_one_that_stays(self, values: list[float]):
        assert flow(values, step=1) == pytest.approx(flow(values), abs=1e-3)

    @given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30), st.integers(0, 29))
    def test_it_does_not_look_ahead(self, values: list[float], cut: int):
        assert flow(values)[: cut + 1] == flow(values[: cut + 1])

    def test_slow_motion_counts_too(self):
        known, unknown = (self.quarter_columns(told) for told in (2.0, 0.0))
        assert known.argmax() == 10
        assert known.max() > 1.3 * unknown.max()

    @staticmethod
    def quarter_columns(told: float):
        """What is strange moves on by a quarter of a column a frame; all cells around it move."""
        smoother = FlowSmoother()
        around = [(column, 5) for column in range(GRID[1])]
        for k in range(25):
            values = [4 * max(0.0, 1 - abs(column - 4 - k / 4)) for column, _ in around]
            seen = smoother.step(cells(*around, right=told), as_array(*values), k / 8)
        return seen

    def test_evidence_does_not_stay_behind(self):
        smoother = FlowSmoother()
        for k in range(10):
            smoother.step(cells((k, 5), right=8.0), as_array(4.0), k / 8)
        at_last = smoother.step(cells((9, 5), (2, 5)), as_array(4.0, 0.0), 10 / 8)
        assert at_last[0] > 2
        assert at_last[1] == 0

    def test_another_grid_starts_anew(self):
        smoother = FlowSmoother()
        for k in range(10):
            smoother.step(cells((3, 3)), as_array(4.0), k / 8)
        fresh = FlowSmoother().step(cells((3, 3), shape=(13, 20)), as_array(1.0), 0.0)
        assert smoother.step(cells((3, 3), shape=(13, 20)), as_array(1.0), 10 / 8) == fresh

    def test_a_pause_starts_anew(self):
        smoother = FlowSmoother(memory_s=1.0)
        first = smoother.step(cells((3, 3)), as_array(4.0), 0.0)
        for k in range(1, 10):
            smoother.step(cells((3, 3)), as_array(4.0), k / 8)
        assert smoother.step(cells((3, 3)), as_array(4.0), 60.0) == first

    @given(
        st.integers(0, GRID[1] - 1), st.integers(0, GRID[0] - 1), speeds, speeds, st.floats(0, 2)
    )
    def test_no_velocity_leads_out_of_the_grid(
        self, column: int, row: int, right: float, down: float, later_s: float
    ):
        smoother = FlowSmoother()
        every = [(c, r) for r in range(GRID[0]) for c in range(GRID[1])]
        smoother.step(cells(*every), as_array(*[5.0] * len(every)), 0.0)
        moved = smoother.step(cells((column, row), right=right, down=down), as_array(5.0), later_s)
        assert 0 <= moved[0] <= 5

    @given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30), st.floats(-9, 9))
    def test_evidence_stays_within_what_was_seen(self, values: list[float], right: float):
        smoother = FlowSmoother()
        for k, value in enumerate(values):
            got = smoother.step(cells((9, 5), right=right), as_array(value), k / 8)[0]
            assert 0 <= got <= max(values) + 1e-4

    def test_no_cells_give_no_values(self):
        assert FlowSmoother().step(cells(), as_array(), 0.0).shape == (0,)


def test_objects_and_cells_each_have_their_own_smoother():
    smoother = Smoother(memory_s=1.0, prior_s=0.0)
    objects = smoother.step(ONE, None, as_array(4.0), 0.0)
    scene = smoother.step(np.array([SCENE]), cells((3, 3)), as_array(2.0), 0.0)
    assert (objects[0], scene[0]) == pytest.approx((4, 2))


def test_a_first_observation_weighs_about_one_frame():
    assert track([4.0], prior_s=FIRST_S, memory_s=100.0)[0] == pytest.approx(2, rel=0.01)
    assert flow([4.0], prior_s=FIRST_S, memory_s=100.0)[0] == pytest.approx(2, rel=0.01)
