"""FedPAC's part of a host: what its features are like, and to what they are drawn (torch).

Xu, Tong and Huang, "Personalized federated learning with feature alignment and classifier
collaboration" (ICLR 2023). Features are the student's penultimate values, width d; classes are the
labels that students learn by: 0 normal, 1 anomalous. Who has normal segments alone, as every
``density`` has, leaves the other class empty, and every formula has one term.

Under ``features/`` a published model says to which centroids features are drawn, and which of them
are known; an update says what ``statistics`` and ``centroids`` return.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.model.student import load_weights, make_student
from edge.training.lessons import Lesson

FEATURES = "features/"
CENTROIDS = FEATURES + "centroids"  # (2, d) mean features of each class
KNOWN = FEATURES + "known"  # (2,) published: 1 where anybody has the class
COUNTS = FEATURES + "counts"  # (2,) sent: segments of each class
MOMENTS = FEATURES + "moments"  # (2, d) sent: share of the class times its mean features
SPREAD = FEATURES + "spread"  # (1,) sent: variance of the mean features, summed over d
CLASSES = 2

Arrays: TypeAlias = dict[str, Floats]
Rows: TypeAlias = npt.NDArray[np.float64]
Classes: TypeAlias = npt.NDArray[np.int64]


def statistics(spec: StudentSpec, weights: Weights, lesson: Lesson) -> Arrays:
    """Of a lesson under a model: what tells whose heads would help (section 4.2).

    h_k = p_k E[f | k] and V = (Σ_k p_k E[‖f‖² | k] - ‖h_k‖²) / n, of n segments of which a share
    p_k is of class k.
    """
    features, classes = _features(spec, weights, lesson)
    n = len(features)
    moments = np.stack([features[classes == k].sum(axis=0) / n for k in range(CLASSES)])
    spread = (np.square(features).sum() / n - np.square(moments).sum()) / n
    return {
        COUNTS: np.bincount(classes, minlength=CLASSES).astype(np.float32),
        MOMENTS: moments.astype(np.float32),
        SPREAD: np.array([spread], np.float32),
    }


def centroids(spec: StudentSpec, weights: Weights, lesson: Lesson) -> Arrays:
    """Mean features of each class; 0 of a class that is empty."""
    features, classes = _features(spec, weights, lesson)
    found = np.zeros((CLASSES, features.shape[1]), np.float32)
    for k in np.unique(classes):
        found[k] = features[classes == k].mean(axis=0)
    return {CENTROIDS: found}


class Alignment:
    """λ times the mean of ‖f - c_k‖² / d over the segments whose class k has a centroid (Eq. 5)."""

    def __init__(self, published: Weights, strength: float) -> None:
        """Without ``features/`` among ``published``, as before the first round, it is 0."""
        none = np.zeros((CLASSES, PENULTIMATE), np.float32)
        self._centroids = torch.tensor(published.get(CENTROIDS, none))
        self._known = torch.tensor(published.get(KNOWN, none[:, 0]))
        self._strength = strength

    def loss(self, features: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Of features (B, L, d) with labels and counted segments (B, L)."""
        classes = _classes(target)
        away = (features - self._centroids[classes]).square().mean(dim=-1)
        return self._strength * (away * counted * self._known[classes]).sum() / counted.sum()


def _features(spec: StudentSpec, weights: Weights, lesson: Lesson) -> tuple[Rows, Classes]:
    """Of all segments that count: features (n, d) and classes (n,)."""
    examples = lesson.examples(spec.window)
    student = make_student(spec, seed=0)
    load_weights(student, weights)
    student.eval()
    with torch.inference_mode():
        _, features = student(torch.from_numpy(examples.x))
    counted = examples.counted > 0
    classes = _classes(torch.from_numpy(examples.target)).numpy()
    return features.numpy()[counted].astype(np.float64), classes[counted]


def _classes(target: Tensor) -> Tensor:
    return (target > 0.5).long()
