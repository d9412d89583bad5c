import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.detections import Detections
from edge.perception.tracker import Tracker, TrackerSettings
from tests.perception.scenes import detections


def walker(x, y=50.0):
    return [x, y, x + 20, y + 50]


def run(tracker, scene, *, pace_s=0.1):
    """The tracks of each frame of a scene, which is a list of detections."""
    return [tracker.update(found, pace_s * (index + 1)) for index, found in enumerate(scene)]


def ids(tracks):
    return tracks.track_id.tolist()


def test_a_track_is_listed_from_the_second_sight_on():
    first, second = run(Tracker(), [detections([walker(0)]), detections([walker(2)])])
    assert (len(first), len(second)) == (0, 1)


@pytest.mark.parametrize("pace_s", [0.04, 0.1, 0.2])
def test_ids_survive_a_crossing(pace_s):
    steps = round(6 / pace_s)
    right = [20 * pace_s * step for step in range(steps)]  # 20 pixels a second
    left = [120 - x for x in right]
    scene = [detections([walker(a, 50), walker(b, 62)]) for a, b in zip(right, left, strict=True)]
    tracks = run(Tracker(), scene, pace_s=pace_s)
    start, end = tracks[1], tracks[-1]
    assert ids(start) == ids(end)
    assert start.boxes_xyxy[0, 0] < start.boxes_xyxy[1, 0]
    assert end.boxes_xyxy[0, 0] > end.boxes_xyxy[1, 0]


def test_an_id_survives_a_short_occlusion_and_is_not_listed_meanwhile():
    seen = [detections([walker(3 * step)]) for step in range(30)]
    seen[15:20] = [Detections.none()] * 5
    tracks = run(Tracker(), seen)
    assert [len(one) for one in tracks[15:20]] == [0] * 5
    assert ids(tracks[14]) == ids(tracks[25])


def test_an_object_that_was_away_too_long_is_another():
    seen = [detections([walker(0)])] * 5 + [Detections.none()] * 12 + [detections([walker(0)])] * 5
    tracks = run(Tracker(), seen)
    assert ids(tracks[4]) != ids(tracks[-1])


def test_weak_detections_extend_a_track_but_begin_none():
    sure, weak = detections([walker(0)], 0.9), detections([walker(0)], 0.3)
    assert [len(one) for one in run(Tracker(), [weak] * 5)] == [0] * 5
    tracks = run(Tracker(), [sure, sure, *[weak] * 20])
    assert ids(tracks[1]) == ids(tracks[-1])
    assert tracks[-1].confidence.tolist() == pytest.approx([0.3])


def test_a_single_false_alarm_is_never_listed():
    scene = [detections([walker(0)]), Detections.none(), detections([walker(0)])]
    assert [len(one) for one in run(Tracker(), scene)] == [0, 0, 0]


def test_carried_boxes_keep_their_id_and_are_seen():
    tracker = Tracker()
    (_, second) = run(tracker, [detections([walker(0)])] * 2)
    carried = tracker.carry(second.boxes_xyxy + 1, 5.0)
    assert ids(carried) == ids(second)
    followed = tracker.update(detections([walker(1, 51)]), 5.1)
    assert ids(followed) == ids(second)


def test_ids_are_never_shared_between_cameras():
    scene = [detections([walker(0), walker(100)])] * 3
    one, other = run(Tracker(), scene)[-1], run(Tracker(), scene)[-1]
    assert not set(ids(one)) & set(ids(other))


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_the_order_of_detections_does_not_matter(order, seed):
    start = np.random.default_rng(seed).uniform(0, 200, (5, 2))
    scene = [
        np.concatenate([start + step, start + step + np.array([20, 50])], axis=1)
        for step in range(4)
    ]
    plain = run(Tracker(), [detections(boxes) for boxes in scene])[-1]
    mixed = run(Tracker(), [detections(boxes[list(order)]) for boxes in scene])[-1]
    for tracks in (plain, mixed):
        assert len(set(ids(tracks))) == len(tracks)
    np.testing.assert_allclose(
        np.sort(plain.boxes_xyxy, axis=0), np.sort(mixed.boxes_xyxy, axis=0), rtol=1e-5
    )


def test_settings_change_when_a_track_is_listed():
    tracker = Tracker(TrackerSettings(least_hits=1))
    assert len(tracker.update(detections([walker(0)]), 0.1)) == 1


FAST = TrackerSettings(least_overlap=0.05, least_overlap_new=0.05, reach=6.0)


@pytest.mark.parametrize("speed", [60.0, 130.0, -130.0])  # pixels a second; the box is 20 wide
def test_who_leaves_the_own_box_between_two_sights_is_followed_within_reach(speed):
    scene = [detections([walker(200 + speed * 0.2 * step)]) for step in range(8)]
    tracks = run(Tracker(FAST), scene, pace_s=0.2)
    assert {tuple(ids(one)) for one in tracks[1:]} == {tuple(ids(tracks[1]))}
    assert len(tracks[1]) == 1


def test_out_of_reach_is_somebody_else():
    scene = [detections([walker(200 + 60 * step)]) for step in range(8)]  # 300 pixels a second
    assert all(len(one) == 0 for one in run(Tracker(FAST), scene, pace_s=0.2))


def test_reach_does_not_pair_what_differs_in_size():
    scene = [detections([walker(0)]), detections([[22, 80, 30, 100]])]
    assert len(run(Tracker(FAST), scene, pace_s=0.2)[-1]) == 0


def test_without_reach_only_overlap_counts():
    scene = [detections([walker(26 * step)]) for step in range(8)]
    assert all(len(one) == 0 for one in run(Tracker(), scene, pace_s=0.2))


def test_a_newcomer_that_is_carried_is_listed_at_the_next_sight():
    tracker = Tracker()
    tracker.update(detections([walker(0)]), 0.1)
    assert len(tracker.expect(0.2)) == 0
    expected = tracker.expect(0.2, newcomers=True)
    assert len(tracker.carry(expected + 12, 0.2)) == 0
    assert len(tracker.update(detections([walker(24, 74)]), 0.3)) == 1


@given(st.floats(0.05, 1.0))
def test_detections_of_the_given_confidence_begin_tracks_and_weaker_ones_do_not(confidence):
    settings = TrackerSettings.beginning_at(confidence)
    for level, listed in ((confidence, 1), (confidence * 0.97, 0)):
        found = detections([walker(0)], level)
        assert len(run(Tracker(settings), [found, found])[-1]) == listed


def test_beginning_at_the_published_confidence_is_the_published_setting():
    published = TrackerSettings()
    ours = TrackerSettings.beginning_at(published.new_confidence)
    assert ours == published
