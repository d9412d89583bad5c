"""How closely a network agrees with its teacher, to be trained by and to be told.

The loss is the squared error in units of the teacher's own variance, plus 1 - cosine in units of
what always giving the mean embedding would cost. Raw cosines say little: the embeddings of one
network are all alike, and a constant reaches 0.9 and more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional

from edge.domain.boxes import Floats

LEAST = 1e-9  # variance, and distance from the mean: a teacher that says one thing only


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How closely a network agrees with the teacher on pictures."""

    cosine: float  # mean of the cosines between their embeddings
    cosine_of_mean: float  # what always giving the mean embedding of the training would reach
    explained: float  # share of the teacher's variance: 1 is the teacher, 0 that mean embedding


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What makes the two terms of the loss comparable; the mean embedding has a loss of 2."""

    variance: float  # mean over d
    turn: float  # mean of 1 - cosine with the mean embedding

    @classmethod
    def of(cls, embeddings: Floats) -> Yardstick:
        """Of the teacher's embeddings (k, d) in training."""
        turn = 1 - cosines(embeddings, embeddings.mean(axis=0, keepdims=True)).mean()
        return cls(max(float(embeddings.var(axis=0).mean()), LEAST), max(float(turn), LEAST))

    def loss(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Of embeddings (N, d)."""
        turned = 1 - functional.cosine_similarity(found, wanted, dim=1).mean()
        return functional.mse_loss(found, wanted) / self.variance + turned / self.turn


def fidelity(found: Floats, wanted: Floats, mean: Floats) -> Fidelity:
    """Of embeddings (k, d), compared with the ``mean`` (d,) of the training."""
    around = float(((wanted - mean) ** 2).sum())
    return Fidelity(
        cosine=float(cosines(found, wanted).mean()),
        cosine_of_mean=float(cosines(mean[None], wanted).mean()),
        explained=1 - float(((found - wanted) ** 2).sum()) / max(around, LEAST),
    )


def cosines(a: Floats, b: Floats) -> Floats:
    """Between the rows of (N, d) and (N, d) or (1, d): (N,)."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny))
