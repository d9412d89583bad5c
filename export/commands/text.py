"""``vad-export text``: prompts as embeddings, so that no host needs a text network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from edge.commands.report import answer, say
from edge.errors import ConfigError
from edge.model.text import save_text
from export.backbones import clip
from export.backbones.families import choose_weights, known_to
from export.backbones.text import cut_lines, embed, read_prompts


def run(options: argparse.Namespace) -> int:
    """Embed the prompts; says which lines were left out or are read only in part."""
    prompts = read_prompts(_text(options.prompts))
    for what in prompts.repeated:
        say(f"left out: {what}")
    known_to("open_clip", options.model)
    seed = options.seed if options.random else None
    weights = choose_weights(options.model, clip.tags(options.model), options.pretrained, seed)
    torch.set_num_threads(1)
    both = clip.load_both(options.model, weights)
    cut = cut_lines(both, prompts)
    for line in cut:
        say(f"line {line}: longer than {options.model} reads; its end does not count")
    texts = embed(both, prompts)
    save_text(options.out, texts)
    figures = {
        "file": str(options.out),
        "prompts": len(texts.prompts),
        "width": texts.embeddings.shape[1],
        "model": texts.model,
        "source": both.image.source,
        "tower_sha256": texts.tower_sha256,
        "cut_lines": cut,
        "repeated": len(prompts.repeated),
    }
    told = f"{options.out}: {len(texts.prompts)} prompts, {both.image.source}"
    answer(figures, as_json=options.format == "json", text=told)
    return 0


def _text(name: str) -> str:
    """The text of a file, or of the standard input."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8 text ({error})") from error
