"""The temporal part (TFC): what an object does, out of what it looks like n times.

SVAD, section 3.2: a transformer encoder over the n embeddings of a track's crops.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge.domain.segment import SEGMENT_FRAMES
from export.words.blocks import Block

LAYERS, HEADS = 2, 4


class Fusion(nn.Module):
    """(N, n, d) L2-normalised embeddings, oldest first → (N, d); at first their mean.

    The paper gives no size; two layers see rhythm, and cost less than a single crop.
    """

    def __init__(
        self, width: int, *, frames: int = SEGMENT_FRAMES, layers: int = LAYERS, heads: int = HEADS
    ) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(frames, width) * 0.1 / width**0.5)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))

    def forward(self, embeddings: Tensor) -> Tensor:
        """See the class."""
        x = embeddings + self.position
        seen = torch.ones_like(embeddings[..., 0])
        for block in self.blocks:
            x = block(x, seen)
        return embeddings.mean(dim=1) + (x - embeddings - self.position).mean(dim=1)


def make_fusion(
    width: int,
    *,
    frames: int = SEGMENT_FRAMES,
    layers: int = LAYERS,
    heads: int = HEADS,
    seed: int = 0,
) -> Fusion:
    """A new one; equal arguments give equal weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Fusion(width, frames=frames, layers=layers, heads=heads)
