"""CLAP's detector (Al-lahham et al., CVPR 2024, supplement §10): ``clap``, and ``temporal`` on it.

The released code declares the two attention branches and never calls them; here they are as the
paper draws them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.model.attention import CausalBlock
from edge.model.base import Student, initialise
from edge.model.spec import PENULTIMATE, StudentSpec


class Detector(nn.Module):
    """FC - ReLU - dropout, twice, then a logit; each layer is reweighted by an attention branch."""

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.attention1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, PENULTIMATE)
        self.attention2 = nn.Linear(hidden, PENULTIMATE)
        self.fc3 = nn.Linear(PENULTIMATE, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, inputs) → logits (B, L) and penultimate (B, L, 32)."""
        first = self.dropout(_attended(torch.relu(self.fc1(x)), self.attention1(x)))
        second = _attended(torch.relu(self.fc2(first)), self.attention2(first))
        return self.fc3(self.dropout(second)).squeeze(-1), second


class ClapStudent(Student):
    """Every segment by itself."""

    def __init__(self, spec: StudentSpec) -> None:
        super().__init__()
        self.detector = Detector(spec.inputs, spec.hidden, spec.dropout)
        initialise(self)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, L) and penultimate (B, L, 32)."""
        logits, penultimate = self.detector(x)
        return logits, penultimate

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores are probabilities."""
        logits, penultimate = self.logits(x)
        return torch.sigmoid(logits), penultimate

    def loss(self, x: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Binary cross entropy (Eq. 8); the L2 term is the optimiser's weight decay."""
        logits, _ = self.logits(x)
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (each * counted).sum() / counted.sum()


class TemporalStudent(ClapStudent):
    """The last ``window`` segments through one attention block, then the same detector."""

    def __init__(self, spec: StudentSpec) -> None:
        super().__init__(StudentSpec("clap", spec.hidden, 1, spec.hidden, spec.dropout))
        self.embed = nn.Linear(spec.inputs, spec.hidden)
        self.block = CausalBlock(spec.hidden, spec.attention_heads, spec.window)
        initialise(self)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, L) and penultimate (B, L, 32)."""
        return super().logits(self.block(self.embed(x)))


def _attended(trunk: Tensor, branch: Tensor) -> Tensor:
    """Multiply the attention into the trunk, then add the product to it; softmax over features."""
    return trunk + trunk * torch.softmax(branch, dim=-1)
