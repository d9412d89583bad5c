"""The command line of ``vad-aggregator public``; loads nothing of what it asks for."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from edge.terminal import Commands, subcommand

PURPOSE = "prepare public videos, by which a federation's models are improved"
ADD = "watch, caption, calibrate and embed videos; goes on where it was stopped"
LIST = "what is in a public set, and what was left out and why"
MODULE = "aggregator.commands.public"
LABELS_HELP = "JSON: video name to 0, 1, a list of them (of frames), or a word: normal, a category"
TEXTS_HELP = "hashed (no weights needed; default), words:FOLDER or transformers:MODEL"
CAMERAS_HELP = "what is one camera: the videos of a folder (default), or each video"
CATEGORIES_HELP = "of anomalies, NAME: WHAT IT LOOKS LIKE a line; default: UCF-Crime's 13"
DEFAULT_KEY = "OPENAI_API_KEY"
KEY_HELP = f"variable that holds the key of --calibrate's endpoint; default {DEFAULT_KEY}"


def add_public(commands: Commands, exit_codes: str) -> None:
    """Declare the command; the help of each action ends with ``exit_codes``."""
    parser = subcommand(commands, "public", PURPOSE, exit_codes)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = subcommand(actions, "add", ADD, exit_codes)
    add.add_argument("folder", type=Path, metavar="DIR", help="with videos in and under it")
    add.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the public set")
    _add_footage(add)
    _add_words(add)
    listing = subcommand(actions, "list", LIST, exit_codes)
    listing.add_argument("folder", type=Path, metavar="FOLDER", help="the public set")
    for each in (add, listing):
        each.add_argument("--format", choices=("text", "json"), default="text")
        each.add_argument("-v", "--verbose", action="store_true", help="log every detail")
        each.set_defaults(module=MODULE)


def _add_footage(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is seen").add_argument
    add("--labels", type=Path, metavar="FILE", help=LABELS_HELP)
    add("--model", type=Path, metavar="FILE", help="of the first round; default: head density")
    add("--detector", type=Path, metavar="FILE", help="as on the hosts; default: motion")
    add("--detector-labels", type=Path, metavar="FILE", help="its classes, one a line")
    add("--classes", metavar="C,C", help="of the federation; default: as the set has them")
    add("--visual", type=Path, metavar="FOLDER", help="backbone; default: the student's features")
    add("--cameras", choices=("folder", "video"), default="folder", help=CAMERAS_HELP)
    add("--analysis-hz", type=_positive, default=5.0, metavar="HZ", help="as on hosts; default 5")
    add("--max-width", type=_count, default=640, metavar="PX", help="as on hosts; default 640")


def _add_words(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is said").add_argument
    add("--captions", type=Path, metavar="FILE", help="JSON: name to caption; or NAME.txt beside")
    add("--captioner", metavar="MODEL", help="transformers:MODEL or openai:URL#MODEL")
    add("--every", type=_positive, default=5.0, metavar="S", help="between frames; default 5")
    add("--frames", type=_count, default=12, metavar="N", help="of a video, at most; default 12")
    add("--calibrate", metavar="openai:URL#MODEL", help="captions that agree with the labels")
    add("--categories", type=Path, metavar="FILE", help=CATEGORIES_HELP)
    add("--describe-again", type=_whole, default=3, metavar="R", help="at most; default 3")
    add("--requests", type=_count, default=40, metavar="N", help="a run, per video; default 40")
    add("--timeout", type=_positive, default=120.0, metavar="S", help="of an answer; default 120")
    add("--api-key-env", default=DEFAULT_KEY, metavar="NAME", help=KEY_HELP)
    add("--captioner-key-env", metavar="NAME", help="likewise of the captioner's; default: none")
    add("--texts", default="hashed", metavar="NETWORK", help=TEXTS_HELP)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text}: at least 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0")
    return number
