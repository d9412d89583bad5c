"""A causal transformer block with relative positions, written out so that any length exports.

Disentangled attention of one backbone (DeBERTa, He et al., ICLR 2021; DAKD's student, Eqs. 1-5):
content to content, content to position and position to content, scaled by sqrt(3 d).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TERMS = 3  # content-content, content-position, position-content
WIDENING = 2  # of the feed-forward part


class CausalBlock(nn.Module):
    """(B, L, d) → (B, L, d); a segment sees itself and the ``window`` - 1 segments before it."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.scale = 1 / math.sqrt(TERMS * width / heads)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.position = nn.Parameter(torch.randn(window, width) / math.sqrt(width))
        self.before = nn.LayerNorm(width)
        self.between = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, WIDENING * width), nn.GELU(), nn.Linear(WIDENING * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform each segment; both parts are added to what came in."""
        x = x + self.attend(self.before(x))
        fed: Tensor = self.feed(self.between(x))
        return x + fed

    def attend(self, x: Tensor) -> Tensor:
        """Weighted mean of the values that each segment may see, (B, L, d)."""
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self.value(x)
        position_key = self._split(self.key(self.position).unsqueeze(0))  # (1, H, W, d / H)
        position_query = self._split(self.query(self.position).unsqueeze(0))

        place = torch.arange(x.shape[1], device=x.device)
        age = place.unsqueeze(1) - place.unsqueeze(0)  # (L, L) how long ago j was, seen from i
        row = age.clamp(0, self.window - 1).expand(x.shape[0], self.heads, -1, -1)
        to_position = (query @ position_key.transpose(-1, -2)).gather(-1, row)
        from_position = (key @ position_query.transpose(-1, -2)).gather(-1, row.transpose(-1, -2))
        scores = query @ key.transpose(-1, -2) + to_position + from_position.transpose(-1, -2)

        unseen = (age < 0) | (age >= self.window)
        mixing = torch.softmax((scores * self.scale).masked_fill(unseen, float("-inf")), dim=-1)
        attended = mixing @ self._split(value)  # (B, H, L, d / H)
        mixed: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return mixed

    def _split(self, x: Tensor) -> Tensor:
        """(B, L, d) → (B, heads, L, d / heads)."""
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
