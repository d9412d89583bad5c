"""``vad-export``: the command line for whoever makes students and what they look through."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import __version__
from edge.terminal import Commands, carry_out
from export.arguments.common import (
    EXIT_CODES,
    add_command,
    add_viewing,
    count,
    positive,
    seed,
    share,
)
from export.arguments.looking import add_detector, add_extract, add_imitate
from export.arguments.proving import add_bench, add_onnx, add_tensorrt, add_verify
from export.arguments.teaching import add_ablate, add_distil, add_teacher


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see ``EXIT_CODES``)."""
    return carry_out("vad-export", _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vad-export",
        description="Teachers into students, students into ONNX and TensorRT, with proof.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vad-export {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_backbone(commands)
    _add_text(commands)
    add_extract(commands)
    add_imitate(commands)
    add_detector(commands)
    add_teacher(commands)
    add_distil(commands)
    add_ablate(commands)
    _add_words(commands)
    _add_tfc(commands)
    _add_words_tiny(commands)
    add_onnx(commands)
    add_verify(commands)
    add_bench(commands)
    add_tensorrt(commands)
    return parser


def _add_backbone(commands: Commands) -> None:
    purpose = (
        "a network of open_clip, timm or torchvision, or another folder, as a backbone's folder"
    )
    parser = add_command(commands, "backbone", purpose)
    parser.add_argument(
        "name",
        metavar="NAME",
        help="ViT-B-32, MobileCLIP2-S0, mobilenetv3_small_100, s3d, … or a backbone's folder, to be"
        " made again in fewer bits",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _add_weights(parser)
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="PATH",
        help="int8: typical footage, a video or a folder; default: a synthetic street",
    )
    parser.add_argument(
        "--golden",
        type=Path,
        metavar="PATH",
        help="other footage to hold it against torch with; default: some of --calibrate's",
    )
    parser.add_argument(
        "--view",
        choices=("picture", "objects"),
        default="picture",
        help="what of that footage it is shown, as the student's will: whole pictures, or crops of"
        " what moves",
    )


def _add_text(commands: Commands) -> None:
    purpose = "words into embeddings, as data: a host that compares them needs no text network"
    parser = add_command(commands, "text", purpose)
    parser.add_argument(
        "prompts", metavar="PROMPTS", help="a file of UTF-8 text, one prompt a line; -: read it"
    )
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="of open_clip: that of the image backbone"
    )
    _add_weights(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors")


def _add_weights(parser: argparse.ArgumentParser) -> None:
    """Where a published network's weights come from; the commands say what there is."""
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--pretrained", metavar="TAG|FILE", help="published weights, which downloads, or a file"
    )
    weights.add_argument("--random", action="store_true", help="random weights: for tests alone")
    parser.add_argument("--seed", type=seed, default=0, help="of random weights")


def _add_words(commands: Commands) -> None:
    purpose = "CLIP's towers as a word model: crops and sentences that a host can compare"
    parser = add_command(commands, "words", purpose)
    parser.add_argument(
        "--backbone", type=Path, required=True, metavar="FOLDER", help="the image tower"
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="of open_clip: ViT-B-16, …")
    _add_weights(parser)
    parser.add_argument(
        "--actions", type=Path, metavar="FILE", help="one a line; default: the 400 of Kinetics"
    )
    parser.add_argument(
        "--tfc",
        type=Path,
        metavar="FILE",
        help="the temporal part, of vad-export tfc; default: none, crops are averaged",
    )
    parser.add_argument(
        "--text-tower",
        action="store_true",
        help="take the text tower along, so that the host reads sentences by itself",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")


def _add_tfc(commands: Commands) -> None:
    purpose = "train the temporal part of a word model on action clips; goes on where it stopped"
    parser = add_command(commands, "tfc", purpose)
    parser.add_argument(
        "--clips", type=Path, required=True, metavar="ROOT", help="one folder for each action"
    )
    parser.add_argument("--words", type=Path, required=True, metavar="FOLDER", help="a word model")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--work", type=Path, metavar="FOLDER", help="embedded clips; default: OUT.work"
    )
    parser.add_argument("--seed", type=seed, default=0)
    add_viewing(parser)
    group = parser.add_argument_group("constants of the paper, or ours where it names none")
    group.add_argument("--alpha", type=share, default=0.7, help="of the temporal part in a feature")
    group.add_argument("--sigma", type=positive, default=0.1, help="temperature of the softmax")
    group.add_argument("--learning-rate", type=positive, default=7e-4, metavar="X")
    group.add_argument("--batch", type=count, default=512)
    group.add_argument("--steps", type=count, default=2000, help="ours: the paper names none")
    group.add_argument("--layers", type=count, default=2, help="ours")
    group.add_argument("--heads", type=count, default=4, help="ours")


def _add_words_tiny(commands: Commands) -> None:
    purpose = "train a small word model of our own on generated streets; goes on where it stopped"
    parser = add_command(commands, "words-tiny", purpose)
    parser.set_defaults(module="export.commands.words_tiny")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="tubes of crops and where training stands; default: OUT.work",
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument(
        "--streets", type=count, default=12, metavar="N", help="of each kind, to learn from"
    )
    parser.add_argument("--steps", type=count, default=1200, help="of the two towers")
    parser.add_argument("--batch", type=count, default=96, help="of the two towers")
    parser.add_argument("--tfc-steps", type=count, default=400, help="of the temporal part")


if __name__ == "__main__":
    sys.exit(main())
