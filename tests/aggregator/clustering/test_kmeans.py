import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.clustering.kmeans import membership, parted
from tests.aggregator.clustering.companies import (
    ALPHA,
    BETA,
    drawn,
    models,
    same_parts,
    seeds,
    shares,
    space,
)

GROUPS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(seeds)
def test_groups_that_are_far_apart_are_found(seed):
    assert same_parts(parted(drawn(seed, GROUPS, apart=30), 3, chance(seed)).labels, GROUPS)


@given(seeds, st.integers(1, 10))
def test_no_cluster_is_empty(seed, count):
    labels = parted(drawn(seed, GROUPS), count, chance(seed)).labels
    assert set(labels) == set(range(count))


def test_no_cluster_is_empty_where_nobody_differs():
    alike = space(np.ones((6, 3)), [np.ones(2, np.float32)] * 6)
    assert set(parted(alike, 4, chance()).labels) == set(range(4))


@given(seeds, st.integers(2, 4))
def test_at_the_end_everybody_is_nearest_to_its_own_centre(seed, count):
    """Of vectors that are written down, as in Eqs. 2 and 3: the naive k-means would stop here."""
    rows, seen = models(seed, GROUPS), np.array(shares(seed, GROUPS), float)
    labels = parted(space(rows, shares(seed, GROUPS)), count, chance(seed)).labels
    away = np.zeros((len(rows), count))
    for weight, vectors in ((ALPHA, rows), (BETA, seen)):
        unit = np.linalg.norm(vectors[:, None] - vectors, axis=-1).sum() / (10 * 9)
        centres = np.stack([vectors[labels == label].mean(axis=0) for label in range(count)])
        away += weight * np.linalg.norm(vectors[:, None] - centres, axis=-1) / unit
    own = away[np.arange(10), labels]
    assert (own <= away.min(axis=1) + 1e-6).all()


@given(seeds, st.permutations(range(10)))
def test_the_order_of_participants_does_not_matter(seed, order):
    rows, seen = models(seed, GROUPS, apart=30), shares(seed, GROUPS, apart=30)
    straight = parted(space(rows, seen), 3, chance()).labels
    mixed = parted(space(rows[order], [seen[i] for i in order]), 3, chance()).labels
    assert same_parts(straight[order], mixed)


def test_the_last_rounds_clusters_are_kept_where_others_are_hardly_better():
    square = space(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [None] * 4)
    for before in ([0, 0, 1, 1], [5, 2, 5, 2]):
        for seed in range(5):
            assert same_parts(parted(square, 2, chance(seed), np.array(before)).labels, before)


def test_the_last_rounds_clusters_are_left_for_clearly_better_ones():
    wrong = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    groups = [0] * 5 + [1] * 5
    assert same_parts(parted(drawn(1, groups, apart=30), 2, chance(), wrong).labels, groups)


def test_newcomers_join_the_last_rounds_clusters():
    before = np.array([7, 7, -1, 3, 3, -1])
    found = parted(drawn(0, [0, 0, 0, 1, 1, 1], apart=30), 2, chance(), before).labels
    assert same_parts(found, [0, 0, 0, 1, 1, 1])


def test_membership_has_a_row_for_each_cluster():
    np.testing.assert_array_equal(membership(np.array([1, 0, 1]), 2), [[0, 1, 0], [1, 0, 1]])


@pytest.mark.parametrize("count", [1, 10])
def test_all_together_and_everybody_alone(count):
    assert len(set(parted(drawn(0, GROUPS), count, chance()).labels)) == count
