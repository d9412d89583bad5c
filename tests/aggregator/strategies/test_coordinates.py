import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import trim_mean

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.coordinates import CoordinateMedian, TrimmedMean
from tests.aggregator.strategies.hostile import HONEST, attacks, round_with, within
from tests.aggregator.strategies.updates import counts, drawn_updates, matrix, moved, run, seeds


@given(seeds, counts)
def test_median_is_numpys(seed, count):
    updates = drawn_updates(seed, count)
    expected = np.median(matrix(updates), axis=0)
    np.testing.assert_allclose(moved(run(CoordinateMedian(), updates)), expected, atol=1e-6)


@given(seeds, counts, st.floats(0, 0.49))
def test_trimmed_mean_is_scipys(seed, count, trim):
    updates = drawn_updates(seed, count)
    expected = trim_mean(matrix(updates), trim, axis=0)
    np.testing.assert_allclose(moved(run(TrimmedMean(trim=trim), updates)), expected, atol=1e-6)


def test_values_that_are_equal_are_no_trouble():
    updates = drawn_updates(0, 9)
    for update in updates:
        for array in update.delta.values():
            np.round(array, 0, out=array)
    expected = np.median(matrix(updates), axis=0)
    np.testing.assert_allclose(moved(run(CoordinateMedian(), updates)), expected, atol=1e-6)


def test_models_larger_than_a_block_are_combined_whole():
    model = {"x": np.zeros(40_001, np.float32)}
    updates = drawn_updates(0, 5, like=model)
    step = moved(run(CoordinateMedian(), updates, model=model), model)
    np.testing.assert_array_equal(step, np.median(matrix(updates), axis=0).astype(np.float32))


@pytest.mark.parametrize(("strategy", "liars"), [(CoordinateMedian(), 7), (TrimmedMean(), 2)])
@given(seed=seeds, attack=attacks)
def test_liars_do_not_move_a_coordinate_beyond_the_honest(strategy, liars, seed, attack):
    honest, lies = round_with(seed, liars, attack)
    assert len(honest) == HONEST
    assert within(moved(run(strategy, [*lies, *honest])), matrix(honest), slack=0)
    assert not within(
        moved(run(FedAvg(weighting="equal"), [*lies, *honest])), matrix(honest), slack=0.1
    )
