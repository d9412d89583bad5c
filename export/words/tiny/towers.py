"""The two towers: crops and sentences into one space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge.model.backbone import BackboneSpec
from export.words.blocks import Block
from export.words.tiny.film import SIZE_PX

WIDTH = 128  # d of both towers' embeddings
CHANNELS = (16, 32, 64, 128)  # each at half the size of the one before
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS = 64, 2, 4
LONGEST = 20  # tokens of a sentence; the rest is not read
PAD = 0  # the token that is none

SPEC = BackboneSpec(
    name="tiny-words",
    width=WIDTH,
    size_px=(SIZE_PX, SIZE_PX),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    interpolation="bilinear",
)


class ImageTower(nn.Module):
    """Pictures (N, 3, 64, 64) → (N, WIDTH), not normalised."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS, strict=False):
            layers += _convolution(before, after, stride=2)
            if before in CHANNELS[:2]:
                layers += _convolution(after, after, stride=1)
        self.features = nn.Sequential(*layers)
        self.project = nn.Linear(CHANNELS[-1] * 4, WIDTH)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class; four quarters are pooled apart, for a rider sits above the wheels."""
        found = self.features(pictures)  # (N, C, 4, 4)
        pooled = nn.functional.avg_pool2d(found, 2).flatten(1)
        embeddings: Tensor = self.project(pooled)
        return embeddings


class TextTower(nn.Module):
    """Tokens (N, LONGEST) int64, 0 where a sentence is over → (N, WIDTH), not normalised."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, TEXT_WIDTH)
        self.position = nn.Parameter(torch.randn(LONGEST, TEXT_WIDTH) * 0.1)
        self.blocks = nn.ModuleList(Block(TEXT_WIDTH, TEXT_HEADS) for _ in range(TEXT_LAYERS))
        self.after = nn.LayerNorm(TEXT_WIDTH)
        self.project = nn.Linear(TEXT_WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        seen = (tokens != PAD).to(self.position.dtype)
        x = self.words(tokens) + self.position
        for block in self.blocks:
            x = block(x, seen)
        mean = (self.after(x) * seen[..., None]).sum(dim=1) / seen.sum(dim=1, keepdim=True)
        embeddings: Tensor = self.project(mean)
        return embeddings


class Towers(nn.Module):
    """Both, as they learn together."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.image = ImageTower()
        self.text = TextTower(vocabulary)


def make_towers(vocabulary: int, *, seed: int) -> Towers:
    """New ones; equal arguments give equal weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Towers(vocabulary)


def _convolution(before: int, after: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]
