"""Arguments of the commands that export students, hold them to account and make them fast."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.terminal import Commands
from export.arguments.common import add_command, add_viewing, count


def add_onnx(commands: Commands) -> None:
    """``vad-export onnx``."""
    purpose = "a distilled student as the folder that a camera host runs, once it scores the same"
    parser = add_command(commands, "onnx", purpose)
    parser.add_argument("training", type=Path, metavar="TRAINING", help="what distil wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--backbone",
        type=Path,
        metavar="FOLDER",
        help="the one that it learnt to look through; none if it reads the descriptors",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="ROOT",
        help="what extract wrote: golden segments are taken from it; default: drawn ones",
    )
    _add_key(parser)


def add_verify(commands: Commands) -> None:
    """``vad-export verify``."""
    purpose = "hold an export against torch on every provider there is, and note it in the manifest"
    parser = add_command(commands, "verify", purpose)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what onnx wrote")
    parser.add_argument(
        "--footage", type=Path, nargs="+", metavar="VIDEO", help="list its score of every segment"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="another export, compared on --videos"
    )
    parser.add_argument(
        "--videos", type=Path, metavar="ROOT", help="video/test and annotations of --against"
    )
    _add_key(parser)
    add_viewing(parser, as_learnt=True)


def add_bench(commands: Commands) -> None:
    """``vad-export bench``."""
    purpose = "milliseconds of an export's parts on one thread of this machine"
    parser = add_command(commands, "bench", purpose)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what onnx wrote")
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="another export, timed in turn"
    )
    parser.add_argument(
        "--objects", type=count, default=3, metavar="N", help="followed in a frame (view objects)"
    )
    parser.add_argument("--rounds", type=count, default=30, metavar="N")


def add_tensorrt(commands: Commands) -> None:
    """``vad-export tensorrt``."""
    purpose = "build TensorRT engines for this machine's GPU, kept beside the networks"
    parser = add_command(commands, "tensorrt", purpose)
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="a student's or backbone's folder, or a detector"
    )
    parser.add_argument(
        "--fp16", action="store_true", help="16-bit floats where TensorRT finds them faster"
    )


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", type=Path, metavar="PEM", help="sign the manifest with this Ed25519 secret key"
    )
