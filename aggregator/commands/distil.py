"""``vad-aggregator distil``: one round's models, improved with public videos and their captions.

The serving process starts it after each round's averaging; by hand it does the same again.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aggregator.commands.report import answer
from aggregator.config import DistillationSection, load_config
from aggregator.distil_folder import has_result, read_task
from aggregator.first_model import read_first_model
from edge.commands.report import progress_bar, say
from edge.errors import ConfigError
from edge.model.spec import StudentSpec
from edge.terminal import INTERRUPTED

if TYPE_CHECKING:
    from aggregator.distillation.improve import Improved

TEACHERS = "teachers"
"""Below ``data_dir``: what teachers have said, so that none is trained in every round."""

NICENESS = 19  # whoever holds rounds goes first


def run(options: argparse.Namespace) -> int:
    """Distil once; a result that is there already is not made again. Raises VadError."""
    config = load_config(options.config)
    told = config.distillation
    if told is None:
        if options.public is None:
            raise ConfigError(f"{options.config}: no section distillation; or give --public FOLDER")
        told = DistillationSection(public=options.public)
    if has_result(options.work):
        answer({"made": False}, as_json=options.format == "json", text="it was made already")
        return 0
    if options.until_eof:
        threading.Thread(target=_leave_at_eof, name="eof", daemon=True).start()
    spec = StudentSpec.from_json(read_first_model(config.model).student)
    public = options.public or told.public
    captions = told.captions and not options.no_captions
    done = _distilled(options.work, spec, told, public, config.data_dir / TEACHERS, captions)
    figures = {"made": True, "clusters": [each.as_json() for each in done]}
    text = "\n".join(each.text for each in done)
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _distilled(
    work: Path,
    spec: StudentSpec,
    told: DistillationSection,
    public: Path,
    teachers: Path,
    captions: bool,
) -> list[Improved]:
    torch, worker, reading = _learning()
    torch.set_num_threads(1)
    os.nice(NICENESS)
    say(f"reading {public}")
    videos = reading.read_public(public)
    with progress_bar("distilling", len(read_task(work).models), "cluster") as bar:
        done: list[Improved] = worker.carry_out(
            work,
            spec,
            videos,
            told.options,
            captions=captions,
            seed=told.seed,
            teachers=teachers,
            on_cluster=lambda _: bar.update(),
        )
    return done


def _learning() -> tuple[Any, Any, Any]:
    """Imported late: the rest of the command line works where torch is not installed."""
    try:
        import torch

        from aggregator.distillation import worker
        from aggregator.public import reading
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"distil trains, and {error.name} is not installed: pip install 'vad-edge[learn]'"
        ) from error
    return torch, worker, reading


def _leave_at_eof() -> None:
    """Whoever started this process is gone; a result that is not complete is not there."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(INTERRUPTED)
