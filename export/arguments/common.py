"""What the arguments of several commands are made of."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from edge.terminal import Commands, subcommand

EXIT_CODES = """exit codes:
  0    done
  1    failed while running; the message says what to do
  2    the command line is wrong, or what it names: a file that is missing or cannot be used
  4    verify: the export does not score the same
  130  interrupted
"""

HOST = (5.0, 640)  # frames a second and their width: a camera's, where nobody says otherwise


def add_command(
    commands: Commands, name: str, purpose: str, more: str = ""
) -> argparse.ArgumentParser:
    """A command that ``export.commands.NAME`` carries out; ``more``: what its help says besides."""
    parser = subcommand(commands, name, purpose, EXIT_CODES, more=more)
    parser.set_defaults(module=f"export.commands.{name}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every detail")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def add_viewing(parser: argparse.ArgumentParser, *, as_learnt: bool = False) -> None:
    """How footage is sampled; ``as_learnt``: by default as that of the student was."""
    rate_hz, width_px = (None, None) if as_learnt else HOST
    default = "default: as the student learnt" if as_learnt else "default %(default)s, a host's"
    parser.add_argument(
        "--analysis-hz", type=positive, default=rate_hz, help=f"frames seen a second ({default})"
    )
    parser.add_argument(
        "--max-width",
        type=count,
        default=width_px,
        metavar="PX",
        help=f"of an analysed frame ({default})",
    )
    parser.add_argument(
        "--detector", type=Path, metavar="ONNX", help="finds objects; default: whatever moves"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")


def add_footage(parser: argparse.ArgumentParser) -> None:
    """What of the footage is looked at, and how it is sampled."""
    parser.add_argument(
        "--view",
        choices=("picture", "objects"),
        default="picture",
        help="the whole picture, or what is followed in it (networks of clips: always the picture)",
    )
    add_viewing(parser)


def positive(text: str) -> float:
    """A number above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0")
    return number


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text}: from 0 to 1")
    return number


def count(text: str) -> int:
    """A whole number, at least 1."""
    return _whole(text, least=1)


def seed(text: str) -> int:
    """A whole number, at least 0: generators take no others."""
    return _whole(text, least=0)


def _whole(text: str, *, least: int) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text}: at least {least}")
    return number
