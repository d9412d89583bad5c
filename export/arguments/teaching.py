"""Arguments of the commands that train teachers and students."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from edge.terminal import Commands
from export.arguments.common import add_command, count, seed
from export.dakd.options import ABLATIONS, TABLES, DistilOptions, TeacherOptions

LABELLED = """\
The labels are those of extract's --videos, annotations/train_video_labels.json, of which it keeps
a copy in every BACKBONE/annotations. Clips with frame labels only judge, and may be left out."""


def add_teacher(commands: Commands) -> None:
    """``vad-export teacher``."""
    purpose = "train a teacher that sees through several backbones, by video labels alone"
    parser = add_command(commands, "teacher", purpose, LABELLED)
    _add_backbones(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _add_seen(parser)
    _add_constants(parser, TeacherOptions)


def add_distil(commands: Commands) -> None:
    """``vad-export distil``."""
    parser = add_command(
        commands, "distil", "train a student of one backbone by what a teacher says"
    )
    parser.add_argument("--teacher", type=Path, metavar="FOLDER", help="of vad-export teacher")
    parser.add_argument("--backbone", required=True, metavar="NAME", help="what the student sees")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--causal",
        action="store_true",
        help="no segment sees later ones: a whole video and a stream get the same scores",
    )
    _add_seen(parser)
    _add_constants(parser, DistilOptions)


def add_ablate(commands: Commands) -> None:
    """``vad-export ablate``."""
    purpose = "train the method without each of its parts, over several seeds, and compare"
    parser = add_command(commands, "ablate", purpose)
    _add_backbones(parser)
    parser.add_argument("--student", required=True, metavar="B", help="the backbone that it sees")
    parser.add_argument("--seeds", type=count, default=5, metavar="N", help="from --seed on")
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=TABLES,
        default=ABLATIONS,
        help=f"default: {' '.join(ABLATIONS)}",
    )
    _add_seen(parser)
    _add_constants(parser, DistilOptions)


def _add_backbones(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backbones", nargs="+", required=True, metavar="NAME", help="folders in --features"
    )


def _add_seen(parser: argparse.ArgumentParser) -> None:
    """What the networks of a stage see, and how large they are."""
    parser.add_argument(
        "--features",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="of vad-export extract: one folder for each backbone",
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--window", type=count, default=32, help="segments that are seen live")
    parser.add_argument("--hidden", type=count, default=512, help="half the attention's width")
    parser.add_argument("--attention-heads", type=count, default=8)
    parser.add_argument("--reach", type=count, default=25, help="largest relative distance, k")


def _add_constants(parser: argparse.ArgumentParser, kind: type[TeacherOptions]) -> None:
    """One option for each constant of a stage, its published value the default."""
    group = parser.add_argument_group("constants of the paper")
    for entry in fields(kind):
        name, default = f"--{entry.name.replace('_', '-')}", entry.default
        told = f"{entry.metadata['help']} (default {default})"
        if isinstance(default, bool):
            group.add_argument(
                name, action=argparse.BooleanOptionalAction, default=default, help=told
            )
        else:
            group.add_argument(name, type=type(default), default=default, metavar="X", help=told)
