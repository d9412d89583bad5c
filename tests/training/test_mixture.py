import numpy as np
import pytest

pytest.importorskip("sklearn")
mixture_room = pytest.importorskip("edge.training.mixture")
two_groups = mixture_room.two_groups


def two_clouds(count: int = 30, scale: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = rng.normal((0, 0), 0.3, (count, 2))
    high = rng.normal((4, 4), 0.3, (count // 3, 2))
    return np.concatenate([low, high]) * scale


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1e4, 1e-3)])
def test_two_clouds_are_told_apart_whatever_their_units(scale):
    groups = two_groups(two_clouds(scale=scale), seed=0)
    assert groups.why_not == ""
    assert len(set(groups.second[:30])) == len(set(groups.second[30:])) == 1
    assert groups.second[0] != groups.second[-1]


def test_equal_seeds_give_equal_groups():
    rows = two_clouds()
    first, again = two_groups(rows, seed=3), two_groups(rows, seed=3)
    np.testing.assert_array_equal(first.second, again.second)


@pytest.mark.parametrize("count", range(4))
def test_too_few_videos_make_no_groups(count: int):
    groups = two_groups(two_clouds()[:count], seed=0)
    assert groups.second is None
    assert f"{count} videos" in groups.why_not


def test_equal_videos_make_no_groups():
    assert two_groups(np.ones((9, 2)), seed=0).why_not == "the videos do not differ"
    column = two_clouds()
    column[:, 1] = 7.0
    assert two_groups(column, seed=0).second is None


def test_a_group_of_copies_has_collapsed():
    rows = two_clouds()
    rows[30:] = rows[30]
    groups = two_groups(rows, seed=0)
    assert groups.second is None
    assert "collapses" in groups.why_not
