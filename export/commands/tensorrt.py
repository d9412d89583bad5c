"""``vad-export tensorrt``: engines for the GPU of this machine, built before anybody needs them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from edge.commands.report import answer, progress_bar
from export.engines.build import build, check_machine
from export.engines.networks import Job, jobs_of


def run(options: argparse.Namespace) -> int:
    """Build an engine for each network; `vad-edge run` finds them by itself."""
    jobs = jobs_of(options.path)
    device = check_machine()
    built = [build(job, device, fp16=options.fp16) for job in _shown(jobs)]
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


def _shown(jobs: Sequence[Job]) -> Iterator[Job]:
    with progress_bar("building engines, minutes each", len(jobs), "engine") as bar:
        for job in jobs:
            yield job
            bar.update()
