"""``vad-export``: the command line for whoever makes students and what they look through."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge import __version__
from edge.terminal import carry_out

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_CODES = """exit codes:
  0    done
  1    failed while running; the message says what to do
  2    the command line is wrong, or what it names: a file that is missing or cannot be used
  4    verify: the export does not score the same
  130  interrupted
"""


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
    return parser


def _add(commands: Commands, name: str, purpose: str) -> argparse.ArgumentParser:
    """A command that ``export.commands.NAME`` carries out."""
    parser = commands.add_parser(
        name,
        help=purpose,
        description=purpose,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module=f"export.commands.{name}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every detail")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
