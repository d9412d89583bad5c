import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.simulate.clusters import purity

KINDS = {"a": "road", "b": "road", "c": "shop", "d": "shop"}


def test_pure_clusters_have_one_kind_each():
    assert purity({0: ("a", "b"), 5: ("c", "d")}, KINDS) == 1
    assert purity({0: ("a",), 1: ("b",), 2: ("c", "d")}, KINDS) == 1
    assert purity({0: ("a", "c"), 1: ("b", "d")}, KINDS) == pytest.approx(0.5)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_parting_further_never_makes_less_pure(labels):
    coarse = {
        k: [n for n, label in zip(KINDS, labels, strict=True) if label // 2 == k] for k in (0, 1)
    }
    fine = {k: [n for n, label in zip(KINDS, labels, strict=True) if label == k] for k in range(4)}
    assert 0.5 <= purity(coarse, KINDS) <= purity(fine, KINDS) <= 1
