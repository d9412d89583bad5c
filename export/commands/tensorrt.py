"""``vad-export tensorrt``: engines for the GPU of this machine, built before anybody needs them."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edge.commands.report import answer, shown
from export.engines.build import build, check_machine
from export.engines.networks import jobs_of


def run(options: argparse.Namespace) -> int:
    """Build an engine for each network; `vad-edge run` finds them by itself."""
    jobs = jobs_of(options.path)
    device = check_machine()
    queue = shown(jobs, "building engines, minutes each", "engine")
    built = [build(job, device, fp16=options.fp16) for job in queue]
    engines = [
        {
            "model": str(one.model),
            "folder": str(one.folder),
            "least_cosine": one.least_cosine,
            "standalone": one.standalone,
        }
        for one in built
    ]
    lines = [f"{one.model}: {one.folder}, cosine {one.least_cosine:.5f}" for one in built]
    figures = {"device": asdict(device), "engines": engines}
    answer(figures, as_json=options.format == "json", text="\n".join(lines))
    return 0
