"""``vad-export backbone``: a published network as a folder that a host runs without torch."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from edge.commands.report import answer, progress_bar
from edge.errors import ConfigError
from export.backbones.clips import choose
from export.backbones.families import load_original
from export.backbones.graph import OPSET
from export.backbones.make import STEPS, Made, make_backbone


def run(options: argparse.Namespace) -> int:
    """Make one backbone and say how well it repeats the original."""
    _check(options)
    torch.set_num_threads(1)  # as a host runs it
    original = load_original(
        options.name,
        pretrained=options.pretrained,
        random_seed=options.seed if options.random else None,
    )
    clips = choose(
        original.spec.frames,
        golden=options.golden,
        calibration=options.calibrate,
        int8=options.precision == "int8",
    )
    with progress_bar(f"exporting {options.name}", STEPS, "step") as bar:
        made = make_backbone(
            original,
            options.out,
            precision=options.precision,
            clips=clips,
            provenance=_origins(options),
            step=bar.update,
        )
    figures = _figures(made, options.out) | {"source": original.source}
    answer(figures, as_json=options.format == "json", text=_text(figures))
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.out.exists():
        raise ConfigError(f"{options.out}: is there already; name another folder or take it away")
    if options.calibrate and options.precision != "int8":
        raise ConfigError(f"--calibrate: {options.precision} needs no ranges; only int8 does")


def _origins(options: argparse.Namespace) -> dict[str, str]:
    """Which pictures it was judged by, and which gave it its ranges; names alone, not folders."""
    ranges = {"int8_calibration": options.calibrate} if options.precision == "int8" else {}
    origins = {"golden": options.golden or options.calibrate, **ranges}
    return {what: path.name if path else "synthetic street" for what, path in origins.items()}


def _figures(made: Made, folder: Path) -> dict[str, Any]:
    spec = made.backbone.spec
    return {
        "folder": str(folder),
        "version": made.backbone.version,
        "name": spec.name,
        "width": spec.width,
        "precision": spec.precision,
        **asdict(made.agreement),
        "opset": OPSET,
        "bytes": made.graph_bytes,
        "speed_up": round(made.speed_up, 2),
    }


def _text(figures: dict[str, Any]) -> str:
    faster = f", {figures['speed_up']:g} times the speed of fp32"
    return (
        f"{figures['folder']}: {figures['source']}, version {figures['version']}\n"
        f"{figures['width']} numbers a picture or clip, {figures['bytes'] / 1e6:.1f} MB in"
        f" {figures['precision']}{faster if figures['precision'] != 'fp32' else ''}\n"
        f"against torch: cosine at least {figures['least_cosine']:.6f}, largest difference"
        f" {figures['max_abs_error']:.2g}"
    )
