"""Time and peak memory of aggregation, ours and Flower's, in one run.

    python -m tests.benchmarks.aggregation [--updates 1000] [--compared 20] [--flower-python PYTHON]

PYTHON belongs to an environment with Flower (``tests/golden/make_flower_golden.py`` says how); both
sides run one after the other, each task in a process of its own, on one thread. The model has 2.06
million parameters. Drawing the updates is not timed.

* mean: FedAvg over ``--updates``. Ours is given one update at a time; Flower takes a list of
  messages, so it needs memory for all of them (8.3 GB at 1000).
* robust: strategies that compare updates, over ``--compared``; the best of three.

Flower's messages hold bytes, which it decodes while it aggregates; ours were decoded before. So
``decode_s`` says how long that takes. ``peak_models`` is how much the resident set grows in a
round, beside the old model, counted in models: updates at hand, sums, the next model.
``plain_sum`` is a bare ``total += update``: no average that reads its updates can be faster.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]

SHAPES = {  # CLAP's detector on 1980 features
    **{f"{layer}1.weight": (512, 1980) for layer in ("fc", "attention")},
    **{f"{layer}1.bias": (512,) for layer in ("fc", "attention")},
    **{f"{layer}2.weight": (32, 512) for layer in ("fc", "attention")},
    **{f"{layer}2.bias": (32,) for layer in ("fc", "attention")},
    "fc3.weight": (1, 32),
    "fc3.bias": (1,),
}
PARAMETERS = sum(int(np.prod(shape)) for shape in SHAPES.values())
MODEL_BYTES = 4 * PARAMETERS
REPEATS = 3
HOSTILE = 3
COMPARED = {
    "trimmed_mean": {"trim": 0.2},
    "coordinate_median": {},
    "krum": {"hostile": HOSTILE},
    "multi_krum": {"hostile": HOSTILE, "keep": 10},
    "geometric_median": {},
    "median_norm_clipping": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=20)
    parser.add_argument("--flower-python", type=Path)
    parser.add_argument("--task", choices=sorted(TASKS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(TASKS[options.task](options)))
        return
    figures = {"parameters": PARAMETERS, "updates": options.updates, "compared": options.compared}
    for task in TASKS:
        python = options.flower_python if task.startswith("flower") else sys.executable
        if python:
            figures[task] = in_own_process(python, task, options)
    print(json.dumps(figures | ratios(figures), indent=1))


def in_own_process(python: Path | str, task: str, options: argparse.Namespace) -> dict:
    counts = ["--updates", str(options.updates), "--compared", str(options.compared)]
    command = [str(python), "-m", "tests.benchmarks.aggregation", "--task", task, *counts]
    single = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=single, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ratios(figures: dict) -> dict:
    """How many times longer Flower takes."""
    if "flower_mean" not in figures:
        return {}
    ours, theirs = figures["mean"], figures["flower_mean"]
    robust = {
        name: round(seconds / figures["robust"][name], 1)
        for name, seconds in figures["flower_robust"].items()
    }
    return {
        "ratio_mean": round(theirs["seconds"] / ours["seconds"], 1),
        "ratio_mean_decoded": round((theirs["seconds"] - theirs["decode_s"]) / ours["seconds"], 1),
        "ratio_robust": robust,
    }


def drawn(index: int) -> Arrays:
    random = np.random.default_rng(index)
    return {name: random.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}


def examples(index: int) -> int:
    return 100 + index


# ---------------------------------------------------------------- ours


def mean(options: argparse.Namespace) -> dict:
    from aggregator.strategies.registry import make_strategy

    strategy = make_strategy("fedavg")
    model = drawn(0)
    before, seconds = resident_bytes(), 0.0
    started = time.perf_counter()
    aggregation = strategy.begin(model)
    seconds += time.perf_counter() - started
    for update in our_updates(options.updates):
        started = time.perf_counter()
        aggregation.add(update)
        seconds += time.perf_counter() - started
        del update  # or two would live while the next is drawn
    started = time.perf_counter()
    aggregation.finish()
    seconds += time.perf_counter() - started
    moved_bytes = 12 * PARAMETERS * options.updates  # read a delta and a sum, write the sum
    return {
        "seconds": seconds,
        "peak_models": peak_models(before),
        "gigabytes_per_s": moved_bytes / seconds / 1e9,
        "plain_sum_gigabytes_per_s": plain_sum_gigabytes_per_s(),
    }


def our_updates(count: int) -> Iterator:
    from edge.domain.weights import WeightUpdate

    for index in range(1, count + 1):
        yield WeightUpdate(f"p{index:04}", 1, examples(index), drawn(index))


def plain_sum_gigabytes_per_s() -> float:
    """What the machine gives ``total += update`` on fresh updates of the same size: the ceiling."""
    total, seconds = drawn(0), 0.0
    for index in range(1, 31):
        update = drawn(index)
        started = time.perf_counter()
        for name, array in total.items():
            np.add(array, update[name], out=array)
        seconds += time.perf_counter() - started
    return 30 * 12 * PARAMETERS / seconds / 1e9


def robust(options: argparse.Namespace) -> dict:
    from aggregator.strategies.registry import make_strategy

    model, updates = drawn(0), list(our_updates(options.compared))

    def once(name: str) -> float:
        started = time.perf_counter()
        aggregation = make_strategy(name, **COMPARED[name]).begin(model)
        for update in updates:
            aggregation.add(update)
        aggregation.finish()
        return time.perf_counter() - started

    return {name: min(once(name) for _ in range(REPEATS)) for name in COMPARED}


# ---------------------------------------------------------------- Flower's


def flower_mean(options: argparse.Namespace) -> dict:
    from flwr.serverapp.strategy import FedAvg

    strategy = FedAvg()
    before = resident_bytes()
    replies = flower_replies(options.updates)
    started = time.perf_counter()
    strategy.aggregate_train(1, replies)
    seconds = time.perf_counter() - started
    peak = peak_models(before)
    started = time.perf_counter()
    for reply in replies:
        for array in reply.content["arrays"].values():
            array.numpy()
    return {
        "seconds": seconds,
        "decode_s": time.perf_counter() - started,
        "peak_models": peak,
    }


def flower_robust(options: argparse.Namespace) -> dict:
    from flwr.serverapp import strategy as flower

    made: dict[str, Callable[[], flower.FedAvg]] = {
        "trimmed_mean": lambda: flower.FedTrimmedAvg(beta=0.2),
        "coordinate_median": flower.FedMedian,
        "krum": lambda: flower.Krum(num_malicious_nodes=HOSTILE),
        "multi_krum": lambda: flower.MultiKrum(num_malicious_nodes=HOSTILE, num_nodes_to_select=10),
    }

    def once(name: str) -> float:
        strategy, replies = made[name](), flower_replies(options.compared)  # it consumes them
        started = time.perf_counter()
        strategy.aggregate_train(1, replies)
        return time.perf_counter() - started

    return {name: min(once(name) for _ in range(REPEATS)) for name in made}


def flower_replies(count: int) -> list:
    from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1  # of no real run
    replies = []
    for index in range(1, count + 1):
        arrays = ArrayRecord({name: Array(array) for name, array in drawn(index).items()})
        metrics = MetricRecord({"num-examples": examples(index)})
        content = RecordDict({"arrays": arrays, "metrics": metrics})
        replies.append(Message(content, dst_node_id=index, message_type="train"))
    return replies


# ---------------------------------------------------------------- memory


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak_models(before_bytes: int) -> float:
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (peak_bytes - before_bytes) / MODEL_BYTES


TASKS = {
    "mean": mean,
    "robust": robust,
    "flower_mean": flower_mean,
    "flower_robust": flower_robust,
}


if __name__ == "__main__":
    main()
