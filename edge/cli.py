"""``vad-edge``: the command line of a camera host."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import __version__
from edge.terminal import Commands, carry_out, subcommand

EXIT_CODES = """exit codes:
  0    done
  1    failed while running; the message says what to do
  2    the command line or the configuration is wrong, or what it names: a file that is missing or
       cannot be used, an address that is none
  3    check: a camera or the broker did not answer, or data_dir cannot be written
  4    learn: a student was trained, but not adopted; the message says why
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see ``EXIT_CODES``)."""
    return carry_out("vad-edge", _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vad-edge",
        description="Video anomaly detection on the camera host: streams in, alerts out.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vad-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_demo(commands)
    _add_check(commands)
    _add_fit(commands)
    _add_models(commands)
    _add_guide(commands)
    _add_learn(commands)
    _add_ledger(commands)
    _add_eval(commands)
    _add_bench(commands)
    return parser


def _add(commands: Commands, name: str, module: str, purpose: str) -> argparse.ArgumentParser:
    parser = subcommand(commands, name, purpose, EXIT_CODES)
    parser.set_defaults(module=module)
    parser.add_argument("-v", "--verbose", action="store_true", help="log every detail")
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="ONNX detector; default: motion, no weights")
    parser.add_argument("--labels", type=Path, help="class names, one a line")


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def _add_run(commands: Commands) -> None:
    _add_config(_add(commands, "run", "edge.serve", "watch the cameras and raise alerts"))


def _add_demo(commands: Commands) -> None:
    parser = _add(commands, "demo", "edge.commands.demo", "an alert on a synthetic street")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for pictures")
    parser.add_argument("--seed", type=int, default=1)
    _add_format(parser)


def _add_check(commands: Commands) -> None:
    purpose = "validate the configuration, open every camera once, try the broker"
    parser = _add(commands, "check", "edge.commands.check", purpose)
    _add_config(parser)
    _add_format(parser)


def _add_fit(commands: Commands) -> None:
    purpose = "learn what is normal for a camera from footage or from its stream"
    parser = _add(commands, "fit", "edge.commands.fit", purpose)
    _add_config(parser)
    parser.add_argument("--camera", required=True, help="its name in the configuration")
    parser.add_argument("--footage", type=Path, nargs="+", help="files; default: the camera itself")
    parser.add_argument("--seconds", type=_positive, help="stop after so much footage")
    _add_format(parser)


def _add_learn(commands: Commands) -> None:
    purpose = "train this host's student on what its cameras stored, alone or in a federation"
    parser = _add(commands, "learn", "edge.commands.learn", purpose)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="train once, or stay in its federation"
    )
    what.add_argument(
        "--initial", type=Path, metavar="FILE", help="only make the model a federation begins with"
    )
    parser.add_argument(
        "--head",
        choices=("density", "clap", "temporal"),
        default="density",
        help="of --initial; a host's own is in its configuration",
    )
    parser.add_argument("--hidden", type=_count, default=256, help="width of --initial")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input ends, as run needs it"
    )
    _add_format(parser)


def _add_ledger(commands: Commands) -> None:
    purpose = "show what has left this host over the federation: when, how much, which schema"
    parser = _add(commands, "ledger", "edge.commands.ledger", purpose)
    _add_config(parser)
    parser.add_argument(
        "--days", type=_positive, default=1.0, help="single departures of so many days"
    )
    _add_format(parser)


def _add_models(commands: Commands) -> None:
    purpose = "list the adopted students, show one, or go back to an earlier one"
    parser = _add(commands, "models", "edge.commands.models", purpose)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, said in (
        ("list", "which students there are and which one judges"),
        ("show", "why one was adopted; checks all of it"),
        ("rollback", "judge by another one; vad-edge run follows by itself"),
    ):
        doing = subcommand(actions, action, said, EXIT_CODES)
        if action == "show":
            doing.add_argument("version", metavar="VERSION")
        if action == "rollback":
            what = "VERSION, or none for no student; default: what judged before"
            doing.add_argument("version", nargs="?", metavar="VERSION", help=what)
        _add_config(doing)
        _add_format(doing)


def _add_guide(commands: Commands) -> None:
    purpose = "say in words what is normal for a camera, and what is not"
    parser = _add(commands, "guide", "edge.commands.guide", purpose)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    follows = "go by a sentence; vad-edge run follows by itself"
    adding = subcommand(actions, "add", follows, EXIT_CODES)
    adding.add_argument("text", metavar="TEXT", help='such as "a person riding a bicycle"')
    polarity = adding.add_mutually_exclusive_group(required=True)
    for name in ("normal", "anomalous"):
        polarity.add_argument(f"--{name}", dest="polarity", action="store_const", const=name)
    adding.add_argument("--zone", action="append", metavar="NAME", help="default: everywhere")
    adding.add_argument("--hours", action="append", metavar="22:00-06:00", help="default: always")
    adding.add_argument("--threshold", type=float, help="of the cosine; default: by its rivals")
    listing = subcommand(actions, "list", "what the cameras go by, oldest first", EXIT_CODES)
    removing = subcommand(actions, "remove", "no longer go by a sentence", EXIT_CODES)
    removing.add_argument("id", metavar="ID", help="as list shows it")
    for doing in (adding, listing, removing):
        needed = doing is not listing
        doing.add_argument("--camera", required=needed, help="its name in the configuration")
        _add_config(doing)
        _add_format(doing)


def _add_eval(commands: Commands) -> None:
    purpose = "learn on a data set's train split and score its test split"
    parser = _add(commands, "eval", "edge.commands.evaluate", purpose)
    datasets = ("ped2", "avenue", "shanghaitech-tracks", "synthetic", "mot")
    parser.add_argument("--dataset", choices=datasets, required=True)
    parser.add_argument("--root", type=Path, help="its folder (synthetic needs none)")
    parser.add_argument(
        "--analysis-hz", type=_positive, default=10.0, help="frames looked at a second"
    )
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write score-over-time pictures")
    parser.add_argument(
        "--student", type=Path, metavar="FOLDER", help="that vad-export made; default: none"
    )
    parser.add_argument(
        "--words", type=Path, metavar="FOLDER", help="a word model of vad-export; default: none"
    )
    parser.add_argument("--no-motion", action="store_true", help="only words and the student judge")
    _add_network(parser)
    _add_format(parser)


def _add_bench(commands: Commands) -> None:
    purpose = "load this machine with paced cameras and measure"
    parser = _add(commands, "bench", "edge.commands.bench", purpose)
    parser.add_argument("--cameras", type=_count, required=True, metavar="N")
    parser.add_argument("--source", required=True, metavar="FILE", help="what every camera shows")
    parser.add_argument("--analysis-hz", type=_positive, default=5.0)
    parser.add_argument("--seconds", type=_positive, default=60.0)
    _add_network(parser)
    _add_format(parser)


if __name__ == "__main__":
    sys.exit(main())
