from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import SEGMENT_FRAMES, ObjectSegments
from edge.features import kinematics


def segment(boxes, *, hz: float = 8.0, start_s: float = 0.0, seen: int = SEGMENT_FRAMES):
    n = SEGMENT_FRAMES
    boxes = np.broadcast_to(np.asarray(boxes, np.float32), (1, n, 4)).copy()
    time_s = start_s + np.arange(n)[None] / hz
    boxes[:, : n - seen] = boxes[:, n - seen, None]
    time_s[:, : n - seen] = time_s[:, n - seen, None]
    return ObjectSegments(
        track_id=np.array([5]),
        class_id=np.zeros(1, np.int32),
        time_s=time_s,
        boxes_xyxy=boxes,
        seen=np.array([seen], np.int32),
        age_s=np.zeros(1, np.float32),
        width=640,
        height=360,
    )


def walk(speed_px_s: float, *, height: float = 80.0, hz: float = 8.0):
    x = 100 + speed_px_s * np.arange(SEGMENT_FRAMES) / hz
    return np.stack([x, x * 0 + 100, x + height / 2, x * 0 + 100 + height], axis=1)


def named(segments: ObjectSegments) -> dict[str, float]:
    features, _ = kinematics.describe(segments)
    names = [feature.name for feature in features.spec.features]
    return dict(zip(names, features.values[0].tolist(), strict=True))


def test_speed_is_in_body_heights_per_second():
    got = named(segment(walk(160)))
    assert got["speed"] == pytest.approx(2, rel=1e-4)
    assert got["motion right"] == pytest.approx(2, rel=1e-4)
    assert got["path speed"] == pytest.approx(2, rel=1e-4)
    assert got["wobble"] == pytest.approx(0, abs=1e-4)
    assert got["acceleration"] == pytest.approx(0, abs=1e-3)


@given(st.floats(2, 30), st.sampled_from([0.0, 1.7e9]))
def test_neither_the_frame_rate_nor_the_epoch_changes_a_speed(hz: float, start_s: float):
    got = named(segment(walk(100, hz=hz), hz=hz, start_s=start_s))
    assert got["speed"] == pytest.approx(1.25, rel=1e-3)


@given(st.floats(0.3, 3.0))
def test_near_and_far_people_have_the_same_motion(scale: float):
    near, far = (kinematics.describe(segment(walk(90) * s))[0].values for s in (1.0, scale))
    np.testing.assert_allclose(near[:, :10], far[:, :10], atol=2e-3)


@pytest.mark.parametrize("seen", [4, 6, 9])
def test_a_young_track_has_the_speed_of_its_real_observations(seen: int):
    assert named(segment(walk(160), seen=seen))["speed"] == pytest.approx(2, rel=1e-3)


def test_reversing_time_reverses_the_direction_only():
    ahead, back = walk(160), walk(160)[::-1]
    a, b = named(segment(ahead)), named(segment(back))
    assert a["motion right"] == pytest.approx(-b["motion right"], rel=1e-4)
    assert a["speed"] == pytest.approx(b["speed"], rel=1e-4)


def test_jitter_moves_the_speed_little():
    rng = np.random.default_rng(0)
    speeds = [named(segment(walk(160) + rng.normal(0, 1.5, (9, 4))))["speed"] for _ in range(50)]
    assert np.std(speeds) < 0.05


def test_a_zigzag_has_a_path_but_no_speed():
    boxes = walk(0)
    boxes[:, [0, 2]] += 20 * (np.arange(9) % 2)[:, None]
    got = named(segment(boxes))
    assert got["path speed"] > 1.5
    assert got["speed"] < 0.1
    assert got["wobble"] > 0.1


def test_place_and_figure_are_shares_of_the_picture():
    got = named(segment([[100, 60, 140, 180]]))
    assert got["height"] == pytest.approx(120 / 360, rel=1e-4)
    assert got["slimness"] == pytest.approx(3, rel=1e-4)
    assert got["place right"] == pytest.approx(120 / 640, rel=1e-4)
    assert got["place down"] == pytest.approx(0.5, rel=1e-4)


def test_an_empty_box_gives_finite_values():
    assert np.isfinite(kinematics.describe(segment([[10, 10, 10, 10]]))[0].values).all()


def test_no_segments_give_no_rows_of_the_right_width():
    groups = kinematics.describe(ObjectSegments.none(640, 360))
    assert [group.values.shape for group in groups] == [(0, len(s)) for s in kinematics.SPECS]


def test_every_spec_has_its_group_of_the_same_segments():
    groups = kinematics.describe(segment(walk(160)))
    assert tuple(group.spec for group in groups) == kinematics.SPECS
    for group in groups:
        assert group.values.shape == (1, len(group.spec))
        assert group.track_id.tolist() == [5]
        assert group.cells is None
    assert groups[1].values[0, 0] == named(segment(walk(160)))["speed"]


def test_the_version_names_the_group_and_follows_its_definition():
    version = kinematics.SPEC.spec_version
    assert version.startswith("kinematics-1-")
    others = [
        replace(kinematics.SPEC, features=kinematics.SPEC.features[:-1]),
        replace(kinematics.SPEC, revision=2),
        replace(kinematics.SPEC, excess=True),
    ]
    assert len({version, *(other.spec_version for other in others)}) == 4
    assert replace(kinematics.SPEC).spec_version == version
