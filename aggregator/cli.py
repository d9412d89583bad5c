"""``vad-aggregator``: the command line of a federation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aggregator.commands.public_options import add_public
from aggregator.commands.simulate import add_simulate
from edge import __version__
from edge.terminal import Commands, carry_out, subcommand

EXIT_CODES = """exit codes:
  0    done
  1    failed while running; the message says what to do
  2    the command line or the configuration is wrong, or what it names: a file that is missing or
       cannot be used, settings that exclude each other
  130  interrupted
"""

LEFT_OUT = """Without those who were deleted from participants.yaml, which the aggregator reads when
it starts: until its next start it still believes them."""
REMOVING = """To remove a host, delete it from participants.yaml in keys_dir, restart the
aggregator, and run this without a HOST: it renews the access list, to be copied to the broker."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see ``EXIT_CODES``)."""
    return carry_out("vad-aggregator", _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vad-aggregator",
        description="Camera hosts learn together: rounds over MQTT, updates in, models out.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vad-aggregator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(commands, "run", "aggregator.serve", "hold rounds until told to stop")
    _add_asking(commands, "status", "how the running round stands")
    rounds = _add_asking(commands, "rounds", "the latest rounds, newest first")
    rounds.add_argument("--limit", type=_count, default=20, metavar="N", help="at most so many")
    _add_asking(commands, "participants", "who takes part, and why not")
    clusters = _add_asking(commands, "clusters", "who is with whom, and why", more=LEFT_OUT)
    clusters.add_argument("--plot", type=Path, metavar="FILE", help="draw them, as .png or .jpg")
    _add_provision(commands)
    _add_distil(commands)
    add_public(commands, EXIT_CODES)
    simulate = add_simulate(commands, EXIT_CODES)
    simulate.add_argument("-v", "--verbose", action="store_true", help="log every detail")
    simulate.set_defaults(module="aggregator.commands.simulate")
    return parser


def _add(
    commands: Commands, name: str, module: str, purpose: str, more: str = ""
) -> argparse.ArgumentParser:
    parser = subcommand(commands, name, purpose, EXIT_CODES, more=more)
    parser.set_defaults(module=module)
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every detail")
    return parser


def _add_asking(
    commands: Commands, name: str, purpose: str, more: str = ""
) -> argparse.ArgumentParser:
    parser = _add(commands, name, f"aggregator.commands.{name}", purpose, more)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _add_provision(commands: Commands) -> None:
    purpose = "make keys, certificates, access list and configuration for hosts"
    parser = _add_asking(commands, "provision", purpose, more=REMOVING)
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="to admit; none: the site alone")
    parser.add_argument(
        "--broker",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="name or IP address in the broker's certificate; default: mqtt.host",
    )


def _add_distil(commands: Commands) -> None:
    purpose = "improve a round's models with public videos and their captions"
    add = _add_asking(commands, "distil", purpose).add_argument
    add("--work", type=Path, required=True, metavar="DIR", help="a round's folder, with in/")
    add("--public", type=Path, metavar="FOLDER", help="default: distillation.public")
    add("--no-captions", action="store_true", help="the teacher looks, and does not read")
    add("--until-eof", action="store_true", help="end when the standard input does")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
