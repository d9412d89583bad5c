"""``vad-export words``: a word model out of CLIP's towers, for camera hosts."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from edge.commands.report import answer, progress_bar
from edge.errors import ConfigError
from edge.model.backbone import load_backbone
from edge.model.words import WordModel
from export.words.actions import read_actions
from export.words.assemble import Parts, assemble, check_parts
from export.words.clip import TEMPLATES, load_text_side
from export.words.fusion_file import load_fusion


def run(options: argparse.Namespace) -> int:
    """Put the parts together; say what the model can do."""
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: is there already; name another folder")
    torch.set_num_threads(1)
    parts = Parts(
        backbone=load_backbone(options.backbone),
        text=load_text_side(
            options.model,
            pretrained=options.pretrained,
            random_seed=options.seed if options.random else None,
        ),
        actions=read_actions(options.actions),
        fusion=load_fusion(options.tfc) if options.tfc else None,
        text_tower=options.text_tower,
    )
    check_parts(parts)
    with progress_bar("embedding prompts", len(parts.actions) * len(TEMPLATES), "text") as bar:
        made = assemble(options.out, parts, told=bar.update)
    figures = _figures(made, parts)
    answer(
        {"out": str(options.out), **figures},
        as_json=options.format == "json",
        text=_text(options.out, figures),
    )
    return 0


def _figures(made: WordModel, parts: Parts) -> dict[str, Any]:
    return {
        "name": made.spec.name,
        "version": made.version,
        "width": made.width,
        "frames": made.frames,
        "actions": len(made.prompts.prompts),
        "tfc": parts.fusion.facts.trained_on if parts.fusion else None,
        "text_tower": made.reads,
        "weights": parts.text.source,
    }


def _text(out: object, figures: dict[str, Any]) -> str:
    temporal = figures["tfc"] or "none, the mean of the crops stands in its place"
    reads = "reads sentences" if figures["text_tower"] else "reads nothing: the aggregator must"
    return (
        f"{out}: {figures['weights']}, version {figures['version']}, {figures['actions']} actions "
        f"of {figures['width']} numbers\n"
        f"temporal part: {temporal}; {reads}"
    )
