"""What every strategy must keep, each of them by the port alone."""

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from aggregator.strategies.port import Strategy
from aggregator.strategies.registry import STRATEGIES, make_strategy
from edge.domain.weights import WeightUpdate
from edge.errors import ConfigError
from tests.aggregator.strategies.updates import (
    MODEL,
    SHAPES,
    drawn_updates,
    flat,
    matrix,
    moved,
    run,
    seeds,
    shared,
)

NEEDED = {"norm_clipping": {"bound": 3.0}}
PLUGIN = "tests.aggregator.strategies.example_plugin:MajorityVote"
EVERY = [*STRATEGIES, PLUGIN]
OF_DELTAS = [  # whose step is a location of the deltas, in the model's units
    *("fedavg", "fedprox", "fedbuff", "trimmed_mean", "coordinate_median"),
    *("krum", "multi_krum", "geometric_median", "median_norm_clipping"),
]
SCALE_FREE = ["fedavgm", *OF_DELTAS]


def made(name: str) -> Strategy:
    return make_strategy(name, **NEEDED.get(name, {}))


def sent(strategy: Strategy, seed: int, count: int) -> list[WeightUpdate]:
    """Updates that look as the strategy expects them."""
    like = {name: np.zeros(shape, np.float32) for name, shape in strategy.expects(MODEL).items()}
    return drawn_updates(seed, count, like=like)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=15)
