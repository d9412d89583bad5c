"""Models, updates and hypothesis strategies that the tests of this folder share."""

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from aggregator.strategies.port import NO_STATE, Step, Strategy
from edge.domain.weights import Weights, WeightUpdate

SHAPES = {"body.weight": (4, 3), "norm1.bias": (3,), "fc4.weight": ()}
MODEL = {name: np.full(shape, 0.5, np.float32) for name, shape in SHAPES.items()}

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 70)  # more than two of the mean's short sums


def drawn_weights(
    random: np.random.Generator, like: Weights = MODEL, scale: float = 1
) -> dict[str, np.ndarray]:
    return {
        name: np.asarray(random.normal(0, scale, array.shape), np.float32)
        for name, array in like.items()
    }


def drawn_updates(
    seed: int, count: int, *, like: Weights = MODEL, scale: float = 1, start: int = 0
) -> list[WeightUpdate]:
    random = np.random.default_rng(seed)
    return [
        WeightUpdate(
            f"p{start + index:03}",
            1,
            int(random.integers(1, 1000)),
            drawn_weights(random, like, scale),
        )
        for index in range(count)
    ]


def run(
    strategy: Strategy,
    updates: Iterable[WeightUpdate],
    *,
    model: Weights = MODEL,
    state: Weights = NO_STATE,
) -> Step:
    aggregation = strategy.begin(model, state)
    for update in updates:
        aggregation.add(update)
    return aggregation.finish()


def shared(strategy: Strategy, updates: Sequence[WeightUpdate]) -> list[WeightUpdate]:
    """The same updates as the strategy's participants send them."""
    names = [name for name in MODEL if strategy.local.shares(name)]
    return [
        WeightUpdate(u.participant, u.round, u.num_examples, {n: u.delta[n] for n in names})
        for u in updates
    ]


def moved(step: Step, model: Weights = MODEL) -> np.ndarray:
    """The change of the model, flat."""
    return flat(step.model) - flat(model)


def flat(weights: Weights) -> np.ndarray:
    return np.concatenate([weights[name].ravel() for name in sorted(weights)])


def matrix(updates: Sequence[WeightUpdate]) -> np.ndarray:
    """Deltas, (K, P), float64."""
    return np.stack([flat(update.delta) for update in updates]).astype(np.float64)
