"""``dakd``: what a teacher of many backbones and its student of one have in common, and the latter.

Every backbone's features are standardised, projected, aggregated over time and scored (Dalvi et
al., "Distilling Aggregated Knowledge", section 4.2). How both learn is no business of a camera
host, which gets the student ready.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.model.base import Student, initialise
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.model.tam import TemporalAggregation


class Projection(nn.Module):
    """One backbone's raw features (B, L, d) → (B, L, width): standardised, then a two-layer MLP."""

    input_mean: Tensor  # (d,)
    input_scale: Tensor  # (d,) above 0

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.register_buffer("input_mean", torch.zeros(inputs))
        self.register_buffer("input_scale", torch.ones(inputs))
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project segments."""
        standard = (x - self.input_mean) / self.input_scale
        projected: Tensor = self.fc2(torch.relu(self.fc1(standard)))
        return projected


class DakdNetwork(nn.Module):
    """Raw features of T backbones → a logit and a penultimate vector for every segment."""

    def __init__(self, widths: Sequence[int], hidden: int, temporal: nn.Module, out: int) -> None:
        """``temporal`` makes one (B, L, ``out``) of T projections (B, L, ``hidden``)."""
        super().__init__()
        self.projections = nn.ModuleList(Projection(width, hidden) for width in widths)
        self.temporal = temporal
        self.fc1 = nn.Linear(out, hidden)
        self.fc2 = nn.Linear(hidden, PENULTIMATE)
        self.fc3 = nn.Linear(PENULTIMATE, 1)
        initialise(self)

    def forward(
        self, views: Sequence[Tensor], counted: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """T times (B, L, d_t) → logits (B, L) and penultimate (B, L, 32).

        ``counted`` (B, L) is 0 for padding, which has no part in any other segment's score.
        """
        return self.score(self.aggregate(views, counted))

    def aggregate(self, views: Sequence[Tensor], counted: Tensor | None = None) -> Tensor:
        """What all backbones together say of the segments, H (B, L, out)."""
        pairs = zip(self.projections, views, strict=True)
        aggregated: Tensor = self.temporal([project(x) for project, x in pairs], counted)
        return aggregated

    def score(self, aggregated: Tensor) -> tuple[Tensor, Tensor]:
        """H (B, L, out) → logits (B, L) and penultimate (B, L, 32)."""
        penultimate = torch.relu(self.fc2(torch.relu(self.fc1(aggregated))))
        return self.fc3(penultimate).squeeze(-1), penultimate


class DakdStudent(Student):
    """One backbone; the cross term of the attention falls away, and its scale is sqrt(3 d)."""

    def __init__(self, spec: StudentSpec) -> None:
        super().__init__()
        temporal = TemporalAggregation(
            spec.hidden,
            heads=spec.attention_heads,
            reach=spec.reach,
            window=spec.window if spec.causal else None,
        )
        self.network = DakdNetwork([spec.inputs], spec.hidden, temporal, temporal.width_out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores are probabilities."""
        logits, penultimate = self.network([x])
        return torch.sigmoid(logits), penultimate

    def loss(self, x: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Binary cross entropy with soft labels: the distillation of predictions in Eq. 8."""
        logits, _ = self.network([x], counted)
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (each * counted).sum() / counted.sum()
