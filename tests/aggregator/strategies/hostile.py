"""Rounds in which some participants lie."""

import numpy as np
from hypothesis import strategies as st

from edge.domain.weights import WeightUpdate
from tests.aggregator.strategies.updates import drawn_updates

HONEST = 8
attacks = st.sampled_from(["flipped", "scaled", "noisy", "colluding"])


def round_with(seed: int, liars: int, attack: str) -> tuple[list[WeightUpdate], list[WeightUpdate]]:
    """HONEST updates about a common direction, and those of the liars."""
    (common,) = drawn_updates(seed, 1)
    honest = [_moved(u, common, 1.0) for u in drawn_updates(seed + 1, HONEST, scale=0.1)]
    noise = drawn_updates(seed + 2, liars, scale=0.1, start=HONEST)
    wild = drawn_updates(seed + 3, liars, scale=1e5, start=HONEST)
    lies = {
        "flipped": [_moved(u, common, -5.0) for u in noise],
        "scaled": [_moved(u, common, 1e5) for u in noise],
        "noisy": wild,
        "colluding": [WeightUpdate(u.participant, 1, 10**9, wild[0].delta) for u in wild],
    }
    return honest, lies[attack]


def _moved(update: WeightUpdate, common: WeightUpdate, times: float) -> WeightUpdate:
    delta = {
        name: np.asarray(array + np.float32(times) * common.delta[name])
        for name, array in update.delta.items()
    }
    return WeightUpdate(update.participant, 1, update.num_examples, delta)


def within(step: np.ndarray, rows: np.ndarray, slack: float) -> bool:
    """Whether every coordinate is in the range of ``rows``, widened by a share of its width."""
    margin = slack * (rows.max(0) - rows.min(0)) + 1e-6
    return bool(((rows.min(0) - margin <= step) & (step <= rows.max(0) + margin)).all())


def distance_to_honest(step: np.ndarray, rows: np.ndarray) -> float:
    """From the honest mean, in radii of the honest."""
    center = rows.mean(0)
    return float(np.linalg.norm(step - center) / np.linalg.norm(rows - center, axis=1).max())
