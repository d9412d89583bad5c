import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.domain.features import Feature, FeatureSpec
from edge.scoring.normality import (
    KINDS,
    CosineKMeans,
    Excess,
    NearestNormal,
    farthest_first,
    kind_of,
)

rows = arrays(np.float32, (4, 3), elements=st.floats(-8, 8, width=32))


def crowd_and_rare(n: int = 6000, share: float = 0.005, seed: int = 0):
    """A big cluster, and a rare normal action with half a percent of the rows."""
    rng = np.random.default_rng(seed)
    rare = int(n * share)
    crowd = rng.normal(0, 0.5, (n - rare, 8))
    action = rng.normal(0, 0.3, (rare, 8)) + 6 * np.eye(8)[0]
    return rng.permutation(np.concatenate([crowd, action])).astype(np.float32)


RARE = (6 * np.eye(8)[:1]).astype(np.float32)
STRANGE = (-6 * np.eye(8)[:1]).astype(np.float32)


@pytest.mark.parametrize(("kind", "size"), [("neighbours", 300), ("kmeans", 20)])
class TestEveryKind:
    def test_a_rare_normal_action_is_known_and_a_strange_one_is_not(self, kind: str, size: int):
        normality = KINDS[kind].fit(crowd_and_rare(), size=size)
        assert normality.distance(STRANGE)[0] > 3 * normality.distance(RARE)[0]

    def test_memory_is_bounded(self, kind: str, size: int):
        normality = KINDS[kind].fit(crowd_and_rare(), size=size)
        rng = np.random.default_rng(1)
        for _ in range(20):
            normality.update(rng.normal(0, 3, (10, 8)).astype(np.float32))
        (array,) = normality.state().values()
        assert len(array) == size

    def test_repeated_normal_rows_become_familiar(self, kind: str, size: int):
        normality = KINDS[kind].fit(crowd_and_rare(), size=size)
        new = (4 * np.eye(8)[3:4]).astype(np.float32)
        before = normality.distance(new)[0]
        for _ in range(300):
            normality.update(new)
        assert normality.distance(new)[0] < 0.9 * before

    def test_state_restores_the_same_distances(self, kind: str, size: int):
        points = crowd_and_rare()
        normality = KINDS[kind].fit(points, size=size)
        restored = KINDS[kind].from_state(normality.state())
        np.testing.assert_array_equal(
            normality.distance(points[:50]), restored.distance(points[:50])
        )

    def test_the_same_footage_gives_the_same_normality(self, kind: str, size: int):
        points = crowd_and_rare()
        one, two = (KINDS[kind].fit(points, size=size, seed=3) for _ in range(2))
        np.testing.assert_array_equal(one.distance(STRANGE), two.distance(STRANGE))

    def test_fewer_rows_than_prototypes_are_all_kept(self, kind: str, size: int):
        points = crowd_and_rare()[:7]
        assert KINDS[kind].fit(points, size=size).distance(points).max() < 1e-2

    def test_distances_of_no_rows_are_none(self, kind: str, size: int):
        normality = KINDS[kind].fit(crowd_and_rare(), size=size)
        assert normality.distance(np.zeros((0, 8), np.float32)).shape == (0,)


def test_nearest_distance_is_the_brute_force_one():
    rng = np.random.default_rng(4)
    kept, points = (rng.normal(size=(n, 5)).astype(np.float32) for n in (40, 15))
    brute = np.linalg.norm(points[:, None] - kept[None], axis=2).min(axis=1)
    np.testing.assert_allclose(NearestNormal(kept).distance(points), brute, atol=1e-5)


def test_updates_do_not_change_the_arrays_that_were_given():
    kept = np.random.default_rng(5).normal(size=(20, 3)).astype(np.float32)
    before = kept.copy()
    NearestNormal(kept).update(np.full((1, 3), 9, np.float32))
    np.testing.assert_array_equal(kept, before)


def test_cosine_centres_have_unit_length_also_after_updates():
    normality = CosineKMeans.fit(crowd_and_rare(), size=10)
    normality.update(crowd_and_rare(seed=9)[:100])
    np.testing.assert_allclose(np.linalg.norm(normality.state()["centres"], axis=1), 1, atol=1e-5)


def test_farthest_first_picks_the_corners():
    points = np.array([[0, 0], [0.1, 0], [5, 0], [0, 7], [4.9, 0]], np.float32)
    start = np.linalg.norm(points, axis=1)
    assert farthest_first(points, start, 2).tolist() == [3, 2]


class TestExcess:
    @given(rows)
    def test_only_too_much_is_strange(self, points):
        excess = Excess.fit(points, size=5)
        assert (excess.distance(-np.abs(points)) == 0).all()
        assert (excess.distance(points) >= 0).all()
        np.testing.assert_array_equal(
            excess.distance(points), excess.distance(np.maximum(points, 0))
        )

    @given(rows, rows)
    def test_more_is_never_less_strange(self, points, more):
        excess = Excess()
        assert (excess.distance(points + np.abs(more)) >= excess.distance(points)).all()

    def test_each_feature_counts_by_itself(self):
        got = Excess().distance(np.array([[2, -5, 1], [2, 0, 0]], np.float32))
        assert got.tolist() == [3, 2]

    def test_nothing_is_learnt_or_kept(self):
        points = np.ones((3, 2), np.float32)
        excess = Excess.fit(points, size=5)
        excess.update(9 * points)
        assert excess.state() == {}
        np.testing.assert_array_equal(
            Excess.from_state({}).distance(points), excess.distance(points)
        )


@pytest.mark.parametrize("chosen", sorted(KINDS))
def test_the_operator_chooses_unless_only_excess_counts(chosen: str):
    feature = (Feature("speed", "m/s"),)
    assert kind_of(FeatureSpec("a", 1, feature), chosen) is KINDS[chosen]
    assert kind_of(FeatureSpec("a", 1, feature, excess=True), chosen) is Excess
