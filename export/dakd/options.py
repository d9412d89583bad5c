"""Every constant of the two stages, the published value its default; no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args

from edge.errors import ConfigError

Predictions: TypeAlias = Literal["soft-labels", "video-labels"]
Table: TypeAlias = Literal["method", "modules", "losses", "smoothing", "attention"]
TABLES: tuple[Table, ...] = get_args(Table)
"""Of the ablation (``export.dakd.ablation``)."""
ABLATIONS = [table for table in TABLES if table != "method"]
"""Those in which something is left out."""


def _constant(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """How a network learns from video labels: the teacher, or a student without one."""

    epochs: int = _constant(100, "passes over the larger of the two classes of videos")
    half_batch: int = _constant(30, "normal videos in a batch, and as many abnormal ones")
    segments: int = _constant(32, "most segments of a training video; longer ones are averaged")
    learning_rate: float = _constant(1e-3, "of all but the temporal part")
    temporal_learning_rate: float = _constant(1e-4, "of the temporal part")
    weight_decay: float = _constant(1e-3, "of Adagrad")
    sparsity: float = _constant(8e-5, "weight of few high scores in an abnormal video")
    smoothness: float = _constant(8e-5, "weight of even scores in an abnormal video")

    def __post_init__(self) -> None:
        """Raises ConfigError for what cannot be meant."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            least = LEAST.get(entry.name, 0)
            if isinstance(value, int | float) and not (math.isfinite(value) and value >= least):
                name = entry.name.replace("_", "-")
                raise ConfigError(f"--{name} {value}: must be a number, at least {least}")


@dataclass(frozen=True, slots=True)
class DistilOptions(TeacherOptions):
    """How a student learns (Eqs. 6-8); ``video-labels`` and ``alpha`` 0 is one without a teacher.

    The paper leaves open how wide the moving average is and how wide the contrasted features
    are. Without the distilled predictions a student's scores still need a loss: the teacher's.
    """

    alpha: float = _constant(7.5, "weight of the feature loss; 0 leaves it out")
    tau: float = _constant(10.0, "temperature of the feature loss")
    delta: float = _constant(0.9, "soft labels above this are anomalous to the feature loss")
    epsilon: int = _constant(1, "segments to either side in the moving average; 0 leaves it out")
    min_max: bool = _constant(True, "scale each abnormal video's soft labels to [0, 1]")
    predictions: Predictions = field(
        default="soft-labels",
        metadata={"help": "what the scores learn from: soft-labels or video-labels"},
    )
    contrast_width: int = _constant(128, "of the features that the feature loss compares")

    def __post_init__(self) -> None:
        """Raises ConfigError for what cannot be meant."""
        TeacherOptions.__post_init__(self)
        if self.predictions not in get_args(Predictions):
            known = " or ".join(get_args(Predictions))
            raise ConfigError(f"--predictions {self.predictions}: must be {known}")
        if not self.tau > 0:
            raise ConfigError(f"--tau {self.tau}: must be above 0")

    @property
    def needs_teacher(self) -> bool:
        """Whether any part of the loss asks one."""
        return self.predictions == "soft-labels" or self.alpha > 0


LEAST = {"epochs": 1, "half_batch": 1, "segments": 2, "contrast_width": 1}
"""Least values; of all others it is 0."""

UNDISTILLED = DistilOptions(predictions="video-labels", alpha=0.0)
"""A student that learns as the teacher does, from video labels alone."""
