"""What training a teacher and distilling a student share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from edge.commands.report import answer, progress_bar, say, shown
from edge.errors import DatasetError
from export.dakd.features import FeatureSet, read_backbones
from export.dakd.folder import Facts, Training, save_training
from export.dakd.judge import Figures, judge
from export.dakd.options import TeacherOptions
from export.dakd.teach import Taught
from export.extract.origin import Origin, read_origin

Options = TypeVar("Options", bound=TeacherOptions)


def constants_of(options: argparse.Namespace, kind: type[Options]) -> Options:
    """The constants of a stage as the command line has them."""
    return kind(**{entry.name: getattr(options, entry.name) for entry in fields(kind)})


def read(root: Path, backbones: Sequence[str], *, judged: bool) -> FeatureSet:
    """Read the features, and say what is left out; see `read_backbones`."""
    progress = partial(shown, what="reading", unit="file")
    features = read_backbones(root, backbones, progress=progress, judged=judged)
    for reason in features.left_out:
        say(f"left out: {reason}")
    return features


def read_origins(root: Path, backbones: Sequence[str]) -> dict[str, Origin]:
    """How each backbone's features were made.

    Raises DatasetError where nothing says it, or not all are of footage that was seen alike.
    """
    origins = {name: read_origin(root / name) for name in backbones}
    if len({origin.sampling for origin in origins.values()}) > 1:
        seen = "; ".join(f"{name} {origin.sampling}" for name, origin in origins.items())
        raise DatasetError(f"{root}: its folders are of footage seen unlike: {seen}")
    return origins


def sizes_of(options: argparse.Namespace) -> dict[str, Any]:
    """How large a network the command line asks for."""
    return {name: getattr(options, name) for name in ("hidden", "attention_heads", "reach")}


def train_to_end(
    what: str, stage: Callable[..., Taught], options: argparse.Namespace, epochs: int
) -> Taught:
    """Carry out a stage from where a killed one stands, and show how far it is."""
    with progress_bar(what, epochs, "epoch") as bar:

        def told(epoch: int, _loss: float) -> None:
            bar.update(epoch - bar.n)  # a resumed training begins further on

        return stage(seed=options.seed, checkpoint=_checkpoint(options.out), told=told)


def finish(
    options: argparse.Namespace, training: Training, taught: Taught, features: FeatureSet
) -> None:
    """Judge what was ``taught`` about ``features``, store it, tell how well it does."""
    figures = judge(taught.network, features, window=options.window)
    facts = {**_provenance(features, taught, figures, seed=options.seed), **training.provenance}
    save_training(options.out, replace(training, provenance=facts))
    _checkpoint(options.out).unlink(missing_ok=True)
    _tell(options, features, taught, figures)


def _checkpoint(out: Path) -> Path:
    """Where an unfinished training lies: beside the folder that it will become."""
    return out.with_name(f".{out.name}.checkpoint")


def _provenance(features: FeatureSet, taught: Taught, figures: Figures, *, seed: int) -> Facts:
    """Where weights come from, for people to read."""
    auc = {f"auc_{name}": value for name, value in figures.as_json().items() if value is not None}
    return {
        "seed": seed,
        "loss": taught.loss,
        "train_videos": len(features.train),
        "train_sha256": features.digest(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        **auc,
    }


def _tell(
    options: argparse.Namespace, features: FeatureSet, taught: Taught, figures: Figures
) -> None:
    facts: Mapping[str, Any] = {
        "out": str(options.out),
        "backbones": list(features.backbones),
        "train_videos": len(features.train),
        "test_clips": len(features.test),
        "left_out": list(features.left_out),
        "loss": taught.loss,
        "auc": figures.as_json(),
    }
    judged = f"{len(features.test)} clips judged\n{figures.as_text()}"
    text = (
        f"{options.out}: {', '.join(features.backbones)}; {len(features.train)} videos learnt "
        f"from, {judged if features.test else 'not judged: no labelled test clips'}"
    )
    answer(facts, as_json=options.format == "json", text=text)
