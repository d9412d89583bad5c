"""``vad-export backbone``: a network as a folder that a host runs without torch.

A published one by its name, or one that another command made by its folder, in fewer bits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import torch

from edge.commands.report import answer, progress_bar
from edge.errors import ConfigError
from edge.model.backbone import load_backbone
from edge.model.folder import MANIFEST
from export.backbones.clips import choose, choose_ranges
from export.backbones.families import load_original
from export.backbones.graph import OPSET
from export.backbones.make import STEPS, Made, make_backbone, remake_backbone

Step: TypeAlias = Callable[[], object]


def run(options: argparse.Namespace) -> int:
    """Make one backbone and say how well it repeats the original."""
    _check(options)
    torch.set_num_threads(1)  # as a host runs it
    make = _made_anew if Path(options.name, MANIFEST).is_file() else _made
    with progress_bar(f"exporting {options.name}", STEPS, "step") as bar:
        made, source = make(options, bar.update)
    figures = _figures(made, options.out) | {"source": source}
    answer(figures, as_json=options.format == "json", text=_text(figures))
    return 0


def _made(options: argparse.Namespace, step: Step) -> tuple[Made, str]:
    """By its name, and where the weights come from."""
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
        view=options.view,
    )
    origins = {"golden": _footage(options.golden or options.calibrate), **_calibration(options)}
    made = make_backbone(
        original,
        options.out,
        precision=options.precision,
        clips=clips,
        provenance=origins,
        step=step,
    )
    return made, original.source


def _made_anew(options: argparse.Namespace, step: Step) -> tuple[Made, str]:
    """Out of its folder, in fewer bits."""
    if options.random or options.pretrained or options.golden or options.precision == "fp32":
        raise ConfigError(
            f"{options.name}: is a folder with weights and golden pictures of its own: say "
            "--precision int8 or fp16, or LIBRARY/NAME if a published network is meant"
        )
    source = load_backbone(Path(options.name))
    int8 = options.precision == "int8"
    made = remake_backbone(
        source.folder,
        options.out,
        ranges=choose_ranges(source.frames, options.calibrate, options.view) if int8 else (),
        precision=options.precision,
        provenance=_calibration(options),
        step=step,
    )
    return made, f"{options.name}, version {source.version}"


def _check(options: argparse.Namespace) -> None:
    if options.out.exists():
        raise ConfigError(f"{options.out}: is there already; name another folder or take it away")
    if options.calibrate and options.precision != "int8":
        raise ConfigError(f"--calibrate: {options.precision} needs no ranges; only int8 does")
    if options.view == "objects" and not (options.calibrate or options.golden):
        raise ConfigError("--view objects: name footage to cut them out of with --calibrate")


def _calibration(options: argparse.Namespace) -> dict[str, str]:
    if options.precision != "int8":
        return {}
    return {"int8_calibration": _footage(options.calibrate), "int8_view": options.view}


def _footage(path: Path | None) -> str:
    """Its name alone, not where it lies."""
    return path.name if path else "synthetic street"


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
