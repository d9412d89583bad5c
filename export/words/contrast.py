"""Train the temporal part: what an object does, next to the words for it (SVAD, Eqs. 1-3).

Image and text tower are frozen, so embeddings are computed once, and a step costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from edge.domain.boxes import Floats
from edge.model.words import ALPHA
from export.words.fusion import Fusion

SIGMA = 0.1  # temperature of the softmax (section 4.2)
LEARNING_RATE = 7e-4
BATCH = 512


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """N tubes of an action each, as the image tower sees them, and the words for the actions."""

    embeddings: Floats  # (N, V, n, d) L2-normalised; V views of each tube, one is drawn
    actions: npt.NDArray[np.int64]  # (N,) of C
    texts: Sequence[Floats]  # C times (k, d) L2-normalised: ways to say it, one is drawn


def make_loss(
    fusion: Fusion,
    lesson: Lesson,
    *,
    batch: int = BATCH,
    alpha: float = ALPHA,
    sigma: float = SIGMA,
) -> Callable[[np.random.Generator], Tensor]:
    """Eq. 3 of batches with all actions equally often."""
    by_action = [np.flatnonzero(lesson.actions == action) for action in np.unique(lesson.actions)]

    def loss(rng: np.random.Generator) -> Tensor:
        drawn = [by_action[place % len(by_action)] for place in range(batch)]
        rows = np.array([each[rng.integers(len(each))] for each in drawn])
        views = rng.integers(0, lesson.embeddings.shape[1], batch)
        tubes = torch.from_numpy(lesson.embeddings[rows, views])
        texts = np.stack([ways[rng.integers(len(ways))] for ways in lesson.texts])
        features = action_features(fusion, tubes, alpha=alpha)
        cosines = features @ torch.from_numpy(texts).T
        return cross_entropy(cosines / sigma, torch.from_numpy(lesson.actions[rows]))

    return loss


def action_features(fusion: Fusion, tubes: Tensor, *, alpha: float = ALPHA) -> Tensor:
    """(N, n, d) L2-normalised → F (N, d) L2-normalised; Eq. 2, its two terms of length 1."""
    middle = tubes[:, tubes.shape[1] // 2]
    return normalize(alpha * normalize(fusion(tubes)) + (1 - alpha) * middle)
