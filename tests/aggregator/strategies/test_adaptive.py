"""The rules as the papers write them, over three rounds, in float64."""

import numpy as np
import pytest
from hypothesis import given

from aggregator.strategies.adaptive import FedAdam, FedAvgM, FedYogi
from aggregator.strategies.port import NO_STATE
from tests.aggregator.strategies.updates import MODEL, drawn_updates, flat, matrix, run, seeds

TAU = 1e-3


def mean_of(updates):
    return np.average(matrix(updates), axis=0, weights=[u.num_examples for u in updates])


@given(seeds)
def test_momentum_remembers_earlier_rounds(seed):
    model, state, momentum = MODEL, NO_STATE, 0.0
    expected = flat(MODEL).astype(float)
    for number in range(3):
        updates = drawn_updates(seed + number, 4)
        momentum = 0.9 * momentum + mean_of(updates)
        expected = expected + 0.5 * momentum
        step = run(FedAvgM(server_learning_rate=0.5), updates, model=model, state=state)
        model, state = step.model, step.state
    np.testing.assert_allclose(flat(model), expected, atol=1e-5)


@pytest.mark.parametrize("strategy", [FedAdam(), FedYogi()])
@given(seed=seeds)
def test_adaptive_steps_follow_algorithm_2(strategy, seed):
    model, state = MODEL, NO_STATE
    expected, first, second = flat(MODEL).astype(float), 0.0, TAU**2
    for number in range(3):
        updates = drawn_updates(seed + number, 4)
        delta = mean_of(updates)
        first = 0.9 * first + 0.1 * delta
        if strategy.name == "fedadam":
            second = 0.99 * second + 0.01 * delta**2
        else:
            second = second - 0.01 * delta**2 * np.sign(second - delta**2)
        expected = expected + strategy.server_learning_rate * first / (np.sqrt(second) + TAU)
        step = run(strategy, updates, model=model, state=state)
        model, state = step.model, step.state
    np.testing.assert_allclose(flat(model), expected, atol=1e-4)


def test_state_is_one_model_of_momentum_or_two_of_moments():
    updates = drawn_updates(0, 3)
    assert set(run(FedAvgM(), updates).state) == {f"first_moment/{name}" for name in MODEL}
    assert len(run(FedAdam(), updates).state) == 2 * len(MODEL)
