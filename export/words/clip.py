"""The text side of an open_clip network: prompts now, and the tower for hosts that read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from edge.domain.boxes import Floats
from edge.model import tokens
from edge.model.words import normalised
from export.backbones import clip
from export.backbones.clip import Clip
from export.backbones.families import choose_weights, known_to
from export.backbones.text import Prompts, embed
from export.words.clip_tokens import convert
from export.words.graph import text_graph

AT_ONCE = 64  # texts
TEMPLATES = ("a video of a person {}", "a photo of a person {}", "a person {}")
"""Ways to say an action; a prompt's embedding is their mean, which is steadier than any of them."""

Told = Callable[[int], object]
"""Hears how many more texts are done."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipText:
    """What reads, as its library gives it, in evaluation mode."""

    both: Clip

    @property
    def name(self) -> str:
        """Of the network."""
        return self.both.image.spec.name

    @property
    def source(self) -> str:
        """Where the weights come from."""
        return self.both.image.source

    def read(self, texts: Sequence[str], told: Told = lambda _: None) -> Floats:
        """Texts, none empty and each once, (T, d) L2-normalised."""
        parts = []
        for begin in range(0, len(texts), AT_ONCE):
            part = tuple(texts[begin : begin + AT_ONCE])
            parts.append(embed(self.both, Prompts(part, (), ())).embeddings)
            told(len(part))
        return np.concatenate(parts)

    def prompts(self, labels: Sequence[str], told: Told = lambda _: None) -> Floats:
        """One embedding for each label, (P, d) L2-normalised: the mean over ``TEMPLATES``."""
        texts = [template.format(label) for label in labels for template in TEMPLATES]
        ways = self.read(texts, told).reshape(len(labels), len(TEMPLATES), -1)
        return normalised(ways.mean(axis=1))

    def files(self) -> dict[str, bytes]:
        """The tower for a host, by file name (``edge.model.tokens``).

        Raises ModelError where its tokenizer cannot be taken along.
        """
        tokenizer, length = convert(self.name)
        return {
            tokens.GRAPH: text_graph(_Tower(self.both), length),
            tokens.TOKENIZER: tokenizer.to_str().encode(),
        }


class _Tower(nn.Module):
    """Tokens (N, L) → (N, d), not normalised."""

    def __init__(self, both: Clip) -> None:
        super().__init__()
        self.model = both.model

    def forward(self, texts: Tensor) -> Tensor:
        found: Tensor = self.model.encode_text(texts)
        return found


def load_text_side(
    name: str, *, pretrained: str | None = None, random_seed: int | None = None
) -> ClipText:
    """A network of open_clip by name, with published weights, those of a file, or random ones.

    Raises ConfigError for a name, tag or file that does not exist, ModelError where the weights
    cannot be had or are not of this network.
    """
    known_to("open_clip", name)
    weights = choose_weights(name, clip.tags(name), pretrained, random_seed)
    return ClipText(clip.load_both(name, weights))
