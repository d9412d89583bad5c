import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.boxes import no_boxes
from edge.perception.blobs import clean, objects_of

LEFT, RIGHT = [40, 30, 52, 60], [50, 34, 62, 64]  # two people who overlap


def mask_of(*boxes):
    mask = np.zeros((120, 160), np.uint8)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = 1
    return mask


def sorted_boxes(mask, expected=()):
    boxes, _ = objects_of(mask, np.array(expected, np.float32).reshape(-1, 4))
    return boxes[np.argsort(boxes[:, 0])].tolist()


def test_a_blob_is_a_box():
    assert sorted_boxes(mask_of(LEFT, [100, 10, 110, 40])) == [LEFT, [100, 10, 110, 40]]


def test_strangers_who_overlap_are_one_object():
    assert sorted_boxes(mask_of(LEFT, RIGHT)) == [[40, 30, 62, 64]]


def test_followed_people_who_overlap_stay_two():
    found = sorted_boxes(mask_of(LEFT, RIGHT), [LEFT, RIGHT])
    np.testing.assert_allclose(found, [LEFT, RIGHT], atol=4)


def test_one_followed_object_keeps_its_whole_blob():
    assert sorted_boxes(mask_of([40, 30, 80, 60]), [LEFT, [120, 90, 130, 110]]) == [
        [40, 30, 80, 60]
    ]


def test_a_box_inside_another_does_not_divide_its_blob():
    whole = [40, 30, 70, 80]
    assert sorted_boxes(mask_of(whole), [whole, [45, 35, 60, 50]]) == [whole]


def test_specks_vanish_and_a_head_joins_its_body():
    mask = mask_of([40, 30, 50, 36], [40, 38, 50, 60], [100, 100, 101, 101])
    assert sorted_boxes(clean(mask)) == [[40, 30, 50, 60]]


@given(st.lists(st.tuples(st.integers(-30, 170), st.integers(-30, 130)), max_size=6))
def test_no_expectation_makes_pixels_of_nothing(corners):
    expected = np.array([[x, y, x + 12, y + 30] for x, y in corners], np.float32).reshape(-1, 4)
    assert len(objects_of(mask_of(), expected)[0]) == 0
    boxes, area = objects_of(mask_of(LEFT, RIGHT), expected)
    assert area.sum() <= mask_of(LEFT, RIGHT).sum()
    assert (boxes[:, :2] >= [40, 30]).all()
    assert (boxes[:, 2:] <= [62, 64]).all()


def test_an_empty_picture_has_no_objects():
    assert len(objects_of(mask_of(), no_boxes())[0]) == 0
