"""One course of training: the state that changes from batch to batch, and how it changes.

FedProx (Li et al. 2020) adds mu (w - w₀) to the gradient, SCAFFOLD (Karimireddy et al. 2020) adds
c - c_k, FedRep (Collins et al. 2021) trains the kept weights first and the others after, FedPAC (Xu
et al. 2023) the head, and then draws features to everybody's centroids.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import load_weights, make_student, weights_of
from edge.training.checkpoint import Checkpoint, task_of
from edge.training.feature_alignment import Alignment
from edge.training.lessons import Examples
from edge.training.plan import LocalPlan
from edge.training.torch_state import restore, state_arrays

GENERATOR = "generator"  # torch's, in a checkpoint


class Course:
    """Student, optimiser and lesson while they are at work; draws from torch's global generator."""

    def __init__(
        self,
        spec: StudentSpec,
        start: Weights,
        examples: Examples,
        plan: LocalPlan,
        correction: Weights | None,
        centroids: Weights | None,
    ) -> None:
        self.description = f"{spec}{plan}"
        self.centroids = centroids or {}
        self.alignment = Alignment(self.centroids, plan.alignment) if plan.alignment else None
        self.student = make_student(spec, seed=0)
        load_weights(self.student, start)
        self.student.train()
        self.parameters = dict(self.student.named_parameters())
        shared = plan.shared(self.parameters)
        self.anchor = {name: self.parameters[name].detach().clone() for name in shared}
        self.correction = {n: torch.from_numpy(np.array(a)) for n, a in (correction or {}).items()}
        self.plan, self.examples, self.start = plan, examples, start
        self.tensors = [
            torch.from_numpy(a) for a in (examples.x, examples.target, examples.counted)
        ]
        self.optimiser = _optimiser(plan, list(self.parameters.values()))
        self.epoch, self.steps, self.loss = 0, 0, math.nan

    def run_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """One pass over the lesson in a new order; False if it was stopped on the way."""
        for name, parameter in self.parameters.items():
            parameter.requires_grad_(self.plan.learns(name, self.epoch))
        x, target, counted = self.tensors
        sequences = max(1, self.plan.batch_rows // x.shape[1])
        batches = torch.split(torch.randperm(len(x)), sequences)
        losses: list[float] = []
        for rows in batches:
            if should_stop():
                return False
            self.set_rate(self.epoch + len(losses) / len(batches))
            losses.append(self.step(x[rows], target[rows], counted[rows]))
        self.epoch += 1
        self.loss = sum(losses) / len(losses)
        return True

    def set_rate(self, epochs: float) -> None:
        """Set the learning rate after so many epochs."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate(epochs / self.plan.all_epochs)

    def step(self, x: Tensor, target: Tensor, counted: Tensor) -> float:
        """One batch."""
        self.optimiser.zero_grad()
        loss = self.student.loss(x, target, counted)
        if self.alignment and self.epoch >= self.plan.local_epochs:  # a head has no features
            loss = loss + self.alignment.loss(self.student(x)[1], target, counted)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise _diverged(self.epoch, self.steps)
        torch.autograd.backward(loss)
        self.correct_gradients()
        self.optimiser.step()
        self.steps += 1
        return value

    def correct_gradients(self) -> None:
        """Draw the shared weights to the round's model (FedProx) or against drift (SCAFFOLD)."""
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            if self.plan.proximal and name in self.anchor:
                away = parameter.detach() - self.anchor[name]
                parameter.grad.add_(away, alpha=self.plan.proximal)
            if name in self.correction:
                parameter.grad.add_(self.correction[name])

    def finite_weights(self) -> dict[str, Floats]:
        """All weights; raises TrainingError rather than hand out numbers that are none."""
        weights = weights_of(self.student)
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise _diverged(self.epoch, self.steps)
        return weights

    def task(self, seed: int) -> str:
        """Fingerprint of all that this course depends on."""
        examples = [self.examples.x, self.examples.target, self.examples.counted]
        start = [np.asarray(self.start[name]) for name in sorted(self.start)]
        correction = [self.correction[name].numpy() for name in sorted(self.correction)]
        centroids = [np.asarray(self.centroids[name]) for name in sorted(self.centroids)]
        arrays = [*start, *examples, *correction, *centroids]
        return task_of(f"{self.description}{seed}", arrays)

    def checkpoint(self, task: str) -> Checkpoint:
        """Where it stands, between two epochs."""
        self.finite_weights()
        arrays = state_arrays(self.student, self.optimiser)
        generator = {GENERATOR: torch.get_rng_state().numpy()}
        return Checkpoint(task, self.epoch, self.steps, self.loss, {**arrays, **generator})

    def resume(self, found: Checkpoint) -> None:
        """Go on where a checkpoint of this task stands."""
        restore(self.student, self.optimiser, found.arrays)
        torch.set_rng_state(torch.from_numpy(found.arrays[GENERATOR]))
        self.epoch, self.steps, self.loss = found.epoch, found.steps, found.loss


def _optimiser(plan: LocalPlan, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if plan.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=plan.learning_rate,
        momentum=plan.momentum,
        weight_decay=plan.weight_decay,
    )


def _diverged(epoch: int, steps: int) -> TrainingError:
    return TrainingError(
        f"learning diverged in epoch {epoch + 1} after {steps} batches: "
        "lower learning_rate, or look for features that are not standardised"
    )
