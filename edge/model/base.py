"""What every head is: a network that scores segments and knows the loss that it learns by."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Student(nn.Module, ABC):
    """Features (B, L, d) → scores (B, L), higher is stranger, and penultimate (B, L, 32)."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score L consecutive segments of B sequences.

        A score depends on its own segment and those before it, of a student that looks ahead
        (``StudentSpec.looks_ahead``) on all that are given. Live, the last ``window`` segments
        are given and the newest score counts, so none of them sees what has not happened yet.
        """

    @abstractmethod
    def loss(self, x: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Mean loss over the segments that count.

        ``target`` (B, L) is 0 for normal and 1 for anomalous, ``counted`` (B, L) is 0 for padding.
        """


def initialise(module: nn.Module) -> None:
    """Glorot's uniform weights and no biases, in every linear layer (as CLAP's released code)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
