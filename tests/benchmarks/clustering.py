"""Time and peak memory of FVCC's end of a round, beside a bare pass over the same weights.

    python -m tests.benchmarks.clustering [--participants 1000] [--kinds 5]

The model has 2.06 million parameters; 1000 participants' updates are 8.3 GB, drawn in place and not
timed. One thread. In one process, one after the other:

* ``sum_s``: a bare ``total += update``: reads every weight once, and no average can be faster.
* ``gram_s``: the matrix of distances. It too reads every weight once; what it costs beyond that is
  K² / 2 multiplications for each coordinate, so ``gigaflops`` says how well they are done.
* ``kmeans_s``: the parting from that matrix, into a number that it finds itself.
* ``finish_s``: the whole end of the round: both of them and every cluster's mean.

``peak_models`` is how much the resident set grows while the round ends, beside the updates, the old
model and the sum, counted in models; each cluster's new model is one of them.
"""

import argparse
import json
import os
import time
from collections.abc import Callable

import numpy as np

from aggregator.clustering.geometry import geometry, gram
from aggregator.clustering.number import well_parted
from aggregator.strategies.fvcc import FVCC, STREET
from edge.domain.weights import WeightUpdate
from tests.benchmarks.aggregation import (
    MODEL_BYTES,
    PARAMETERS,
    drawn,
    peak_models,
    resident_bytes,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=1000)
    parser.add_argument("--kinds", type=int, default=5)
    options = parser.parse_args()
    places = [drawn(10**6 + kind) for kind in range(options.kinds)]
    updates = [update(index, places) for index in range(options.participants)]
    print(json.dumps(measured(updates), indent=1))


def update(index: int, places: list[dict]) -> WeightUpdate:
    """Noise about what is learnt in a kind of place, and the objects that are seen there."""
    kind = index % len(places)
    delta = drawn(index)
    for name, array in delta.items():
        array += places[kind][name]
    likely = 1 + 20 * np.eye(len(STREET))[kind]
    shares = np.random.default_rng(index).dirichlet(likely).astype(np.float32)
    return WeightUpdate(f"p{index:04}", 1, 100 + index, delta, shares)


def measured(updates: list[WeightUpdate]) -> dict:
    count, model = len(updates), drawn(0)
    total = {name: array.copy() for name, array in model.items()}
    sum_s, _ = timed(lambda: [add(total, update) for update in updates])
    whose = np.zeros(count, np.intp)
    gram_s, products = timed(lambda: gram([u.delta for u in updates], [model], whose))
    space = geometry(products, [u.objects for u in updates], alpha=0.4, beta=0.6)
    kmeans_s, _ = timed(lambda: well_parted(space, np.random.default_rng(0)))
    strategy = FVCC()
    aggregation = strategy.begin(model)
    for each in updates:
        aggregation.add(each)
    before_bytes = resident_bytes()
    finish_s, step = timed(aggregation.finish)
    return {
        "participants": count,
        "parameters": PARAMETERS,
        "gigabytes": count * MODEL_BYTES / 1e9,
        "clusters": [len(c.members) for c in strategy.clusters(step.model, step.state)],
        "sum_s": sum_s,
        "gram_s": gram_s,
        "kmeans_s": kmeans_s,
        "finish_s": finish_s,
        "finish_in_sums": finish_s / sum_s,
        "gigaflops": count**2 * PARAMETERS / gram_s / 1e9,
        "peak_models": peak_models(before_bytes),
    }


def add(total: dict, update: WeightUpdate) -> None:
    for name, array in total.items():
        np.add(array, update.delta[name], out=array)


def timed(work: Callable) -> tuple[float, object]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
