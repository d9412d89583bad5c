"""Training videos as padded tensors, and batches with as many normal as abnormal ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge.evaluation.feature_folder import Array
from export.dakd.features import FeatureSet

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """N training videos; a short one is padded at its end."""

    views: tuple[Tensor, ...]  # T times (N, L, d_t)
    counted: Tensor  # (N, L) 0 for padding, else 1
    abnormal: Tensor  # (N,) bool

    def part(self, rows: Tensor) -> Bags:
        """Some of the videos, as long as the longest of them."""
        counted = self.counted[rows]
        longest = int(counted.sum(dim=1).max())
        views = tuple(view[rows, :longest] for view in self.views)
        return Bags(views, counted[:, :longest], self.abnormal[rows])


def make_bags(features: FeatureSet, *, segments: int) -> Bags:
    """All training videos, by name; those of more than ``segments`` are averaged down to it."""
    names = sorted(features.train)
    lengths = [min(len(features.train[name][0]), segments) for name in names]
    counted = np.arange(max(lengths)) < np.array(lengths)[:, None]
    views = []
    for place, width in enumerate(features.widths):
        padded = np.zeros((len(names), max(lengths), width), np.float32)
        for row, (name, length) in enumerate(zip(names, lengths, strict=True)):
            padded[row, :length] = shortened(features.train[name][place], segments)
        views.append(torch.from_numpy(padded))
    abnormal = torch.tensor([features.abnormal[name] for name in names])
    return Bags(tuple(views), torch.from_numpy(counted.astype(np.float32)), abnormal)


def shortened(video: Array, segments: int) -> Array:
    """(m, d) → (min(m, segments), d): means of equal stretches (Sultani et al., CVPR 2018)."""
    if len(video) <= segments:
        return video
    bounds = np.linspace(0, len(video), segments + 1).astype(int)
    sums = np.add.reduceat(video, bounds[:-1], axis=0, dtype=np.float64)
    return np.asarray(sums / np.diff(bounds)[:, None], np.float32)


def balanced_batches(abnormal: Tensor, half: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """An epoch: rows of at most ``half`` normal and as many abnormal videos.

    Every video of the larger class comes once, those of the smaller one as often as they must.
    """
    classes = [np.flatnonzero(abnormal.numpy() == value) for value in (False, True)]
    count = max(map(len, classes))
    orders = [_repeated(rows, count, rng) for rows in classes]
    for start in range(0, count, half):
        yield torch.from_numpy(np.concatenate([order[start : start + half] for order in orders]))


def _repeated(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    """``count`` of the rows, all of them once before any comes again."""
    passes = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(passes)])[:count]
