import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.domain.features import SCENE, Features
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.features import kinematics, scene_segment
from edge.features.directions import Directions
from edge.features.flow import Flow
from edge.features.scene_segment import (
    FLOW_SPEC,
    OBJECTS_SPEC,
    QUANTITIES,
    SceneFlow,
    SceneObjects,
    flow_values,
    object_values,
)

HERE = dict(width=64, height=48)
COLUMNS = [[f.name for f in kinematics.SPEC.features].index(name) for name in QUANTITIES]


def objects(rows):
    values = np.asarray(rows, np.float32).reshape(-1, len(kinematics.SPEC))
    count = len(values)
    return Features(
        kinematics.SPEC,
        np.arange(count, dtype=np.int64),
        np.zeros(count, np.int32),
        np.zeros((count, 4), np.float32),
        values,
    )


def moving(right, mask):
    flow = Flow(np.s_[0:48, 0:64], np.full((48, 64, 2), (right, 0), np.float32))
    return Directions.of(flow, mask)


some_rows = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 4), st.just(len(kinematics.SPEC))),
    elements=st.floats(-100, 100, width=32),
)
segments = st.lists(some_rows, min_size=SCENE_SEGMENT_FRAMES, max_size=SCENE_SEGMENT_FRAMES)


@given(segments)
def test_objects_are_counted_and_the_mean_is_never_above_the_largest(frames):
    values = object_values([objects(rows) for rows in frames])
    count, largest, mean = values[0], values[1:7], values[7:]
    assert np.isfinite(values).all()
    assert count == pytest.approx(np.mean([len(rows) for rows in frames]))
    assert (mean <= largest + 1e-3).all()


@given(segments, st.randoms(use_true_random=False))
def test_the_order_of_frames_and_objects_tells_nothing(frames, random):
    shuffled = [rows[::-1] for rows in frames]
    random.shuffle(shuffled)
    np.testing.assert_allclose(
        object_values([objects(rows) for rows in frames]),
        object_values([objects(rows) for rows in shuffled]),
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_largest_is_what_one_object_did_in_one_frame():
    frames = [np.ones((2, len(kinematics.SPEC)), np.float32) for _ in range(SCENE_SEGMENT_FRAMES)]
    frames[3][1, COLUMNS[0]] = 7.0
    named = dict(
        zip(
            [f.name for f in OBJECTS_SPEC.features],
            object_values(list(map(objects, frames))),
            strict=True,
        )
    )
    assert named["objects"] == 2
    assert named["largest speed"] == 7
    assert named["mean speed"] == pytest.approx(1 + 6 / 32)
    assert named["largest height"] == 1


def test_a_scene_without_anybody_is_zero():
    assert not object_values([objects([])] * SCENE_SEGMENT_FRAMES).any()


def test_the_pictures_motion_is_in_picture_heights_and_its_area_has_a_change():
    flow = SceneFlow()
    for index in range(SCENE_SEGMENT_FRAMES):
        mask = np.zeros((48, 64), np.uint8)
        mask[:, : 32 if index % 2 else 16] = 1
        seen = flow.observe(moving(24.0, mask), mask, time_s=index / 5, width=640, height=480)
    named = dict(zip([f.name for f in FLOW_SPEC.features], seen.values[0], strict=True))
    assert named["flow right"] == pytest.approx(0.5)
    assert named["flow left"] == 0
    assert named["moving area"] == pytest.approx(0.375)
    assert named["change of moving area"] == pytest.approx(0.25)


@given(hnp.arrays(np.float32, (SCENE_SEGMENT_FRAMES, 9), elements=st.floats(0, 10, width=32)))
def test_flow_values_are_means_and_a_range(seen):
    values = flow_values(list(seen))
    assert values.shape == (len(FLOW_SPEC),)
    assert (values[:9] <= seen.max(axis=0) + 1e-4).all()
    assert values[9] >= 0


def sight(camera, index, time_s):
    row = np.full((1, len(kinematics.SPEC)), float(index), np.float32)
    return camera.observe(objects(row), time_s=time_s, **HERE)


def test_a_segment_is_sixteen_frames_and_then_slides():
    camera = SceneObjects()
    found = [sight(camera, index, index / 5) for index in range(20)]
    assert [len(group) for group in found] == [0] * 15 + [1] * 5
    assert [float(group.values[0, 1]) for group in found[15:]] == [15, 16, 17, 18, 19]
    assert float(found[-1].values[0, 7]) == np.mean(range(4, 20))


@pytest.mark.parametrize("step_s", [MAX_GAP_S + 0.1, -0.5])
def test_a_segment_never_spans_a_hole_or_a_clock_set_back(step_s):
    camera = SceneObjects()
    for index in range(SCENE_SEGMENT_FRAMES):
        sight(camera, index, index / 5)
    resumed = 3.0 + step_s
    after = [sight(camera, 99, resumed + index / 5) for index in range(SCENE_SEGMENT_FRAMES)]
    assert [len(group) for group in after] == [0] * 15 + [1]
    assert float(after[-1].values[0, 7]) == 99


def test_a_segment_does_not_depend_on_frames_to_come():
    short, longer = SceneObjects(), SceneObjects()
    until_then = [sight(short, index, index / 5) for index in range(18)][-1]
    then = [sight(longer, index, index / 5) for index in range(25)][17]
    np.testing.assert_array_equal(until_then.values, then.values)


def test_it_speaks_of_the_whole_picture():
    camera = SceneObjects()
    group = [sight(camera, index, index / 5) for index in range(16)][-1]
    assert group.spec is OBJECTS_SPEC
    assert group.track_id.tolist() == [SCENE]
    assert group.boxes_xyxy.tolist() == [[0, 0, 64, 48]]
    assert group.cells.shape == (1, 1)


def test_every_group_says_its_units_and_is_logged_above_zero():
    for spec in scene_segment.SPECS:
        assert all(feature.log_floor > 0 for feature in spec.features)
        assert len({feature.name for feature in spec.features}) == len(spec)
