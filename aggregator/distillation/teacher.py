"""The teacher: what segments look like and what words say of their video, Z = MHSA(LN([Φ; Ψ])).

FedVAD, Eq. 4. Φ and Ψ are frozen and were asked when the public set was made. Either is projected
to a common width; the caption is put beside every segment of its video, so that each has a Z of its
own, as Eq. 5 needs. A bottleneck makes Z as wide as a student's penultimate layer.

Whether the *video* is abnormal is read from the mean of its Z. Whether a *segment* is, from what it
looks like alone: caption and attention tell of a whole video, and with them all segments of the
few videos that there are were soon scored alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.model.base import initialise
from edge.model.dakd import Projection
from edge.model.spec import PENULTIMATE


class Teacher(nn.Module):
    """Visual features and texts → logits and Z; a text width of 0: it does not read."""

    def __init__(self, visual: int, text: int, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.look = Projection(visual, width)
        self.read = Projection(text, width) if text else None
        joint = 2 * width if text else width
        self.norm = nn.LayerNorm(joint)
        self.attention = nn.MultiheadAttention(joint, heads, dropout=dropout, batch_first=True)
        self.bottleneck = nn.Linear(joint, PENULTIMATE)
        self.of_video = nn.Linear(PENULTIMATE, 1)
        self.restore = nn.Linear(PENULTIMATE, visual)
        self.of_segment = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)
        initialise(self)

    def forward(self, visual: Tensor, text: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, v), (B, t), and (B, L) False for padding → logits (B, L) and Z (B, L, 32)."""
        seen = self.look(visual)
        logits = self.of_segment(self.dropout(torch.relu(seen))).squeeze(-1)
        tokens = seen
        if self.read is not None:
            words = self.read(text).unsqueeze(1).expand(-1, seen.shape[1], -1)
            tokens = torch.cat([seen, words], dim=-1)
        tokens = self.norm(tokens)
        mixed, _ = self.attention(
            tokens, tokens, tokens, key_padding_mask=~present, need_weights=False
        )
        z = functional.gelu(self.bottleneck(self.dropout(tokens + mixed)))
        return logits, z

    def video_logits(self, z: Tensor, present: Tensor) -> Tensor:
        """(B, L, 32) → (B,), of the mean over the segments that are present."""
        mean = (z * present.unsqueeze(-1)).sum(dim=1) / present.sum(dim=1, keepdim=True)
        logits: Tensor = self.of_video(mean).squeeze(-1)
        return logits
