import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import TrainingError
from edge.training.lessons import ClapLesson, DensityLesson

WIDTH = 3


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=5), window=st.integers(1, 5))
def test_every_segment_is_taught_once_in_its_order(lengths: list[int], window: int):
    numbers = np.arange(1, 1 + sum(lengths), dtype=np.float32)
    parts = np.split(numbers, np.cumsum(lengths)[:-1])
    videos = [np.repeat(part[:, None], WIDTH, axis=1) for part in parts]
    if not sum(lengths):
        with pytest.raises(TrainingError, match="no segment"):
            ClapLesson(videos, parts)
        return
    lesson = ClapLesson(videos, parts)
    examples = lesson.examples(window)
    counted = examples.counted.astype(bool)
    assert lesson.num_examples == examples.counted.sum() == sum(lengths)
    assert examples.x.shape[1:] == (window, WIDTH)
    np.testing.assert_array_equal(examples.x[..., 0][counted], numbers)
    np.testing.assert_array_equal(examples.target[counted], numbers)
    assert not examples.x[~counted].any()
    assert not (np.diff(examples.counted, axis=1) > 0).any(), "padding is at the end"


def test_a_sequence_never_spans_two_videos():
    videos = [np.full((3, WIDTH), 1, np.float32), np.full((5, WIDTH), 2, np.float32)]
    examples = ClapLesson(videos, [v[:, 0] for v in videos]).examples(4)
    assert len(examples.x) == 3
    assert all(
        len(set(x[c > 0, 0])) == 1 for x, c in zip(examples.x, examples.counted, strict=True)
    )


def test_rows_are_sequences_of_one():
    lesson = DensityLesson(np.ones((4, WIDTH)))
    examples = lesson.examples(1)
    assert examples.x.shape == (4, 1, WIDTH)
    assert examples.x.dtype == np.float32
    assert (lesson.num_examples, lesson.inputs) == (4, WIDTH)
    assert not examples.target.any()
    assert examples.counted.all()
    with pytest.raises(TrainingError, match="in no order"):
        lesson.examples(2)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (np.zeros((0, 3)), "no segment"),
        (np.zeros(3), "one d"),
        (np.array([[0, np.nan]]), "not finite"),
        (np.array([[0, np.inf]]), "not finite"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(rows: np.ndarray, why: str):
    with pytest.raises(TrainingError, match=why):
        DensityLesson(rows)


def test_videos_agree_in_width_and_labels_in_length():
    with pytest.raises(TrainingError, match="one d"):
        ClapLesson([np.zeros((2, 3)), np.zeros((2, 4))], [np.zeros(2), np.zeros(2)])
    with pytest.raises(TrainingError, match="no segment"):
        ClapLesson([], [])
    with pytest.raises(TrainingError, match="needs one label"):
        ClapLesson([np.zeros((2, 3))], [np.zeros(3)])
