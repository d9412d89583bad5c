import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.distillation.options import Ased
from aggregator.distillation.selection import cosines, select
from edge.errors import ConfigError
from tests.aggregator.distillation.public_sets import video

STREET = video("street", objects=(0.2, 0.8))
SQUARE = video("square", objects=(1.0, 0.0))
EMPTY = video("empty", objects=(0.0, 0.0))
ALL = (STREET, SQUARE, EMPTY)
shares = st.floats(0.015625, 1, width=32)


def test_videos_that_look_like_the_cluster_are_selected_in_their_order() -> None:
    assert select(ALL, np.array([0.3, 0.7], np.float32), threshold=0.7) == (STREET,)
    assert select(ALL, np.array([0.6, 0.4], np.float32), threshold=0.5) == (STREET, SQUARE)


def test_none_may_be_like_it() -> None:
    assert select((SQUARE,), np.array([0, 1], np.float32), threshold=0.7) == ()


@pytest.mark.parametrize("unknown", [None, np.zeros(2, np.float32)])
def test_a_cluster_of_which_nothing_is_known_gets_all_videos(unknown) -> None:
    assert select(ALL, unknown, threshold=0.7) == ALL


@given(shares, shares, st.floats(0.125, 8, width=32))
def test_a_cosine_depends_on_no_amount_and_is_1_of_equal_mixtures(a, b, scale) -> None:
    cluster = np.array([a, b], np.float32)
    same = video("same", objects=(scale * a, scale * b))
    np.testing.assert_allclose(cosines((same,), cluster), 1, atol=1e-6)
    np.testing.assert_allclose(cosines(ALL, cluster), cosines(ALL, scale * cluster), atol=1e-6)
    assert cosines((EMPTY,), cluster) == 0


@given(st.floats(-1, 0.9), st.floats(0, 0.09), shares, shares)
def test_a_higher_threshold_selects_no_others(threshold, more, a, b) -> None:
    objects = np.array([a, b], np.float32)
    chosen = select(ALL, objects, threshold=threshold)
    assert set(select(ALL, objects, threshold=threshold + more)) <= set(chosen)


def test_the_published_threshold_is_the_default() -> None:
    assert Ased().threshold == 0.7


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.0}, {"steps": 0}, {"alpha": -1}, {"learning_rate": 0}, {"sure": 1.0}],
)
def test_options_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        Ased(**wrong)
