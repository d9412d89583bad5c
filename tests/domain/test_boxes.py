import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.domain.boxes import areas, iou, no_boxes

coordinates = st.floats(-500, 2000, width=32)
boxes = st.integers(0, 6).flatmap(
    lambda count: arrays(np.float32, (count, 4), elements=coordinates).map(
        lambda raw: np.concatenate(
            [np.minimum(raw[:, :2], raw[:, 2:]), np.maximum(raw[:, :2], raw[:, 2:]) + 1], axis=1
        )
    )
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_within_bounds(a, b):
    overlap = iou(a, b)
    assert overlap.shape == (len(a), len(b))
    assert np.array_equal(overlap, iou(b, a).T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-5)).all()


@given(boxes)
def test_a_box_overlaps_itself_wholly(a):
    assert np.allclose(np.diag(iou(a, a)), 1, atol=1e-5)


def test_iou_of_a_known_pair():
    a = np.array([[0, 0, 2, 2]], np.float32)
    b = np.array([[1, 0, 3, 2]], np.float32)
    assert np.isclose(iou(a, b)[0, 0], 1 / 3)
    assert areas(a)[0] == 4
    assert iou(no_boxes(), b).shape == (0, 1)
