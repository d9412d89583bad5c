"""Train the small network until it says what the teacher said; on disk after every epoch.

No label takes part, and nothing is selected: what is trained last is what is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge.errors import TrainingError
from edge.features.embedding import Picture
from edge.model.backbone import BackboneSpec
from edge.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, task_of
from edge.training.torch_state import restore, state_arrays
from export.imitate.fidelity import Yardstick
from export.imitate.lessons import Lesson
from export.imitate.network import Imitator


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained: AdamW, the learning rate warmed up, then falling along a cosine."""

    epochs: int = 30
    seed: int = 0
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.05  # of all epochs

    def rate(self, progress: float) -> float:
        """The learning rate after this share of all epochs."""
        if progress < self.warm_up:
            return self.learning_rate * max(progress / self.warm_up, 0.01)
        rest = (progress - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * rest)) / 2


class Apprenticeship:
    """Network, optimiser and lesson while they are at work."""

    def __init__(self, imitator: Imitator, spec: BackboneSpec, lesson: Lesson, plan: Plan) -> None:
        """``spec`` is what the network is going to be: it prepares the pictures."""
        self._imitator = imitator.to(memory_format=torch.channels_last)
        self._spec, self._lesson, self._plan = spec, lesson, plan
        self._wanted = torch.from_numpy(lesson.embeddings)
        self._yardstick = Yardstick.of(lesson.embeddings)
        self._optimiser = torch.optim.AdamW(
            imitator.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.epoch, self.steps, self.loss = 0, 0, math.nan

    def run(self, checkpoint: Path, *, on_epoch: Callable[[float], object]) -> None:
        """Train to the end of the plan, from where ``checkpoint`` stands if it is of this task.

        ``on_epoch`` hears the loss of every epoch that is done. Raises TrainingError where the
        loss leaves the finite numbers, StorageError where the checkpoint cannot be kept.
        """
        task = self._task()
        if found := load_checkpoint(checkpoint, task):
            restore(self._imitator, self._optimiser, found.arrays)
            self.epoch, self.steps, self.loss = found.epoch, found.steps, found.loss
        while self.epoch < self._plan.epochs:
            self._run_epoch()
            arrays = state_arrays(self._imitator, self._optimiser)
            found = Checkpoint(task, self.epoch, self.steps, self.loss, arrays)
            save_checkpoint(checkpoint, found)
            on_epoch(self.loss)
        self._imitator.eval()

    def _run_epoch(self) -> None:
        self._imitator.train()
        batches = list(self._batches())
        losses: list[float] = []
        for rows in batches:
            done = self.epoch + len(losses) / len(batches)
            for group in self._optimiser.param_groups:
                group["lr"] = self._plan.rate(done / self._plan.epochs)
            losses.append(self._step(rows))
        self.epoch += 1
        self.loss = sum(losses) / len(losses)

    def _batches(self) -> Iterator[npt.NDArray[np.intp]]:
        """Rows in an order of this epoch; batches of equal size, for they are normalised."""
        order = np.random.default_rng((self._plan.seed, self.epoch)).permutation(len(self._lesson))
        yield from np.array_split(order, max(len(order) // self._plan.batch, 1))

    def _step(self, rows: npt.NDArray[np.intp]) -> float:
        pictures = stacked([self._lesson.pictures[row] for row in rows], self._spec)
        self._optimiser.zero_grad()
        loss = self._yardstick.loss(self._imitator(pictures), self._wanted[torch.from_numpy(rows)])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"imitation diverged in epoch {self.epoch + 1}: the teacher's embeddings, or "
                "weights to begin with, are not finite or too large"
            )
        torch.autograd.backward(loss)
        self._optimiser.step()
        self.steps += 1
        return value

    def _task(self) -> str:
        """Fingerprint of all that training depends on."""
        start = [tensor.numpy() for tensor in self._imitator.state_dict().values()]
        shown: list[npt.NDArray[Any]] = [*self._lesson.pictures, self._lesson.embeddings]
        spec = replace(self._spec, precision="fp32")  # in which it is trained, whatever it becomes
        return task_of(f"{self._plan}{spec}", [*start, *shown])


def stacked(pictures: list[Picture], spec: BackboneSpec) -> Tensor:
    """Pictures of any size as inputs (N, 3, S, S), in the memory layout that is fastest."""
    inputs = torch.from_numpy(np.stack([spec.prepare(picture) for picture in pictures]))
    return inputs.contiguous(memory_format=torch.channels_last)
