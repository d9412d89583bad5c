"""How long and how a participant learns in one round; plain values, JSON-able, no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Weights
from edge.errors import TrainingError


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """Local training; the defaults are CLAP's plain gradient descent."""

    epochs: int = 1
    batch_rows: int = 256  # segments in a batch
    learning_rate: float = 0.01
    decay: Literal["none", "cosine"] = "none"  # of the learning rate, to 0 over all epochs
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.0  # of ``sgd``
    weight_decay: float = 0.0  # CLAP's L2 term
    proximal: float = 0.0  # FedProx's mu; 0: FedAvg
    keep_local: tuple[str, ...] = ()  # name patterns of weights that never leave: FedBN, FedRep
    local_epochs: int = 0  # FedRep: before ``epochs``, the kept weights alone; then the others

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        if min(self.epochs, self.batch_rows) < 1 or self.local_epochs < 0:
            raise TrainingError("plan: epochs and batch_rows must be at least 1")
        if self.learning_rate <= 0 or min(self.momentum, self.weight_decay, self.proximal) < 0:
            raise TrainingError("plan: learning_rate must be above 0, the other rates not below")
        if self.local_epochs and not self.keep_local:
            raise TrainingError("plan: local_epochs trains the weights that keep_local names: none")

    @property
    def all_epochs(self) -> int:
        """Of both phases."""
        return self.local_epochs + self.epochs

    def rate(self, done: float) -> float:
        """The learning rate when a share ``done`` of all batches is over, in [0, 1)."""
        if self.decay == "none":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def is_local(self, name: str) -> bool:
        """Whether a weight stays with its participant."""
        return any(fnmatchcase(name, pattern) for pattern in self.keep_local)

    def shared(self, names: Iterable[str]) -> list[str]:
        """Of these names those that participants average."""
        return [name for name in names if not self.is_local(name)]

    def learns(self, name: str, epoch: int) -> bool:
        """Whether a weight is trained in an epoch: FedRep's two phases (Collins et al. 2021)."""
        if not self.local_epochs:
            return True
        return self.is_local(name) == (epoch < self.local_epochs)


def new_control(
    correction: Weights, start: Weights, trained: Weights, *, steps: int, learning_rate: float
) -> dict[str, npt.NDArray[np.float32]]:
    """A participant's next control variate: SCAFFOLD, option II (Karimireddy et al. 2020).

    c_k⁺ = c_k - c + (x - y_k) / (K η), where ``correction`` is c - c_k, ``start`` the round's model
    x, ``trained`` y_k after K ``steps`` of plain gradient descent.
    """
    pace = np.float32(1 / (steps * learning_rate))
    return {name: (start[name] - trained[name]) * pace - correction[name] for name in correction}
