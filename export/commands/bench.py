"""``vad-export bench``: what an exported student costs on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import Any

from edge.commands.report import answer, shown
from edge.model.artifact import load_artifact
from export.extract.watch import ANALYSIS_HZ
from export.proof.cost import Cost, measure


def run(options: argparse.Namespace) -> int:
    """Time the parts on one thread, both folders in turn."""
    folders = [options.folder, *([options.against] if options.against else [])]
    artifacts = [load_artifact(folder) for folder in folders]
    costs = measure(
        artifacts,
        objects=options.objects,
        rounds=options.rounds,
        progress=partial(shown, what="timing", unit="round"),
    )
    figures: dict[str, Any] = {"folder": str(options.folder), **asdict(costs[0])}
    lines = [_line(str(options.folder), costs[0])]
    if options.against:
        speed_up = costs[1].segment_ms / costs[0].segment_ms
        figures |= {
            "against": {"folder": str(options.against), **asdict(costs[1])},
            "speed_up": speed_up,
        }
        lines += [_line(str(options.against), costs[1]), f"{speed_up:.2f} times as fast"]
    answer(figures, as_json=options.format == "json", text="\n".join(lines))
    return 0


def _line(name: str, cost: Cost) -> str:
    return (
        f"{name}: {cost.segment_ms:.2f} ms a scene segment (prepare {cost.prepare_ms:.2f}, "
        f"backbone {cost.backbone_ms:.2f}, student {cost.student_ms:.2f} ms each), "
        f"{cost.cameras_per_core:.3g} cameras a core at {ANALYSIS_HZ:g} Hz"
    )
