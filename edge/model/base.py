"""What every head is: a network that scores segments and knows the loss that it learns by."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Student(nn.Module, ABC):
    """Features (B, L, d) → scores (B, L), higher is stranger, and penultimate (B, L, 32)."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score L consecutive segments of B sequences; a score never depends on later segments."""

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
