import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import StorageError
from edge.evaluation.timeline import (
    ANOMALOUS,
    CURVE,
    LIMIT,
    MARGIN_PX,
    SIZE_PX,
    draw_timeline,
    write_picture,
)

WIDTH, HEIGHT = SIZE_PX


def draw(anomalous, score=None, threshold=None, time_s=None):
    anomalous = np.array(anomalous, bool)
    count = len(anomalous)
    return draw_timeline(
        np.arange(count) / 10 if time_s is None else np.array(time_s),
        np.zeros(count) if score is None else np.array(score, np.float64),
        anomalous=anomalous,
        threshold=threshold,
        title="t",
    )


def shaded(picture):
    """Columns that are shaded half way up, where no curve at 0 comes."""
    return (picture[HEIGHT // 2] == ANOMALOUS).all(axis=1)


def columns(count):
    return np.rint(np.linspace(MARGIN_PX, WIDTH - MARGIN_PX, count)).astype(int)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_exactly_the_labelled_frames_are_shaded(anomalous):
    marked = shaded(draw(anomalous))
    assert marked[columns(len(anomalous))].tolist() == anomalous
    if not any(anomalous):
        assert not marked.any()


def test_a_frame_lasts_until_the_next():
    at = columns(5)
    marked = shaded(draw([0, 1, 1, 0, 0]))
    assert marked[at[1] : at[3]].all()
    assert marked.sum() == at[3] - at[1]


@given(st.integers(0, 2999))
def test_among_more_frames_than_columns_none_is_hidden(at):
    assert shaded(draw(np.arange(3000) == at)).sum() == 1


@pytest.mark.parametrize("anomalous", [True, False])
@pytest.mark.parametrize("threshold", [None, 3.0])
def test_one_frame_alone_is_drawn(anomalous, threshold):
    picture = draw([anomalous], score=[2.0], threshold=threshold)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert shaded(picture).sum() == anomalous


def test_frames_at_one_time_are_drawn():
    assert draw([False, True], score=[1.0, 2.0], time_s=[5.0, 5.0]).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("threshold", [0.5, 2.0, 50.0])
def test_the_threshold_is_a_line_across(threshold):
    picture = draw([False] * 20, score=np.linspace(0, 4, 20), threshold=threshold)
    rows = (picture == LIMIT).all(axis=2).sum(axis=1)
    assert rows.max() > 0.9 * (WIDTH - 2 * MARGIN_PX)
    assert MARGIN_PX <= rows.argmax() <= HEIGHT - MARGIN_PX


def test_the_curve_runs_from_the_bottom_to_near_the_top():
    picture = draw([False] * 50, score=[0.0] * 25 + [4.0] * 25).astype(int)
    curve = np.abs(picture - CURVE).max(axis=2) < 40  # its edges are soft
    assert curve[:, 200].argmax() == HEIGHT - MARGIN_PX
    assert MARGIN_PX < curve[:, 700].argmax() < MARGIN_PX + 0.2 * HEIGHT


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_picture_is_written_where_asked(tmp_path, suffix):
    path = tmp_path / "new" / f"scores.{suffix}"
    write_picture(path, draw([True]))
    assert path.stat().st_size > 100


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*scores\.png"):
        write_picture(tmp_path / "file" / "scores.png", draw([True]))
