"""FedALA: how much of the federation's upper layers a host takes over (Zhang et al., AAAI 2023).

A host begins a round from Θ̂ = Θₖ + (Θ - Θₖ) ⊙ W (Eq. 4): Θ is what was published, Θₖ what the host
came to in the round before, and every weight of the upper layers has a W in [0, 1] of its own. The
lower layers are Θ's. W descends the loss of Θ̂ on a share of the host's own footage (Eq. 5), whose
gradient is that of Θ̂ times Θ - Θₖ, and is clipped. It begins at 1: at what was published.

The first time it is learnt until it stands still, later in one pass a round. When it stands still
the paper does not say: here when a pass moves no element by more than ``_SETTLED``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import load_weights, make_student
from edge.training.lessons import Lesson
from edge.training.plan import LocalPlan, mixed

_SETTLED = 0.01
_MAX_PASSES = 20
_BATCHES = list[tuple[torch.Tensor, ...]]


def learn_mixing(
    spec: StudentSpec,
    shared: Weights,
    own: Weights,
    mixing: Weights,
    lesson: Lesson,
    plan: LocalPlan,
    *,
    seed: int,
    should_stop: Callable[[], bool],
) -> Weights:
    """W of every weight in ``own``, from ``mixing``, W of the round before; empty: the first time.

    Deterministic for a seed. TrainingError where ``should_stop`` ended it or the loss is no number.
    """
    begun = mixing or {name: np.ones_like(array) for name, array in own.items()}
    with torch.random.fork_rng(devices=[]):  # noise of a loss draws from the global generator
        torch.manual_seed(seed)
        learner = _Learner(spec, shared, own, begun)
        batches = _batches(spec, lesson, plan)
        for _ in range(1 if mixing else _MAX_PASSES):
            if learner.run(batches, plan.mixing_rate, should_stop) <= _SETTLED:
                break
    return {name: weight.numpy() for name, weight in learner.mixing.items()}


class _Learner:
    def __init__(self, spec: StudentSpec, shared: Weights, own: Weights, begun: Weights) -> None:
        self.student = make_student(spec, seed=0)
        load_weights(self.student, mixed(shared, own, begun))
        self.student.eval()  # dropout would only blur the gradient of a few weights
        parameters = dict(self.student.named_parameters())
        self.upper = {name: parameters[name] for name in own}
        self.own = {name: torch.tensor(own[name]) for name in self.upper}
        self.way = {name: torch.tensor(shared[name] - own[name]) for name in self.upper}
        self.mixing = {name: torch.tensor(begun[name]) for name in self.upper}

    def run(self, batches: _BATCHES, rate: float, should_stop: Callable[[], bool]) -> float:
        """One pass; returns by how much the element moved that moved most."""
        before = {name: weight.clone() for name, weight in self.mixing.items()}
        for batch in batches:
            if should_stop():
                raise TrainingError("training was stopped before its end")
            self.step(batch, rate)
        moves = [(self.mixing[name] - before[name]).abs().max() for name in before]
        return float(torch.stack(moves).max())

    def step(self, batch: tuple[torch.Tensor, ...], rate: float) -> None:
        """Descend, clip, and put Θ̂ into the student."""
        loss = self.student.loss(*batch)
        gradients = torch.autograd.grad(
            loss,
            list(self.upper.values()),
            allow_unused=True,  # a density's last bias moves no slope
            materialize_grads=True,
        )
        if not all(gradient.isfinite().all() for gradient in gradients):
            raise TrainingError("learning how much to take over diverged: lower the mixing rate")
        with torch.no_grad():
            for (name, parameter), gradient in zip(self.upper.items(), gradients, strict=True):
                weight = self.mixing[name]
                weight.sub_(gradient * self.way[name], alpha=rate).clamp_(0, 1)
                parameter.copy_(self.own[name] + self.way[name] * weight)


def _batches(spec: StudentSpec, lesson: Lesson, plan: LocalPlan) -> _BATCHES:
    """A share of the lesson, drawn from torch's global generator."""
    examples = lesson.examples(spec.window)
    arrays = [torch.from_numpy(a) for a in (examples.x, examples.target, examples.counted)]
    drawn = torch.randperm(len(examples.x))[: max(1, round(plan.mixing_share * len(examples.x)))]
    sequences = max(1, plan.batch_rows // examples.x.shape[1])
    return [tuple(array[rows] for array in arrays) for rows in torch.split(drawn, sequences)]
