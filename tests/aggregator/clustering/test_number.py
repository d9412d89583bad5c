import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import silhouette_score

from aggregator.clustering.number import MOST, silhouette, well_parted
from tests.aggregator.clustering.companies import drawn, same_parts, seeds, space

GROUPS = [0] * 4 + [1] * 4 + [2] * 4


def chance() -> np.random.Generator:
    return np.random.default_rng(0)


@given(seeds)
def test_as_many_clusters_as_there_are_groups(seed):
    assert same_parts(well_parted(drawn(seed, GROUPS, apart=30), chance()).labels, GROUPS)


@given(seeds)
def test_where_nobody_is_special_everybody_stays_together(seed):
    random = np.random.default_rng(seed)
    crowd = space(random.normal(size=(12, 200)), [None] * 12)
    assert not well_parted(crowd, chance()).labels.any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_to_be_parted(count):
    assert not well_parted(drawn(0, [0, 1, 2][:count], apart=30), chance()).labels.any()


def test_there_is_a_most():
    many = space(np.repeat(np.eye(30), 2, axis=0), [None] * 60)
    assert len(set(well_parted(many, chance()).labels)) <= MOST


def test_the_number_of_the_last_round_is_kept_where_another_is_hardly_better():
    """Four groups at the corners of a rectangle: two of two, the longer it is."""
    corner, side = np.arange(12) % 4, np.arange(12) % 2
    noise = np.random.default_rng(0).normal(0, 0.2, (12, 2))

    def numbers(length: float) -> list[int]:
        rows = np.stack([side * length, corner // 2], axis=1) + noise
        crowd = space(rows, [None] * 12)
        return [
            len(set(well_parted(crowd, chance(), before).labels)) for before in (None, side, corner)
        ]

    found = [numbers(length) for length in np.linspace(1, 4, 13)]
    assert found[0] == [4, 4, 4]
    assert found[-1] == [2, 2, 2]
    assert any(numbers_kept == [2, 4] for _, *numbers_kept in found)


@given(seeds)
def test_the_silhouette_is_scikit_learns(seed):
    pairs = drawn(seed, GROUPS).pairs()
    labels = np.random.default_rng(seed).permutation([0, *([1] * 5), *([2] * 6)])
    expected = silhouette_score(pairs, labels, metric="precomputed")
    assert silhouette(pairs, labels) == pytest.approx(expected)
