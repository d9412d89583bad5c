"""Every constant of adaptive semantic-enhanced distillation; plain values, no torch.

The threshold of the cosine is the published one; the paper says that the distillation loss has a
weight, and not which. The teacher's constants were chosen by how well it finds what is abnormal in
public streets, whose generator knows; no clip that anybody is judged by had a part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edge.errors import ConfigError

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """The multimodal network and how it learns."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    width: int = 64  # that segments and words are projected to, each
    heads: int = 4  # of the attention; divides ``width``
    dropout: float = 0.3
    epochs: int = 60
    learning_rate: float = 1e-3  # of Adam
    weight_decay: float = 1e-4
    batch_videos: int = 8
    most_segments: int = 64  # seen at once; a longer video is seen in turns
    top_share: float = 1 / 32  # of a video's segments speaks for it: Sultani et al., CVPR 2018
    noise: float = 0.5  # in spreads, that it takes away where no labels teach it

    def __post_init__(self) -> None:
        """Refuse what cannot be built; ConfigError."""
        whole = (self.width, self.heads, self.epochs, self.batch_videos, self.most_segments)
        if min(whole) < 1 or self.width % self.heads:
            raise ConfigError("teacher: counts must be at least 1, and heads must divide width")
        if not (self.learning_rate > 0 and self.noise > 0 and self.weight_decay >= 0):
            raise ConfigError(
                "teacher: learning_rate and noise must be above 0, weight_decay not less"
            )
        if not (0 < self.top_share <= 0.5 and 0 <= self.dropout < 1):
            raise ConfigError("teacher: top_share must be above 0, at most 0.5, dropout in [0, 1)")


@dataclass(frozen=True, slots=True)
class Ased:
    """What happens to each cluster's averaged model."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    threshold: float = 0.7  # of the cosine, above which a public video is selected; published
    alpha: float = 1.0  # weight of L_distill per feature of Z, beside the student's own loss
    outliers: float = 1.0  # weight of the margin between abnormal and normal energies
    sure: float = 0.5  # a segment of an abnormal video that its teacher scores so is abnormal
    steps: int = 50  # batches in every round, however many videos are selected
    learning_rate: float = 1e-3  # of Adam
    batch_rows: int = 256  # segments
    sequence: int = 32  # segments in a row, for a student that looks at more than one
    teacher: TeacherOptions = field(default_factory=TeacherOptions)

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out; ConfigError."""
        if not -1 <= self.threshold < 1 or not 0 < self.sure < 1:
            raise ConfigError("distillation: threshold must be in [-1, 1), sure in (0, 1)")
        if min(self.alpha, self.outliers) < 0 or not self.learning_rate > 0:
            raise ConfigError("distillation: weights must not be below 0, learning_rate above it")
        if min(self.steps, self.batch_rows, self.sequence) < 1:
            raise ConfigError("distillation: steps, batch_rows and sequence must be at least 1")


def changed(options: Ased, changes: Mapping[str, Any]) -> Ased:
    """With other values; ConfigError where a name is unknown or a value does not fit."""
    values = asdict(options)
    teacher = changes.get("teacher", {})
    merged = {**values["teacher"], **teacher} if isinstance(teacher, Mapping) else teacher
    try:
        return TypeAdapter(Ased).validate_python({**values, **changes, "teacher": merged})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"distillation, option {where}: {first['msg']}") from None
