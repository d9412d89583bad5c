"""The updates that Flower and we are given; numpy alone: both environments can make them."""

from collections.abc import Mapping

import numpy as np

PARTICIPANTS = 11
ROUNDS = 3
SHAPES = {"body.weight": (3, 2), "body.bias": (3,), "head": ()}

Arrays = Mapping[str, np.ndarray]


def initial_model() -> Arrays:
    return _drawn(seed=1)


def deltas(round_number: int, *, hostile: int = 0) -> list[Arrays]:
    """Of every participant; the last ``hostile`` of them are a hundred times too large."""
    drawn = [_drawn(seed=1000 * round_number + participant) for participant in range(PARTICIPANTS)]
    honest = PARTICIPANTS - hostile
    return [
        {name: array * np.float32(1 if index < honest else 100) for name, array in delta.items()}
        for index, delta in enumerate(drawn)
    ]


def examples(*, equal: bool) -> list[int]:
    return [10 if equal else 3 + 7 * index for index in range(PARTICIPANTS)]


def _drawn(seed: int) -> Arrays:
    # RandomState: numpy promises that its stream never changes
    random = np.random.RandomState(seed)
    return {
        name: np.asarray(random.standard_normal(shape), np.float32) / 10
        for name, shape in SHAPES.items()
    }
