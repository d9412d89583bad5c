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
    local_epochs: int = 0  # before ``epochs``: FedRep's kept weights or FedPAC's head alone
    head: tuple[str, ...] = ()  # FedPAC: name patterns of weights that are trained first, and leave
    alignment: float = 0.0  # FedPAC's lambda: draw features to everybody's
    mixed: tuple[str, ...] = ()  # FedALA: name patterns of weights that begin between two models
    mixing_rate: float = 1.0  # FedALA's eta, of learning how far between
    mixing_share: float = 0.8  # of the lesson that it is learnt on

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        if min(self.epochs, self.batch_rows) < 1 or self.local_epochs < 0:
            raise TrainingError("plan: epochs and batch_rows must be at least 1")
        if self.learning_rate <= 0 or min(self.momentum, self.weight_decay, self.proximal) < 0:
            raise TrainingError("plan: learning_rate must be above 0, the other rates not below")
        if self.alignment < 0:
            raise TrainingError("plan: alignment must not be below 0")
        if self.local_epochs and not (self.keep_local or self.head):
            raise TrainingError("plan: local_epochs is for weights of keep_local or head: none")
        if self.mixing_rate <= 0 or not 0 < self.mixing_share <= 1:
            raise TrainingError("plan: mixing_rate must be above 0, mixing_share in (0, 1]")

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

    def is_mixed(self, name: str) -> bool:
        """Whether a weight begins a round between the participant's own and the round's model."""
        return any(fnmatchcase(name, pattern) for pattern in self.mixed)

    def learns(self, name: str, epoch: int) -> bool:
        """Whether a weight is trained in an epoch: FedRep's and FedPAC's two phases."""
        if not self.local_epochs:
            return True
        leads = self.is_local(name) or any(fnmatchcase(name, pattern) for pattern in self.head)
        return leads == (epoch < self.local_epochs)


def mixed(shared: Weights, own: Weights, mixing: Weights) -> dict[str, npt.NDArray[np.float32]]:
    """``own + (shared - own) * mixing`` for the names of ``mixing`` (FedALA, Eq. 4)."""
    between = {name: own[name] + (shared[name] - own[name]) * w for name, w in mixing.items()}
    return {**shared, **between}


def new_control(
    correction: Weights, start: Weights, trained: Weights, *, steps: int, learning_rate: float
) -> dict[str, npt.NDArray[np.float32]]:
    """A participant's next control variate: SCAFFOLD, option II (Karimireddy et al. 2020).

    c_k⁺ = c_k - c + (x - y_k) / (K η), where ``correction`` is c - c_k, ``start`` the round's model
    x, ``trained`` y_k after K ``steps`` of plain gradient descent.
    """
    pace = np.float32(1 / (steps * learning_rate))
    return {name: (start[name] - trained[name]) * pace - correction[name] for name in correction}
