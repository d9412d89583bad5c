import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.strategies.clipping import MedianNormClipping, NormClipping
from edge.domain.weights import WeightUpdate
from tests.aggregator.strategies.updates import (
    MODEL,
    counts,
    drawn_updates,
    matrix,
    moved,
    run,
    seeds,
)


def clipped_mean(rows, bound):
    norms = np.linalg.norm(rows, axis=1)
    return (rows * np.minimum(1, bound / norms)[:, None]).mean(0)


@given(seeds, counts, st.floats(0.01, 10))
def test_no_update_is_longer_than_the_bound(seed, count, bound):
    updates = drawn_updates(seed, count)
    step = moved(run(NormClipping(bound=bound), updates))
    np.testing.assert_allclose(step, clipped_mean(matrix(updates), bound), atol=2e-6)
    assert np.linalg.norm(step) <= bound * (1 + 1e-5) + 1e-6


@given(seeds, counts)
def test_the_bound_may_be_the_median_norm(seed, count):
    updates = drawn_updates(seed, count)
    rows = matrix(updates)
    expected = clipped_mean(rows, np.median(np.linalg.norm(rows, axis=1)))
    step = moved(run(MedianNormClipping(), updates))
    np.testing.assert_allclose(step, expected, atol=2e-6)


def test_a_liar_has_no_more_than_its_share():
    updates = drawn_updates(0, 9)
    honest = moved(run(MedianNormClipping(), updates))
    for array in updates[0].delta.values():
        array *= 1e5
    longest = np.median(np.linalg.norm(matrix(updates), axis=1))
    step = moved(run(MedianNormClipping(), updates))
    assert np.linalg.norm(step - honest) <= 3 * longest / 9


@pytest.mark.parametrize("strategy", [NormClipping(bound=1.0), MedianNormClipping()])
def test_updates_of_zero_are_left_as_they_are(strategy):
    zero = {name: np.zeros_like(array) for name, array in MODEL.items()}
    step = run(strategy, [WeightUpdate(f"p{i}", 1, 1, zero) for i in range(3)])
    assert not moved(step).any()