@given(seeds, st.integers(5, 70), st.randoms())
def test_the_order_of_updates_does_not_matter(name, seed, count, random):
    strategy = made(name)
    updates = sent(strategy, seed, count)
    step = run(strategy, updates)
    shuffled = random.sample(updates, count)
    again = run(strategy, shuffled)
    largest = np.abs(matrix(updates)).max()
    # steps of Adam's kind divide by a small second moment: errors grow by λ / τ, at most
    tolerance = largest * (1e-4 if name in ("fedadam", "fedyogi") else 1e-6)
    np.testing.assert_allclose(flat(again.model), flat(step.model), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", EVERY)
@given(seed=seeds)
def test_nothing_given_is_changed_and_a_round_can_be_begun_again(name, seed):
    strategy = made(name)
    updates = sent(strategy, seed, 6)
    first = run(strategy, updates)
    model, state = flat(first.model), {n: a.copy() for n, a in first.state.items()}
    deltas = matrix(updates)
    died = strategy.begin(first.model, first.state)
    died.add(updates[0])
    second = run(strategy, updates, model=first.model, state=first.state)
    again = run(strategy, updates, model=first.model, state=first.state)
    np.testing.assert_array_equal(flat(second.model), flat(again.model))
    np.testing.assert_array_equal(flat(first.model), model)
    np.testing.assert_array_equal(matrix(updates), deltas)
    for held, array in state.items():
        np.testing.assert_array_equal(first.state[held], array)


@pytest.mark.parametrize("name", EVERY)
def test_a_step_has_the_models_names_shapes_and_type(name):
    strategy = made(name)
    step = run(strategy, sent(strategy, 0, 6))
    assert {key: array.shape for key, array in step.model.items()} == SHAPES
    assert {array.dtype for array in (*step.model.values(), *step.state.values())} == {
        np.dtype(np.float32)
    }


@pytest.mark.parametrize("name", OF_DELTAS)
@given(seed=seeds, count=st.integers(5, 40))
def test_the_step_lies_within_the_range_of_the_updates(name, seed, count):
    updates = drawn_updates(seed, count)
    rows = matrix(updates)
    step = moved(run(made(name), updates))
    # clipping shortens deltas, so zero belongs to its range
    low, high = np.minimum(rows.min(0), 0), np.maximum(rows.max(0), 0)
    assert (low - 1e-6 <= step).all()
    assert (step <= high + 1e-6).all()


@pytest.mark.parametrize("name", SCALE_FREE)
@given(seed=seeds, scale=st.sampled_from([0.125, 0.5, 2.0, 16.0]))
def test_updates_of_another_scale_make_a_step_of_that_scale(name, seed, scale):
    updates = drawn_updates(seed, 7)
    larger = [
        WeightUpdate(
            u.participant, 1, u.num_examples, {n: a * np.float32(scale) for n, a in u.delta.items()}
        )
        for u in updates
    ]
    step, scaled = moved(run(made(name), updates)), moved(run(made(name), larger))
    np.testing.assert_allclose(scaled, scale * step, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("name", SCALE_FREE)
@given(seed=seeds)
def test_equal_updates_are_taken_over_as_they_are(name, seed):
    strategy = made(name)
    (one,) = drawn_updates(seed, 1)
    many = [WeightUpdate(f"p{i}", 1, one.num_examples, one.delta) for i in range(7)]
    np.testing.assert_allclose(moved(run(strategy, many)), flat(one.delta), atol=2e-6)


@pytest.mark.parametrize("name", [n for n in SCALE_FREE if not n.endswith("krum")])
@given(seed=seeds)
def test_one_participant_alone_gets_its_own_model(name, seed):
    updates = drawn_updates(seed, 1)
    step = run(made(name), updates)
    np.testing.assert_allclose(moved(step), matrix(updates)[0], atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_a_late_update_moves_the_model_less(name):
    strategy = made(name)
    updates = sent(strategy, 3, 7)
    fresh, late = strategy.begin(MODEL), strategy.begin(MODEL)
    for update in updates:
        fresh.add(update)
        late.add(update, staleness=3)
    if name == PLUGIN:  # it has its own rule
        with pytest.raises(ConfigError, match="at least 1 updates"):
            late.finish()
        return
    step, shorter = moved(fresh.finish()), moved(late.finish())
    assert np.linalg.norm(shorter) < np.linalg.norm(step)
    if name in SCALE_FREE:
        np.testing.assert_allclose(shorter, step / 2, rtol=1e-4, atol=1e-6)  # 1 / sqrt(1 + 3)


@pytest.mark.parametrize("name", EVERY)
def test_too_few_updates_are_refused_by_name(name):
    strategy = made(name)
    with pytest.raises(ConfigError, match=f"{strategy.name} combines at least"):
        run(strategy, sent(strategy, 0, strategy.min_updates - 1))
    run(strategy, sent(strategy, 0, strategy.min_updates))


@pytest.mark.parametrize("name", EVERY)
def test_the_next_round_begins_from_safetensors_as_from_memory(name):
    strategy = made(name)
    step = run(strategy, sent(strategy, 1, 6))
    state = {key: np.ascontiguousarray(array) for key, array in step.state.items()}
    stored = load(save(state)) if state else {}
    after = run(strategy, sent(strategy, 2, 6), model=step.model, state=step.state)
    restored = run(strategy, sent(strategy, 2, 6), model=step.model, state=stored)
    np.testing.assert_array_equal(flat(after.model), flat(restored.model))


@pytest.mark.parametrize("name", [n for n in STRATEGIES if not made(n).sees_updates])
@given(seed=seeds)
def test_what_sees_a_sum_alone_can_be_given_the_mean_as_one_update(name, seed):
    """So secure aggregation fits every strategy that does not say that it sees updates."""
    strategy = made(name)
    updates = sent(strategy, seed, 6)
    examples = np.array([u.num_examples for u in updates])
    weight = examples if strategy.weighting == "examples" else np.ones(6)
    mean = {
        key: np.asarray(
            sum(w * u.delta[key].astype(float) for w, u in zip(weight, updates, strict=True))
            / weight.sum(),
            np.float32,
        )
        for key in updates[0].delta
    }
    summed = [WeightUpdate("everybody", 1, int(examples.sum()), mean)]
    np.testing.assert_allclose(
        flat(run(strategy, summed).model), flat(run(strategy, updates).model), atol=1e-4
    )


def test_streaming_strategies_do_not_keep_updates():
    for name in EVERY:
        strategy = made(name)
        aggregation = strategy.begin(MODEL)
        updates = sent(strategy, 0, 1)
        remembered = weakref.ref(updates[0].delta["body.weight"])
        aggregation.add(updates.pop())
        assert (remembered() is None) == strategy.streaming, name


@pytest.mark.parametrize("name", ["fedbn", "fedrep"])
def test_shared_and_kept_names_part_the_model(name):
    strategy = made(name)
    assert set(strategy.expects(MODEL)) == set(shared(strategy, drawn_updates(0, 1))[0].delta)
