import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import MAX_GAP_S, SEGMENT_FRAMES
from edge.domain.tracks import Tracks
from edge.features import directions, kinematics
from edge.features.directions import DIRECTIONS, Directions, ObjectFlow, in_heights
from edge.features.flow import Flow
from edge.features.segmenter import Segmenter

SHAPE = (120, 160)
LEFT_HALF = np.array([0, 0, 80, 120], np.float32)
ALL = np.array([0, 0, 160, 120], np.float32)


def uniform(right, down, mask=None):
    """A picture of which all, or ``mask``, moves at one velocity, pixels per second."""
    flow = Flow(np.s_[0 : SHAPE[0], 0 : SHAPE[1]], np.full((*SHAPE, 2), (right, down), np.float32))
    return Directions.of(flow, np.ones(SHAPE, np.uint8) if mask is None else mask)


def tracks(*ids, height=40.0):
    boxes = [[10.0, 10.0, 30.0, 10.0 + height] for _ in ids]
    return Tracks(
        np.array(ids, np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(len(ids), np.float32),
        np.zeros(len(ids), np.int32),
    )


@pytest.mark.parametrize("way", range(8))
def test_all_speed_is_in_the_direction_that_everything_goes(way):
    angle = way * 2 * np.pi / 8  # clockwise from right: down is positive
    histogram = uniform(30 * np.cos(angle), 30 * np.sin(angle)).histogram()
    assert DIRECTIONS[int(histogram.argmax())] == DIRECTIONS[way]
    assert histogram.sum() == pytest.approx(30)
    assert histogram.max() == pytest.approx(30)


velocities = st.floats(-500, 500, width=32)


@given(velocities, velocities)
def test_the_sum_is_the_mean_speed_and_nothing_is_negative(right, down):
    histogram = uniform(right, down).histogram(ALL)
    assert histogram.sum() == pytest.approx(np.hypot(right, down), rel=1e-4, abs=1e-4)
    assert (histogram >= 0).all()


@given(velocities, velocities, st.floats(0.1, 10))
def test_a_histogram_scales_with_the_speed(right, down, factor):
    once, scaled = uniform(right, down), uniform(right * factor, down * factor)
    np.testing.assert_allclose(
        scaled.histogram(), once.histogram() * factor, rtol=1e-3, atol=1e-2 * abs(factor)
    )


def test_only_pixels_that_move_and_lie_in_the_box_count():
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 80:] = 1
    moving = uniform(12, 0, mask)
    assert moving.histogram(ALL)[0] == pytest.approx(12)
    assert not moving.histogram(LEFT_HALF).any()


def test_places_are_those_of_the_picture_not_of_the_window():
    mask = np.zeros(SHAPE, np.uint8)
    mask[40:80, 100:140] = 1
    flow = Flow(np.s_[30:100, 90:150], np.full((70, 60, 2), (5, 0), np.float32))
    moving = Directions.of(flow, mask)
    assert (moving.x.min(), moving.y.min()) == (100, 40)
    assert (moving.x.max(), moving.y.max()) == (138, 78)


def test_without_a_flow_nothing_goes_anywhere():
    assert not Directions.of(None, np.ones(SHAPE, np.uint8)).histogram().any()


def test_near_and_far_objects_compare_in_their_own_heights():
    near = in_heights(uniform(60, 0), np.array([0, 0, 40, 120], np.float32))
    far = in_heights(uniform(15, 0), np.array([0, 0, 10, 30], np.float32))
    np.testing.assert_allclose(near, far)
    assert near[0] == pytest.approx(0.5)


class Camera:
    def __init__(self):
        self.segmenter, self.flow = Segmenter(), ObjectFlow()

    def show(self, seen, right, time_s, scale=1.0):
        segments = self.segmenter.push(seen, time_s=time_s, width=160, height=120)
        described = self.flow.observe(seen, segments, uniform(right, 0), time_s=time_s, scale=scale)
        return described, kinematics.describe(segments)[0]


def test_it_speaks_of_the_objects_that_the_kinematics_speak_of():
    camera = Camera()
    for index in range(2 * SEGMENT_FRAMES):
        seen = tracks(*[k for k in (1, 2, 3) if (index + k) % (k + 2)])
        described, kinematic = camera.show(seen, 40.0, index / 5)
        np.testing.assert_array_equal(described.track_id, kinematic.track_id)
        np.testing.assert_array_equal(described.boxes_xyxy, kinematic.boxes_xyxy)
        assert described.values.shape == (len(kinematic), len(directions.SPEC))
    assert described.values[:, 0] == pytest.approx(1.0)


def test_it_is_the_mean_over_an_object_segment_and_forgets_what_was_before():
    camera = Camera()
    for index in range(20):
        described, _ = camera.show(tracks(1), 400.0 if index < 11 else 40.0, index / 5)
    assert described.values[0, 0] == pytest.approx(1.0)


def test_a_track_that_was_away_begins_anew():
    camera = Camera()
    for index in range(SEGMENT_FRAMES):
        camera.show(tracks(1), 400.0, index / 5)
    for index in range(4):
        described, _ = camera.show(tracks(1), 40.0, 10 * MAX_GAP_S + index / 5)
    assert described.values[0, 0] == pytest.approx(1.0)


def test_memory_is_bounded_by_what_is_in_sight():
    camera = Camera()
    for index in range(50):
        camera.show(tracks(index), 10.0, index * 0.5)
    assert len(camera.flow._rings) <= 4


def test_a_flow_of_half_the_size_is_measured_in_the_same_heights():
    whole, half = Camera(), Camera()
    for index in range(5):
        full, _ = whole.show(tracks(1), 40.0, index / 5)
        scaled, _ = half.show(tracks(1, height=80.0), 40.0, index / 5, scale=0.5)
    np.testing.assert_allclose(full.values, scaled.values)
