"""Prompts through open_clip's text tower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import open_clip
import torch

from edge.errors import ConfigError, ModelError
from edge.model.text import TextEmbeddings
from export.backbones.clip import Clip

AT_ONCE = 64  # prompts: bounds memory


@dataclass(frozen=True, slots=True)
class Prompts:
    """The lines of a text, each once, and what was left out of it."""

    texts: tuple[str, ...]
    lines: tuple[int, ...]  # of the text, from 1
    repeated: tuple[str, ...]  # for people: which line repeats which


def read_prompts(text: str) -> Prompts:
    """One prompt a line; empty lines are skipped, repeated ones told.

    Raises ConfigError where no line has a prompt.
    """
    first: dict[str, int] = {}
    repeated = []
    for number, line in enumerate(text.splitlines(), start=1):
        prompt = line.strip()
        if prompt in first:
            repeated.append(f"line {number} repeats line {first[prompt]}: {prompt[:60]}")
        elif prompt:
            first[prompt] = number
    if not first:
        raise ConfigError("no prompts: write one a line")
    return Prompts(tuple(first), tuple(first.values()), tuple(repeated))


def embed(clip: Clip, prompts: Prompts) -> TextEmbeddings:
    """What the text tower makes of the prompts, of unit length.

    Raises ModelError where the network's tokeniser is of a library that is not here.
    """
    tokens = _tokeniser(clip)(list(prompts.texts))
    with torch.inference_mode():
        found = [clip.model.encode_text(part, normalize=True) for part in tokens.split(AT_ONCE)]
    embeddings = np.asarray(torch.cat(found).numpy(), np.float32)
    return TextEmbeddings(prompts.texts, embeddings, clip.image.spec.name, clip.tower)


def cut_lines(clip: Clip, prompts: Prompts) -> list[int]:
    """Lines of prompts that are longer than the text tower reads: their ends do not count."""
    tokeniser = _tokeniser(clip)
    longer = tokeniser.context_length + 1

    def last(texts: Sequence[str]) -> torch.Tensor:
        tokens: torch.Tensor = tokeniser(list(texts), context_length=longer)
        return tokens[:, -1]  # padding, if they fit

    (padding,) = last([""])
    reached = (last(prompts.texts) != padding).tolist()
    return [line for line, cut in zip(prompts.lines, reached, strict=True) if cut]


def _tokeniser(clip: Clip) -> Any:
    name = clip.image.spec.name
    try:
        return open_clip.get_tokenizer(name)
    except (ImportError, OSError) as error:
        raise ModelError(
            f"{name}: its tokeniser cannot be had ({error}); choose another"
        ) from error
