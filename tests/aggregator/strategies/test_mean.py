import numpy as np
import pytest

from aggregator.strategies.mean import RunningMean


def test_a_thousand_updates_give_the_mean_in_any_order_to_a_millionth():
    random = np.random.default_rng(0)
    rows = random.normal(0.5, 1, (1000, 2000)).astype(np.float32)
    weights = random.integers(1, 1000, 1000)
    exact = np.average(rows.astype(np.float64), axis=0, weights=weights)
    largest = np.abs(rows).max()
    for order in (np.arange(1000), np.argsort(weights), random.permutation(1000)):
        mean = RunningMean({"x": (2000,)})
        for row in order:
            mean.add({"x": rows[row]}, scale=float(weights[row]), weight=float(weights[row]))
        assert np.abs(mean.take()["x"] - exact).max() < 2e-7 * largest


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (3, 50_001), (2, 3, 4, 5)])
def test_arrays_of_every_shape_are_added_in_place(shape):
    array = np.asarray(np.random.default_rng(0).normal(size=shape), np.float32)
    array.setflags(write=False)  # as it comes from a file
    mean = RunningMean({"x": shape})
    for _ in range(3):
        mean.add({"x": array}, scale=2.0, weight=1.0)
    taken = mean.take()["x"]
    assert taken.shape == shape
    np.testing.assert_allclose(taken, 2 * array, rtol=1e-6)


def test_an_array_that_is_not_contiguous_is_added_as_it_reads():
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    mean = RunningMean({"x": (4, 3)})
    mean.add({"x": array}, scale=1.0, weight=1.0)
    np.testing.assert_array_equal(mean.take()["x"], array)
