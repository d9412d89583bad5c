import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.boxes import iou
from edge.domain.detections import Detections
from edge.perception.layouts import suppress

corner = st.integers(0, 60)
boxes = st.lists(
    st.tuples(corner, corner, st.integers(4, 40), st.integers(4, 40), st.integers(0, 2)),
    max_size=25,
)


def found(rows):
    array = np.array(rows, np.float32).reshape(-1, 5)
    corners = np.concatenate([array[:, :2], array[:, :2] + array[:, 2:4]], axis=1)
    confidence = np.linspace(0.9, 0.2, len(array), dtype=np.float32)
    return Detections(corners, confidence, array[:, 4].astype(np.int32))


@given(boxes)
def test_what_is_left_of_a_class_does_not_overlap(rows):
    kept = suppress(found(rows), overlap=0.5, most=300)
    same = kept.class_id[:, None] == kept.class_id[None, :]
    overlap = np.where(same, iou(kept.boxes_xyxy, kept.boxes_xyxy), 0)
    np.fill_diagonal(overlap, 0)
    assert (overlap <= 0.5 + 1e-4).all()


@given(boxes)
def test_what_is_dropped_overlaps_something_better_that_is_kept(rows):
    before = found(rows)
    kept = suppress(before, overlap=0.5, most=300)
    dropped = before.where(~np.isin(before.confidence, kept.confidence))
    same = dropped.class_id[:, None] == kept.class_id[None, :]
    better = dropped.confidence[:, None] < kept.confidence[None, :]
    overlap = iou(dropped.boxes_xyxy, kept.boxes_xyxy) * same * better
    assert (overlap.max(axis=1, initial=0) > 0.5 - 1e-4).all()


@given(boxes)
def test_twice_is_as_once_and_the_best_come_first(rows):
    once = suppress(found(rows), overlap=0.5, most=300)
    twice = suppress(once, overlap=0.5, most=300)
    np.testing.assert_array_equal(once.confidence, twice.confidence)
    assert (np.diff(once.confidence) <= 0).all()


def test_at_most_so_many_are_kept():
    apart = found([(50 * index, 0, 10, 10, 0) for index in range(5)])
    assert len(suppress(apart, overlap=0.5, most=3)) == 3
