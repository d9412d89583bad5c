"""Write ``tests/golden/flower/models.json``: what Flower's strategies make of our updates.

    python3 -m venv /tmp/flower && /tmp/flower/bin/pip install flwr==1.42.0
    /tmp/flower/bin/python -m tests.golden.make_flower_golden

Flower has an environment of its own: it would change the versions of ours. Each strategy runs the
same rounds, from its public ``configure_train`` and ``aggregate_train``, without a network.
"""

import json
from pathlib import Path

import flwr
import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower
from flwr.supercore.task_identity import TaskIdentity

from tests.golden.flower.updates import (
    ROUNDS,
    Arrays,
    deltas,
    examples,
    initial_model,
)

TARGET = Path(__file__).parent / "flower" / "models.json"
TAU = 1e-3


class Nodes:
    """As much of Flower's grid as choosing participants needs."""

    def get_node_ids(self) -> list[int]:
        return list(range(len(examples(equal=True))))


def main() -> None:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1  # of no real run
    models = {
        "fedavg": run(flower.FedAvg()),
        "fedavg_equal": run(flower.FedAvg(), equal=True),
        "fedavg_slow": run(flower.FedAvgM(server_learning_rate=0.5)),
        "fedavgm": run(flower.FedAvgM(server_momentum=0.9)),
        "fedadam": run(begun_as_published(flower.FedAdam(tau=TAU))),
        "fedyogi": run(begun_as_published(flower.FedYogi(tau=TAU))),
        "trimmed_mean": run(flower.FedTrimmedAvg(beta=0.2), hostile=2),
        "coordinate_median": run(flower.FedMedian(), hostile=4),
        "krum": run(flower.Krum(num_malicious_nodes=3), hostile=3),
        "multi_krum": run(
            flower.MultiKrum(num_malicious_nodes=3, num_nodes_to_select=5), hostile=3, equal=True
        ),
    }
    golden = {"flower": flwr.__version__, "models": models}
    TARGET.write_text(json.dumps(golden) + "\n")


def begun_as_published(strategy: flower.FedAdam | flower.FedYogi) -> flower.FedAvg:
    """Second moments begin at tau squared, as in the paper, where Flower has 0."""
    strategy.v_t = {
        name: np.full_like(array, strategy.tau**2) for name, array in initial_model().items()
    }
    return strategy


def run(
    strategy: flower.FedAvg, *, hostile: int = 0, equal: bool = False
) -> list[dict[str, list[float]]]:
    """The model after every round, arrays flat."""
    model, models = initial_model(), []
    for number in range(1, ROUNDS + 1):
        strategy.configure_train(number, record(model), ConfigRecord(), Nodes())
        replies = [
            reply(trained(model, delta), count)
            for delta, count in zip(
                deltas(number, hostile=hostile), examples(equal=equal), strict=True
            )
        ]
        arrays, _ = strategy.aggregate_train(number, replies)
        model = {name: array.numpy().astype(np.float32) for name, array in arrays.items()}
        models.append({name: decimals(array) for name, array in model.items()})
    return models


def decimals(array: np.ndarray) -> list[float]:
    return [round(value, 9) for value in array.ravel().tolist()]


def trained(model: Arrays, delta: Arrays) -> Arrays:
    return {name: array + delta[name] for name, array in model.items()}


def record(arrays: Arrays) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


def reply(arrays: Arrays, num_examples: int) -> Message:
    content = RecordDict(
        {"arrays": record(arrays), "metrics": MetricRecord({"num-examples": num_examples})}
    )
    return Message(content, dst_node_id=1, message_type="train")


if __name__ == "__main__":
    main()
