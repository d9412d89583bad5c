import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aggregator.strategies.port import NO_STATE
from aggregator.strategies.scaffold import CONTROL, Scaffold
from tests.aggregator.strategies.updates import MODEL, drawn_updates, run, seeds

BOTH = {**MODEL, **{CONTROL + name: array for name, array in MODEL.items()}}


@given(seeds, st.sampled_from([0.25, 1.0]))
def test_model_and_control_move_by_their_own_means(seed, participation):
    updates = drawn_updates(seed, 4, like=BOTH)
    strategy = Scaffold(server_learning_rate=0.5, participation=participation)
    first = run(strategy, updates)
    second = run(strategy, updates, model=first.model, state=first.state)
    for name in MODEL:
        deltas = np.mean([u.delta[name] for u in updates], axis=0)
        controls = np.mean([u.delta[CONTROL + name] for u in updates], axis=0)
        np.testing.assert_allclose(second.model[name], MODEL[name] + deltas, atol=1e-5)
        np.testing.assert_allclose(
            second.state[CONTROL + name], 2 * participation * controls, atol=1e-5
        )


def test_the_control_variate_is_published_beside_the_model_and_begins_at_zero():
    strategy = Scaffold()
    begun = strategy.published(MODEL, NO_STATE)
    assert set(begun) == set(BOTH) == set(strategy.expects(MODEL))
    assert not any(begun[CONTROL + name].any() for name in MODEL)
    step = run(strategy, drawn_updates(0, 3, like=BOTH))
    told = strategy.published(step.model, step.state)
    assert set(step.model) == set(MODEL)
    np.testing.assert_array_equal(
        told[CONTROL + "body.weight"], step.state[CONTROL + "body.weight"]
    )
