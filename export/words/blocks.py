"""A transformer block that sees everything at once, written out so that any number exports."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WIDENING = 2  # of the feed-forward part


class Block(nn.Module):
    """(B, L, d) → (B, L, d); both parts are added to what came in, and add nothing at first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.widen = nn.Linear(width, WIDENING * width)
        self.narrow = nn.Linear(WIDENING * width, width)
        for last in (self.out, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """``seen`` (B, L): 1 where there is something to attend to, 0 where not."""
        x = x + self._attend(self.before(x), seen)
        fed: Tensor = self.narrow(nn.functional.gelu(self.widen(self.between(x))))
        return x + fed

    def _attend(self, x: Tensor, seen: Tensor) -> Tensor:
        query, key, value = (self._split(part) for part in self.mix(x).chunk(3, dim=-1))
        scores = query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])  # (B, H, L, L)
        scores = scores.masked_fill(seen[:, None, None] == 0, -1e4)
        attended = torch.softmax(scores, dim=-1) @ value
        mixed: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return mixed

    def _split(self, x: Tensor) -> Tensor:
        """(B, L, d) → (B, heads, L, d / heads)."""
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
