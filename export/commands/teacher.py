"""``vad-export teacher``: learn to tell abnormal videos, seen through several backbones."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from tqdm import tqdm

from edge.commands.report import answer, progress_bar, say
from edge.errors import ConfigError
from export.dakd.course import Told
from export.dakd.features import FeatureSet, read_backbones
from export.dakd.folder import Facts, Training, save_training
from export.dakd.judge import Figures, judge
from export.dakd.network import NetworkSpec, weights_of
from export.dakd.options import TeacherOptions
from export.dakd.teach import Taught, train_teacher

Options = TypeVar("Options", bound=TeacherOptions)


def run(options: argparse.Namespace) -> int:
    """Train to the last epoch, store the network, and say how well it does."""
    refuse_existing(options.out)
    constants = constants_of(options, TeacherOptions)
    features = read(options.features, options.backbones)
    spec = NetworkSpec(
        features.widths,
        hidden=options.hidden,
        attention_heads=options.attention_heads,
        reach=options.reach,
    )
    checkpoint = checkpoint_of(options.out)
    with progress_bar("teacher", constants.epochs, "epoch") as bar:
        taught = train_teacher(
            spec,
            features,
            constants,
            seed=options.seed,
            checkpoint=checkpoint,
            told=counting(bar),
        )
    figures = judge(taught.network, features, window=options.window)
    facts = provenance(features, taught, figures, seed=options.seed)
    weights = weights_of(taught.network)
    save_training(
        options.out, Training(spec, features.backbones, weights, asdict(constants), facts)
    )
    checkpoint.unlink(missing_ok=True)
    tell(options, features, taught, figures)
    return 0


def refuse_existing(out: Path) -> None:
    """Before hours of training, not after; raises ConfigError."""
    if out.exists():
        raise ConfigError(f"--out {out}: is there already; name another, or delete it")


def constants_of(options: argparse.Namespace, kind: type[Options]) -> Options:
    """The constants of a stage as the command line has them."""
    return kind(**{entry.name: getattr(options, entry.name) for entry in fields(kind)})


def read(root: Path, backbones: Sequence[str]) -> FeatureSet:
    """Read the features, and say what is left out."""
    features = read_backbones(root, backbones, progress=_shown)
    for reason in features.left_out:
        say(f"left out: {reason}")
    return features


def checkpoint_of(out: Path) -> Path:
    """Where an unfinished training lies: beside the folder that it will become."""
    return out.with_name(f".{out.name}.checkpoint")


def counting(bar: tqdm[Any]) -> Told:
    """A resumed training begins further on."""

    def told(epoch: int, _loss: float) -> None:
        bar.update(epoch - bar.n)

    return told


def provenance(features: FeatureSet, taught: Taught, figures: Figures, *, seed: int) -> Facts:
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


def tell(
    options: argparse.Namespace, features: FeatureSet, taught: Taught, figures: Figures
) -> None:
    """Say what came of it."""
    facts: Mapping[str, Any] = {
        "out": str(options.out),
        "backbones": list(features.backbones),
        "train_videos": len(features.train),
        "test_clips": len(features.test),
        "left_out": list(features.left_out),
        "loss": taught.loss,
        "auc": figures.as_json(),
    }
    text = (
        f"{options.out}: {', '.join(features.backbones)}; {len(features.train)} videos learnt "
        f"from, {len(features.test)} clips judged\n"
        f"AUC {100 * figures.whole:.1f} (clips seen whole), {100 * figures.live:.1f} (live)"
    )
    answer(facts, as_json=options.format == "json", text=text)


def _shown(files: Sequence[Path]) -> Iterator[Path]:
    with progress_bar("reading", len(files), "file") as bar:
        for file in files:
            yield file
            bar.update()
