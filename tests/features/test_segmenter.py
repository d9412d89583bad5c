import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import SEGMENT_FRAMES
from edge.domain.tracks import Tracks
from edge.features.segmenter import FORGET_S, MAX_GAP_S, Segmenter


def tracks(*ids: int, x: float = 0.0) -> Tracks:
    n = len(ids)
    boxes = np.array([[x + i, 10, x + i + 20, 60] for i in ids], np.float32).reshape(n, 4)
    return Tracks(np.array(ids, np.int64), boxes, np.ones(n, np.float32), np.zeros(n, np.int32))


def push(segmenter: Segmenter, seen: Tracks, time_s: float):
    return segmenter.push(seen, time_s=time_s, width=640, height=360)


def test_a_segment_holds_the_last_observations_newest_last():
    segmenter = Segmenter()
    for frame in range(SEGMENT_FRAMES + 5):
        out = push(segmenter, tracks(7, x=float(frame)), frame / 8)
    assert out.seen.tolist() == [SEGMENT_FRAMES]
    assert out.boxes_xyxy[0, :, 0].tolist() == [frame + 7.0 for frame in range(5, 14)]
    assert out.time_s[0, -1] == 13 / 8
    assert out.age_s[0] == np.float32(13 / 8)


def test_a_young_track_repeats_its_oldest_observation_and_says_so():
    segmenter = Segmenter(min_seen=2)
    push(segmenter, tracks(1, x=0.0), 0.0)
    out = push(segmenter, tracks(1, x=5.0), 0.1)
    assert out.seen.tolist() == [2]
    assert out.boxes_xyxy[0, :, 0].tolist() == [1.0] * 8 + [6.0]


def test_a_track_too_young_is_not_emitted():
    segmenter = Segmenter(min_seen=3)
    emitted = [len(push(segmenter, tracks(1), k / 8)) for k in range(4)]
    assert emitted == [0, 0, 1, 1]


def test_only_visible_tracks_are_emitted_in_the_order_given():
    segmenter = Segmenter(min_seen=1)
    push(segmenter, tracks(1, 2, 3), 0.0)
    out = push(segmenter, tracks(3, 1), 0.1)
    assert out.track_id.tolist() == [3, 1]


def test_a_long_gap_starts_a_new_segment_but_not_a_new_age():
    segmenter = Segmenter(min_seen=1)
    push(segmenter, tracks(1), 0.0)
    push(segmenter, tracks(1), 0.1)
    out = push(segmenter, tracks(1), 0.2 + MAX_GAP_S)
    assert out.seen.tolist() == [1]
    assert out.age_s[0] == np.float32(0.2 + MAX_GAP_S)


def test_memory_is_bounded_by_what_was_seen_lately():
    segmenter = Segmenter()
    for k in range(500):
        push(segmenter, tracks(k), k * FORGET_S / 10)
    assert len(segmenter) <= 11


def test_an_empty_frame_gives_no_segments():
    assert len(push(Segmenter(), Tracks.none(), 0.0)) == 0


@given(st.lists(st.sets(st.integers(0, 4)), min_size=1, max_size=25))
def test_a_track_is_segmented_as_if_it_were_alone(frames: list[set[int]]):
    crowd, lonely = Segmenter(min_seen=1), Segmenter(min_seen=1)
    for k, ids in enumerate(frames):
        together = push(crowd, tracks(*sorted(ids), x=3.0 * k), k / 8)
        alone = push(lonely, tracks(*(ids & {2}), x=3.0 * k), k / 8)
        mine = together.track_id == 2
        np.testing.assert_array_equal(together.boxes_xyxy[mine], alone.boxes_xyxy)
        np.testing.assert_array_equal(together.time_s[mine], alone.time_s)
