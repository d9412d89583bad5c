import numpy as np
import pytest
from hypothesis import given

from aggregator.strategies.averaging import FedAvg, FedBuff, FedProx
from aggregator.strategies.port import LocalRule
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


@given(seeds, counts)
def test_fedavg_is_the_mean_weighted_by_examples(seed, count):
    updates = drawn_updates(seed, count)
    examples = [update.num_examples for update in updates]
    expected = np.average(matrix(updates), axis=0, weights=examples)
    np.testing.assert_allclose(moved(run(FedAvg(), updates)), expected, rtol=0, atol=2e-6)


@given(seeds, counts)
def test_clap_adds_lambda_over_k_times_the_sum(seed, count):
    updates = drawn_updates(seed, count)
    strategy = FedAvg(weighting="equal", server_learning_rate=0.25)
    expected = 0.25 / count * matrix(updates).sum(0)
    np.testing.assert_allclose(moved(run(strategy, updates)), expected, rtol=0, atol=2e-6)


@given(seeds)
def test_fedprox_aggregates_like_fedavg_and_asks_for_the_proximal_term(seed):
    updates = drawn_updates(seed, 5)
    strategy = FedProx(mu=0.1)
    np.testing.assert_array_equal(moved(run(strategy, updates)), moved(run(FedAvg(), updates)))
    assert strategy.local == LocalRule(proximal=0.1)


def test_fedbuff_shrinks_late_deltas_but_not_the_number_that_divides():
    fresh, late = drawn_updates(0, 2)
    buffer = FedBuff().begin(MODEL)
    buffer.add(fresh, staleness=0)
    buffer.add(late, staleness=8)
    expected = np.array([1, 1 / 3]) @ matrix([fresh, late]) / 2
    np.testing.assert_allclose(moved(buffer.finish()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("examples", [10**12, 2**24 + 1])
def test_great_numbers_of_examples_stay_exact_enough(examples):
    updates = [
        WeightUpdate(u.participant, 1, examples + i, u.delta)
        for i, u in enumerate(drawn_updates(0, 40))
    ]
    expected = matrix(updates).mean(0)
    np.testing.assert_allclose(moved(run(FedAvg(), updates)), expected, rtol=0, atol=2e-6)
