"""The loop of both stages: Adagrad over balanced batches, resumed where it was killed.

Equal arguments give equal weights, also after a resume: the order of an epoch follows from the
seed and the epoch alone, and nothing else is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import TrainingError
from edge.model.student import weights_of
from edge.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, task_of
from edge.training.torch_state import restore, state_arrays
from export.dakd.bags import balanced_batches
from export.dakd.options import TeacherOptions

CHECKPOINT_EPOCHS = 10

Told = Callable[[int, float], None]
"""Hears how many epochs are done, and the mean loss of the last one."""


def train(
    learner: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    abnormal: Tensor,
    options: TeacherOptions,
    *,
    seed: int,
    task: str,
    checkpoint: Path | None = None,
    told: Told = lambda _epoch, _loss: None,
) -> float:
    """Train ``learner`` in place to the last epoch; returns the mean loss of that epoch.

    ``loss_of`` computes the loss of some rows of ``abnormal`` (N,), which holds both classes.
    ``task`` describes all that the result depends on: another one's checkpoint is not resumed.
    Raises TrainingError where the loss leaves the finite numbers, StorageError where the
    checkpoint cannot be kept. The caller deletes it once the result is safe.
    """
    optimiser = _optimiser(learner, options)
    task = task_of(f"{task}{options}{seed}", weights_of(learner).values())
    done, loss = 0, math.nan
    if checkpoint and (found := load_checkpoint(checkpoint, task)):
        restore(learner, optimiser, found.arrays)
        done, loss = found.epoch, found.loss
    learner.train()
    for epoch in range(done, options.epochs):
        rng = np.random.default_rng((seed, epoch))
        losses = [
            _step(optimiser, loss_of(rows))
            for rows in balanced_batches(abnormal, options.half_batch, rng)
        ]
        loss = sum(losses) / len(losses)
        told(epoch + 1, loss)
        if checkpoint and (epoch + 1) % CHECKPOINT_EPOCHS == 0:
            arrays = state_arrays(learner, optimiser)
            save_checkpoint(checkpoint, Checkpoint(task, epoch + 1, epoch + 1, loss, arrays))
    learner.eval()
    return loss


def _optimiser(learner: nn.Module, options: TeacherOptions) -> torch.optim.Adagrad:
    """The temporal part learns more slowly."""
    rates = {False: options.learning_rate, True: options.temporal_learning_rate}
    named = [(name.split("."), parameter) for name, parameter in learner.named_parameters()]
    groups = [
        {"params": [p for path, p in named if ("temporal" in path) is temporal], "lr": rate}
        for temporal, rate in rates.items()
    ]
    return torch.optim.Adagrad(groups, weight_decay=options.weight_decay)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(f"the loss is {value}: lower the learning rates, or look at the data")
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
    return value
