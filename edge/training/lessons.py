"""What a student is taught: feature rows held for normal, or videos with a label per segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.domain.boxes import Floats
from edge.errors import TrainingError


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """C sequences of L segments, as a student reads them; short ones are padded at their end."""

    x: Floats  # (C, L, d)
    target: Floats  # (C, L) 0 normal, 1 anomalous
    counted: Floats  # (C, L) 1, and 0 where it is padding


class Lesson(Protocol):
    """Features to learn from."""

    @property
    def num_examples(self) -> int:
        """Segments that count: a participant's weight in an average."""

    @property
    def inputs(self) -> int:
        """d, the width of a segment's features."""

    def examples(self, length: int) -> Examples:
        """Cut into sequences of ``length`` segments."""


@dataclass(frozen=True, slots=True, eq=False)
class DensityLesson:
    """N segments that are held for normal, in no order."""

    rows: Floats  # (N, d) standardised, finite

    def __post_init__(self) -> None:
        """Raise TrainingError where there is nothing to learn from."""
        _check([self.rows])

    @property
    def num_examples(self) -> int:
        """N."""
        return len(self.rows)

    @property
    def inputs(self) -> int:
        """Feature width d."""
        return int(self.rows.shape[1])

    def examples(self, length: int) -> Examples:
        """Every row is a sequence of its own; rows have no order, so ``length`` must be 1."""
        if length != 1:
            raise TrainingError("rows in no order cannot teach a student with a window above 1")
        x = np.ascontiguousarray(self.rows, np.float32)[:, None]
        return Examples(x, np.zeros(x.shape[:2], np.float32), np.ones(x.shape[:2], np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ClapLesson:
    """Videos, each m_i consecutive segments, with a pseudo-label for every segment."""

    videos: Sequence[Floats]  # each (m_i, d), finite
    labels: Sequence[Floats]  # each (m_i,) in [0, 1]

    def __post_init__(self) -> None:
        """Raise TrainingError for no segments, values that are not finite, or labels that miss."""
        _check(self.videos)
        if [len(v) for v in self.videos] != [len(label) for label in self.labels]:
            raise TrainingError("every segment of every video needs one label")

    @property
    def num_examples(self) -> int:
        """Segments of all videos."""
        return sum(map(len, self.videos))

    @property
    def inputs(self) -> int:
        """Feature width d."""
        return int(self.videos[0].shape[1])

    def examples(self, length: int) -> Examples:
        """Consecutive sequences; the last of each video is padded with zeros at its end."""
        x = np.concatenate([_cut(video, length) for video in self.videos])
        target = np.concatenate([_cut(label, length) for label in self.labels])
        ones = [_cut(np.ones(len(video), np.float32), length) for video in self.videos]
        return Examples(x, target, np.concatenate(ones))


def _cut(rows: Floats, length: int) -> Floats:
    """(m, ...) → (ceil(m / length), length, ...), zeros after the end."""
    pieces = -(-len(rows) // length)
    padded = np.zeros((pieces * length, *rows.shape[1:]), np.float32)
    padded[: len(rows)] = rows
    return padded.reshape(pieces, length, *rows.shape[1:])


def _check(videos: Sequence[Floats]) -> None:
    widths = {video.shape[1] if video.ndim == 2 else 0 for video in videos}
    if len(widths) > 1 or 0 in widths:
        raise TrainingError(f"features must be (segments, d) with one d, not widths {widths}")
    if not sum(map(len, videos)):
        raise TrainingError("nothing to learn from: the feature store holds no segment")
    if not all(np.isfinite(video).all() for video in videos):
        raise TrainingError("features to learn from hold values that are not finite")
