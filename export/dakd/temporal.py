"""What the temporal aggregation module is compared with (DAKD, Table 1).

The paper names these networks and not how they are wired. Here each takes the place of the
module: it gets the mean of the backbones' projections and gives (B, L, 2 width), as the module
does, or (B, L, width) where it has no time. None lets padding into a score that counts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from edge.model.tam import WIDENING, TemporalAggregation

TemporalName: TypeAlias = Literal[
    "tam", "none", "mtn", "multihead", "lstm", "rnn", "disentangled", "gru", "cnn"
]

DILATIONS = (1, 2, 4)  # of RTFM's pyramid
KERNEL = 3


class Fused(nn.Module, ABC):
    """Looks at the mean of the backbones' projections."""

    def __init__(self, width_out: int) -> None:
        super().__init__()
        self.width_out = width_out

    def forward(self, views: Sequence[Tensor], counted: Tensor | None = None) -> Tensor:
        """T times (B, L, width) → (B, L, width_out); ``counted`` (B, L) is 0 for padding."""
        fused = torch.stack(list(views)).mean(dim=0)
        if counted is None:
            counted = torch.ones_like(fused[..., 0])
        return self.mix(fused * counted.unsqueeze(-1), counted)

    @abstractmethod
    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Relate segments to each other; padding (B, L, width) is 0 on entry."""


class Alone(Fused):
    """Every segment by itself."""

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Nothing to relate."""
        return fused


class Recurrent(Fused):
    """An RNN, LSTM or GRU, forward in time."""

    def __init__(self, cell: Callable[..., nn.RNNBase], width: int) -> None:
        super().__init__(WIDENING * width)
        self.cell = cell(width, self.width_out, batch_first=True)

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Padding comes last, so nothing that counts has seen it."""
        mixed: Tensor = self.cell(fused)[0]
        return mixed


class Convolution(Fused):
    """One layer over neighbouring segments."""

    def __init__(self, width: int) -> None:
        super().__init__(WIDENING * width)
        self.convolution = nn.Conv1d(width, self.width_out, KERNEL, padding=KERNEL // 2)

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Padding is 0, as what lies beyond a video's end is."""
        return torch.relu(_over_time(self.convolution, fused))


class MultiheadAttention(Fused):
    """Scaled dot products (Vaswani et al., NeurIPS 2017), no positions; own values as in TAM."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(WIDENING * width)
        self.heads = heads
        self.query, self.key, self.value = (
            nn.Linear(width, self.width_out, bias=False) for _ in range(3)
        )

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Weighted means of the values, and each segment's own."""
        query, key, value = (
            layer(fused).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        attended: Tensor = _attended(query, key, value, counted) + value
        return attended.transpose(1, 2).flatten(2)


class Disentangled(Fused):
    """DeBERTa's attention: the module without the term across backbones."""

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__(WIDENING * width)
        self.attention = TemporalAggregation(width, heads=heads, reach=reach)

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """As of one backbone."""
        mixed: Tensor = self.attention([fused], counted)
        return mixed


class MultiScale(Fused):
    """RTFM's multi-scale temporal network (Tian et al., ICCV 2021): a pyramid and attention."""

    def __init__(self, width: int) -> None:
        super().__init__(WIDENING * width)
        part = self.width_out // (len(DILATIONS) + 1)
        self.pyramid = nn.ModuleList(
            nn.Conv1d(width, part, KERNEL, padding=dilation, dilation=dilation)
            for dilation in DILATIONS
        )
        self.reduce = nn.Linear(width, part)
        self.query, self.key, self.value, self.restore = (nn.Linear(part, part) for _ in range(4))
        parts = part * (len(DILATIONS) + 1)
        self.join = nn.Conv1d(parts, self.width_out, KERNEL, padding=KERNEL // 2)
        self.skip = nn.Linear(width, self.width_out, bias=False)

    def mix(self, fused: Tensor, counted: Tensor) -> Tensor:
        """Short range beside long range, joined, added to what came in."""
        near = [torch.relu(_over_time(layer, fused)) for layer in self.pyramid]
        reduced = self.reduce(fused)
        query, key, value = (
            layer(reduced).unsqueeze(1) for layer in (self.query, self.key, self.value)
        )
        far = self.restore(_attended(query, key, value, counted).squeeze(1)) + reduced
        joined = torch.cat([*near, far], dim=-1) * counted.unsqueeze(-1)
        skipped: Tensor = self.skip(fused)
        return torch.relu(_over_time(self.join, joined)) + skipped


TEMPORAL: Mapping[TemporalName, Callable[[int, int, int], Fused]] = {
    "none": lambda width, _heads, _reach: Alone(width),
    "mtn": lambda width, _heads, _reach: MultiScale(width),
    "multihead": lambda width, heads, _reach: MultiheadAttention(width, heads),
    "lstm": lambda width, _heads, _reach: Recurrent(nn.LSTM, width),
    "rnn": lambda width, _heads, _reach: Recurrent(nn.RNN, width),
    "disentangled": Disentangled,
    "gru": lambda width, _heads, _reach: Recurrent(nn.GRU, width),
    "cnn": lambda width, _heads, _reach: Convolution(width),
}
"""By name, made of width, heads and reach."""


def _attended(query: Tensor, key: Tensor, value: Tensor, counted: Tensor) -> Tensor:
    """Softmax attention of (B, H, L, d); padding is not seen."""
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    padding = (counted == 0).unsqueeze(1).unsqueeze(1)
    attended: Tensor = torch.softmax(scores.masked_fill(padding, float("-inf")), dim=-1) @ value
    return attended


def _over_time(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution along L of (B, L, width)."""
    result: Tensor = layer(x.transpose(1, 2)).transpose(1, 2)
    return result
