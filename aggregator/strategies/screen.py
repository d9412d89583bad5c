"""What an update must be before any strategy sees it; no strategy looks again."""

from __future__ import annotations

import numpy as np

from edge.domain.weights import Shapes, Weights, WeightUpdate
from edge.errors import MalformedMessageError

MAX_MAGNITUDE = 1e6
"""Of a change of one weight. No training moves a weight so far; and sums, squares and norms of what
is below stay finite in float32."""

MAX_EXAMPLES = 10**12
"""Years of many cameras' segments; weighted sums stay finite in float32."""


def screen(update: WeightUpdate, expected: Shapes) -> None:
    """MalformedMessageError, naming participant and fault, where the update may not be combined.

    ``expected`` is ``Strategy.expects`` of the round's model.
    """
    fault = _fault_of_names(update.delta, expected) or _fault_of_arrays(update.delta, expected)
    if not fault and not 1 <= update.num_examples <= MAX_EXAMPLES:
        fault = f"num_examples is {update.num_examples}, must be from 1 to {MAX_EXAMPLES}"
    if fault:
        raise MalformedMessageError(
            f"update of participant {update.participant} in round {update.round} refused: {fault}"
        )


def _fault_of_names(delta: Weights, expected: Shapes) -> str:
    missing, unknown = expected.keys() - delta.keys(), delta.keys() - expected.keys()
    if missing:
        return f"array {min(missing)!r} is missing"
    return f"array {min(unknown)!r} is not part of the model" if unknown else ""


def _fault_of_arrays(delta: Weights, expected: Shapes) -> str:
    for name, shape in expected.items():
        array = delta[name]
        if array.shape != shape:
            return f"array {name!r} has shape {array.shape}, must have {shape}"
        if array.dtype != np.float32:
            return f"array {name!r} is of {array.dtype}, must be of float32"
        # no temporary array of the model's size; NaN passes through and is in no range
        extremes = np.array([array.min(initial=0), array.max(initial=0)])
        if not (np.abs(extremes) <= MAX_MAGNITUDE).all():
            return f"array {name!r} has values that are not finite, or beyond {MAX_MAGNITUDE:g}"
    return ""
