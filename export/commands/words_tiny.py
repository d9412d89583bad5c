"""``vad-export words-tiny``: a small word model of our own, trained here on generated streets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import torch

from edge.commands.report import answer, progress_bar
from edge.errors import ConfigError
from export.words.tiny.film import HELD_OUT_SEED, TRAINING_SEED, Tubes, streets
from export.words.tiny.judge import judge
from export.words.tiny.make import Plans, learn, write
from export.words.tiny.reels import reels

HELD_OUT_STREETS = 3  # of each kind


def run(options: argparse.Namespace) -> int:
    """Film, train, write, judge on streets of other seeds."""
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: is there already; name another folder")
    torch.set_num_threads(1)  # equal arguments give equal weights
    cv2.setNumThreads(1)
    work = options.work or options.out.with_name(f"{options.out.name}.work")
    training = _film(work, "training streets", TRAINING_SEED, options.streets)
    held_out = _film(work, "held-out streets", HELD_OUT_SEED, HELD_OUT_STREETS)
    plans = Plans.of(
        steps=options.steps,
        fusion_steps=options.tfc_steps,
        batch=options.batch,
        seed=options.seed,
    )
    with ExitStack() as bars:
        told = (
            _bar(bars, "pairing crops and captions", options.steps),
            _bar(bars, "temporal part", options.tfc_steps),
        )
        learnt = learn(training, plans, work, told=told)
    made = write(options.out, learnt, training, provenance=_provenance(options, training))
    figures = {"out": str(options.out), "version": made.version, **judge(made, held_out)}
    answer(figures, as_json=options.format == "json", text=_text(figures))
    return 0


def _film(work: Path, what: str, first_seed: int, count: int) -> Tubes:
    chosen = streets(first_seed, count)
    with progress_bar(what, len(chosen), "street") as bar:
        return reels(work / "streets", chosen, told=bar.update)


def _bar(bars: ExitStack, what: str, steps: int) -> Callable[[int, float], object]:
    bar = bars.enter_context(progress_bar(what, steps, "step"))

    def told(step: int, loss: float) -> None:
        bar.set_postfix_str(f"loss {loss:.3f}")
        bar.update(step - bar.n)

    return told


def _provenance(options: argparse.Namespace, training: Tubes) -> dict[str, str | int | float]:
    last = TRAINING_SEED + options.streets - 1
    return {
        "trained_on": f"generated streets, scene seeds {TRAINING_SEED} to {last}",
        "tubes": len(training),
        "steps": options.steps,
        "tfc_steps": options.tfc_steps,
        "seed": options.seed,
    }


def _text(figures: dict[str, Any]) -> str:
    lines = [f"{figures['out']}: version {figures['version']}"]
    for source in ("true_boxes", "motion_boxes"):
        found = figures[source]
        lines.append(
            f"{source.replace('_', ' ')}, {found['tubes']} held-out tubes, right act nearest: "
            f"{found['accuracy_one_crop']:.1%} by one crop, {found['accuracy_mean']:.1%} by the "
            f"mean, {found['accuracy_tfc']:.1%} by the temporal part "
            f"({found['accuracy_tfc_unseen_sentences']:.1%} with unseen sentences)"
        )
    lines.append(f"{figures['ms_per_crop']} ms a crop, {figures['ms_per_object']} ms an object")
    return "\n".join(lines)
