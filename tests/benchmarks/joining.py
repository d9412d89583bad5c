"""A camera joins late: how many rounds until it is as good as its cluster, placed or not.

    python -m tests.benchmarks.joining [--round 30] [--after 15] [--seeds 5] [--clusters 3]

Streets in the setting ``normal`` under FVCC. All but one are in the federation from the beginning;
that one is admitted before ``--round``. *placed*: it says what objects it sees and is put beside
those who see the same. *unplaced*: it says nothing of them, then or later, and is put into the
largest cluster; what it learns has to move it. It trains in the round in which it comes. Told
are, both by rounds counted from 1 (0: before it trained; null: not within ``--after`` rounds),

* ``to_cluster``: when its AUC is first within a point of the mean of its cluster's others. A street
  that is harder than theirs never comes there, so also
* ``to_kind``: when its AUC is first within a point of what the model of the cluster where its own
  kind prevails gives it: 0 where it is put there at once.

Both ways go on from the same federation.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from tqdm import tqdm

from aggregator.simulate.channel import Channel, Terms
from aggregator.simulate.federation import Federation
from aggregator.simulate.learner import Learner
from aggregator.simulate.method import Method
from aggregator.simulate.objects import ObjectBench
from aggregator.simulate.problem import OWN_AUC, Array, Problem
from aggregator.simulate.recipes import STREETS_DENSITY
from aggregator.simulate.streets import Streets
from edge.domain.weights import Weights
from edge.model.student import make_student, predict, weights_of

WITHIN = 0.01  # of AUC


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", type=int, default=30)
    parser.add_argument("--after", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--newcomers", default="street-01,street-02,street-03", metavar="NAME,NAME")
    parser.add_argument("--clusters", default="auto", help="how many, or auto")
    options = parser.parse_args()
    torch.set_num_threads(1)
    streets = Streets.read(normal=True, progress=tqdm)
    clusters = options.clusters if options.clusters == "auto" else int(options.clusters)
    for name in options.newcomers.split(","):
        for seed in range(options.seeds):
            found = joined(streets, name, clusters, seed, options)
            kind = streets.kinds[name]
            print(json.dumps({"newcomer": name, "kind": kind, "seed": seed, **found}), flush=True)


def joined(
    streets: Streets, name: str, clusters: int | str, seed: int, options: argparse.Namespace
) -> dict:
    """The newcomer's way to its cluster, both ways."""
    problem = streets.problem(seed=seed, labelled_share=0)
    learners = {
        each.name: Learner(each, problem, STREETS_DENSITY, seed=seed, index=index)
        for index, each in enumerate(problem.participants)
    }
    newcomer = learners.pop(name)
    strategy = Method("fvcc").strategy({"fvcc": {"num_clusters": clusters}}, problem.classes)
    model = weights_of(make_student(newcomer.spec, seed=seed))
    channel = Channel(Terms(), strategy, [*learners, name], seed)
    federation = Federation([*learners.values()], model, strategy, channel, tuned=False)
    for number in range(1, options.round):
        federation.round(number)
    silent = deepcopy(newcomer)
    silent.objects = None
    return {
        way: followed(deepcopy(federation), each, problem, options)
        for way, each in (("placed", newcomer), ("unplaced", silent))
    }


def followed(
    federation: Federation, newcomer: Learner, problem: Problem, options: argparse.Namespace
) -> dict:
    """How far its AUC is from both measures, before it trains and after every round."""
    federation.admit(newcomer)
    seen = []
    for number in range(options.round - 1, options.round + options.after):
        if number >= options.round:
            federation.round(number)
        seen.append(gaps(federation, newcomer, problem))
    cluster, kind, beside = zip(*seen, strict=True)
    return {
        "to_cluster": first(cluster),
        "to_kind": first(kind),
        "cluster_gaps": np.round(cluster, 4).tolist(),
        "kind_gaps": np.round(kind, 4).tolist(),
        "begins_with": beside[0],
        "ends_with": beside[-1],
    }


def first(gaps: Sequence[float]) -> int | None:
    return next((number for number, gap in enumerate(gaps) if gap >= -WITHIN), None)


def gaps(
    federation: Federation, newcomer: Learner, problem: Problem
) -> tuple[float, float, dict[str, int]]:
    """To its cluster's others, to its kind's model, and the kinds of the others."""
    name, kinds = newcomer.name, problem.hidden_kinds
    own = next(c for c in federation.clusters() if name in c.members)
    others = [each for each in own.members if each != name]
    alike = max(
        federation.clusters(),
        key=lambda c: np.mean([kinds[each] == kinds[name] and each != name for each in c.members]),
    )
    aucs = judged(newcomer, problem, dict.fromkeys(own.members, own.model))
    best = judged(newcomer, problem, {name: alike.model})[name]
    mean = float(np.mean([aucs[each] for each in others])) if others else aucs[name]
    return aucs[name] - mean, aucs[name] - best, dict(Counter(kinds[each] for each in others))


def judged(newcomer: Learner, problem: Problem, models: dict[str, Weights]) -> dict[str, float]:
    """Causal AUC of these participants by these models."""
    cameras = tuple(each for each in problem.bench.cameras if each.participant in models)

    def score(weights: Weights, values: Array) -> Array:
        return predict(newcomer.spec, weights, values[None])[0]

    figures = ObjectBench(cameras).figures(models, score)
    return {n.removeprefix(OWN_AUC): v for n, v in figures.items() if n.startswith(OWN_AUC)}


if __name__ == "__main__":
    main()
