"""The loop of all training here: AdamW over a fixed number of steps, resumed where it was killed.

Equal arguments give equal weights, also after a resume: what a step draws follows from the seed and
its number alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import TrainingError
from edge.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, task_of

CHECKPOINT_STEPS = 50
WEIGHT, OPTIMISER = "weight/", "optimiser/"  # names in a checkpoint


@dataclass(frozen=True, slots=True)
class Plan:
    """How something is trained; the learning rate warms up, then falls along a cosine."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.01
    warm_up: float = 0.05  # of all steps
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        progress = step / self.steps
        if progress < self.warm_up:
            return self.learning_rate * max(progress / self.warm_up, 0.01)
        rest = (progress - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * rest)) / 2


def train(
    learner: nn.Module,
    loss_of: Callable[[np.random.Generator], Tensor],
    plan: Plan,
    *,
    task: str,
    checkpoint: Path | None = None,
    told: Callable[[int, float], object] = lambda _step, _loss: None,
) -> float:
    """Train ``learner`` in place; returns the mean loss of the last steps.

    ``loss_of`` draws a batch. ``task`` describes all that the result depends on besides the plan
    and the weights to begin with: a checkpoint of another one is not resumed. ``told`` hears the
    steps that are done. Raises TrainingError where the loss leaves the finite numbers,
    StorageError where the checkpoint cannot be kept.
    """
    optimiser = torch.optim.AdamW(
        learner.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    task = task_of(f"{task}{plan}", [each.numpy() for each in learner.state_dict().values()])
    done, loss = 0, math.nan
    if checkpoint and (found := load_checkpoint(checkpoint, task)):
        _resume(learner, optimiser, found)
        done, loss = found.steps, found.loss
    learner.train()
    while done < plan.steps:
        until = min(done + CHECKPOINT_STEPS, plan.steps)
        losses = [_step(optimiser, loss_of, plan, step) for step in range(done, until)]
        done, loss = until, sum(losses) / len(losses)
        if checkpoint:
            save_checkpoint(checkpoint, _checkpoint(learner, optimiser, task, done, loss))
        told(done, loss)
    learner.eval()
    return loss


def _step(
    optimiser: torch.optim.Optimizer,
    loss_of: Callable[[np.random.Generator], Tensor],
    plan: Plan,
    step: int,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = plan.rate(step)
    loss = loss_of(np.random.default_rng((plan.seed, step)))
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(f"the loss is {value} in step {step}: lower the learning rate")
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
    return value


def _checkpoint(
    learner: nn.Module, optimiser: torch.optim.Optimizer, task: str, steps: int, loss: float
) -> Checkpoint:
    arrays = {f"{WEIGHT}{name}": value.numpy() for name, value in learner.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        arrays |= {f"{OPTIMISER}{index}/{key}": value.numpy() for key, value in state.items()}
    return Checkpoint(task, 0, steps, loss, arrays)


def _resume(learner: nn.Module, optimiser: torch.optim.Optimizer, found: Checkpoint) -> None:
    held = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
    learner.load_state_dict(
        {name.removeprefix(WEIGHT): t for name, t in held.items() if name.startswith(WEIGHT)}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in held.items():
        if name.startswith(OPTIMISER):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
