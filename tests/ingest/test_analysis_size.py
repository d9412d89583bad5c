from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.source import analysis_size

SIDE = st.integers(2, 8000)


@given(SIDE, SIDE, st.none() | SIDE)
def test_sizes_are_even_and_never_larger(width: int, height: int, max_width: int | None) -> None:
    new_width, new_height = analysis_size(width, height, max_width)
    assert new_width % 2 == new_height % 2 == 0
    assert 2 <= new_width <= min(width, max_width or width)
    assert 2 <= new_height <= height


@given(st.integers(640, 4000), st.integers(480, 3000), st.integers(320, 640))
def test_the_aspect_is_kept(width: int, height: int, max_width: int) -> None:
    new_width, new_height = analysis_size(width, height, max_width)
    assert abs(new_height - height * new_width / width) < 2


def test_a_substream_is_left_as_it_is() -> None:
    assert analysis_size(640, 360, 640) == (640, 360)
    assert analysis_size(1920, 1080, 640) == (640, 360)
