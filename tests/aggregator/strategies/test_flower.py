"""The same numbers as Flower's strategies on the same updates, round by round.

Each round begins from Flower's previous model, with the state that our rounds left. Tolerance:
1e-6 of the largest weight in play; float32 has 1.2e-7. Where the two differ by definition the test
says how; ``aggregator.strategies.adaptive`` and ``.krum`` say why.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from aggregator.strategies.port import NO_STATE
from aggregator.strategies.registry import make_strategy
from edge.domain.weights import Weights, WeightUpdate
from tests.golden.flower.updates import ROUNDS, SHAPES, deltas, examples, initial_model

GOLDEN = Path(__file__).parents[2] / "golden" / "flower" / "models.json"
MODELS = json.loads(GOLDEN.read_text())["models"]
CASES = {
    "fedavg": ("fedavg", {}, 0),
    "fedavg_equal": ("fedavg", {"weighting": "equal"}, 0),
    "fedavg_slow": ("fedavg", {"server_learning_rate": 0.5}, 0),
    "fedavgm": ("fedavgm", {}, 0),
    "fedadam": ("fedadam", {}, 0),
    "fedyogi": ("fedyogi", {}, 0),
    "trimmed_mean": ("trimmed_mean", {}, 2),
    "coordinate_median": ("coordinate_median", {}, 4),
    "krum": ("krum", {"hostile": 3}, 3),
    "multi_krum": ("multi_krum", {"hostile": 3, "keep": 5}, 3),
}


def test_every_golden_case_is_compared():
    assert CASES.keys() == MODELS.keys()


@pytest.mark.parametrize("case", CASES)
def test_models_are_flowers(case):
    name, options, hostile = CASES[case]
    strategy = make_strategy(name, **options)
    model, state = initial_model(), NO_STATE
    for number, golden in enumerate(MODELS[case], start=1):
        counts = examples(equal=case == "fedavg_equal")
        aggregation = strategy.begin(model, state)
        for index, delta in enumerate(deltas(number, hostile=hostile)):
            aggregation.add(WeightUpdate(f"p{index:02}", number, counts[index], delta))
        step, following = aggregation.finish(), read(golden)
        # the factor that Flower adds to FedAdam, and the paper has not
        factor = bias_correction(number) if name == "fedadam" else 1
        largest = 1 if not hostile else 10
        for key in SHAPES:
            ours = model[key] + factor * (step.model[key] - model[key])
            np.testing.assert_allclose(ours, following[key], rtol=0, atol=largest * 1e-6)
        model, state = following, step.state
    assert number == ROUNDS


def bias_correction(number: int) -> float:
    return float(np.sqrt(1 - 0.99 ** (number + 1)) / (1 - 0.9 ** (number + 1)))


def read(golden: dict[str, list[float]]) -> Weights:
    return {
        name: np.array(golden[name], np.float32).reshape(shape) for name, shape in SHAPES.items()
    }
