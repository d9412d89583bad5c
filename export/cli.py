"""``vad-export``: the command line for whoever makes students and what they look through."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.terminal import carry_out
from export.dakd.options import TABLES, DistilOptions, TeacherOptions

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
    _add_backbone(commands)
    _add_text(commands)
    _add_extract(commands)
    _add_imitate(commands)
    _add_detector(commands)
    _add_teacher(commands)
    _add_distil(commands)
    _add_ablate(commands)
    _add_words(commands)
    _add_tfc(commands)
    _add_words_tiny(commands)
    _add_onnx(commands)
    _add_verify(commands)
    _add_bench(commands)
    _add_tensorrt(commands)
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


def _add_footage(parser: argparse.ArgumentParser) -> None:
    """How footage is looked at; the defaults of width and view are a camera host's."""
    parser.add_argument(
        "--view",
        choices=("picture", "objects"),
        default="picture",
        help="the whole picture, or what is followed in it (networks of clips: always the picture)",
    )
    _add_viewing(parser)


def _add_viewing(parser: argparse.ArgumentParser) -> None:
    """The same where it is known what is looked at."""
    parser.add_argument(
        "--analysis-hz", type=_positive, default=10.0, help="frames looked at a second"
    )
    parser.add_argument(
        "--max-width", type=_count, default=640, metavar="PX", help="of an analysed frame"
    )
    parser.add_argument(
        "--detector", type=Path, metavar="ONNX", help="finds objects; default: whatever moves"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text}: from 0 to 1")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def _add_backbone(commands: Commands) -> None:
    purpose = "a network of open_clip, timm or torchvision as a backbone's folder"
    parser = _add(commands, "backbone", purpose)
    parser.add_argument(
        "name", metavar="NAME", help="ViT-B-32, MobileCLIP2-S0, mobilenetv3_small_100, s3d, …"
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


def _add_text(commands: Commands) -> None:
    purpose = "words into embeddings, as data: a host that compares them needs no text network"
    parser = _add(commands, "text", purpose)
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
    parser.add_argument("--seed", type=int, default=0, help="of random weights")


def _add_words(commands: Commands) -> None:
    purpose = "CLIP's towers as a word model: crops and sentences that a host can compare"
    parser = _add(commands, "words", purpose)
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
    parser = _add(commands, "tfc", purpose)
    parser.add_argument(
        "--clips", type=Path, required=True, metavar="ROOT", help="one folder for each action"
    )
    parser.add_argument("--words", type=Path, required=True, metavar="FOLDER", help="a word model")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--work", type=Path, metavar="FOLDER", help="embedded clips; default: OUT.work"
    )
    parser.add_argument("--seed", type=int, default=0)
    _add_viewing(parser)
    group = parser.add_argument_group("constants of the paper, or ours where it names none")
    group.add_argument(
        "--alpha", type=_share, default=0.7, help="of the temporal part in a feature"
    )
    group.add_argument("--sigma", type=_positive, default=0.1, help="temperature of the softmax")
    group.add_argument("--learning-rate", type=_positive, default=7e-4, metavar="X")
    group.add_argument("--batch", type=_count, default=512)
    group.add_argument("--steps", type=_count, default=2000, help="ours: the paper names none")
    group.add_argument("--layers", type=_count, default=2, help="ours")
    group.add_argument("--heads", type=_count, default=4, help="ours")


def _add_words_tiny(commands: Commands) -> None:
    purpose = "train a small word model of our own on generated streets; goes on where it stopped"
    parser = _add(commands, "words-tiny", purpose)
    parser.set_defaults(module="export.commands.words_tiny")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="tubes of crops and where training stands; default: OUT.work",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--streets", type=_count, default=12, metavar="N", help="of each kind, to learn from"
    )
    parser.add_argument("--steps", type=_count, default=1200, help="of the two towers")
    parser.add_argument("--batch", type=_count, default=96, help="of the two towers")
    parser.add_argument("--tfc-steps", type=_count, default=400, help="of the temporal part")


def _add_extract(commands: Commands) -> None:
    purpose = "videos into segment features, one folder for each backbone; goes on where it stopped"
    parser = _add(commands, "extract", purpose)
    parser.add_argument(
        "--videos",
        type=Path,
        required=True,
        metavar="ROOT",
        help="video/{train,test} and annotations, or any folder of videos",
    )
    parser.add_argument(
        "--backbones",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="backbones, and the word descriptors for what every host measures without a network",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _add_footage(parser)
    parser.add_argument("--backend", choices=("processes", "ray"), default="processes")
    parser.add_argument(
        "--workers", type=_count, metavar="N", help="processes; default: one for each core"
    )


def _add_imitate(commands: Commands) -> None:
    purpose = "train a small backbone to give a large one's embeddings, on unlabelled footage"
    parser = _add(commands, "imitate", purpose)
    parser.add_argument("--teacher", type=Path, required=True, metavar="FOLDER", help="a backbone")
    parser.add_argument(
        "--footage",
        type=Path,
        required=True,
        metavar="PATH",
        help="several videos; of video/{train,test} only the former",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--student", default="mobilenetv3_small_100", metavar="NAME", help="a network of timm"
    )
    parser.add_argument(
        "--pretrained",
        metavar="TAG|FILE",
        help="weights to begin with: a tag of timm, which downloads, or a file; default: random",
    )
    parser.add_argument("--size-px", type=_count, default=224, help="side of the student's input")
    parser.add_argument("--epochs", type=_count, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--pictures", type=_count, default=4000, metavar="N", help="at most, that the teacher sees"
    )
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="what the teacher said and where training stands; default: OUT.work",
    )
    _add_footage(parser)


def _add_detector(commands: Commands) -> None:
    parser = _add(commands, "detector", "an Ultralytics checkpoint as the ONNX file of a host")
    parser.add_argument(
        "model",
        metavar="yolo11n|yolov8n|yolo26n|PATH.pt",
        help="NAME: the file NAME.pt in this folder; load checkpoints only of people you trust",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--size", type=_count, default=640, metavar="PX", help="longest side")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="PATH",
        help="footage of your cameras, a file or a folder: 8-bit ranges are found on it, and"
        " export and original are compared on it (else on a street that is drawn)",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--download", action="store_true", help="let Ultralytics fetch NAME.pt")
    weights.add_argument("--random", action="store_true", help="untrained weights, to try it out")


def _add_teacher(commands: Commands) -> None:
    purpose = "train a teacher that sees through several backbones, by video labels alone"
    parser = _add(commands, "teacher", purpose)
    parser.add_argument("--backbones", type=_names, required=True, metavar="A,B,C")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _add_seen(parser)
    _add_constants(parser, TeacherOptions)


def _add_distil(commands: Commands) -> None:
    parser = _add(commands, "distil", "train a student of one backbone by what a teacher says")
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


def _add_ablate(commands: Commands) -> None:
    purpose = "train the method without each of its parts, over several seeds, and compare"
    parser = _add(commands, "ablate", purpose)
    parser.add_argument("--backbones", type=_names, required=True, metavar="A,B,C")
    parser.add_argument("--student", required=True, metavar="B", help="the backbone that it sees")
    parser.add_argument("--seeds", type=_count, default=5, metavar="N", help="from --seed on")
    parser.add_argument(
        "--rows", type=_names, default=list(TABLES), metavar="TABLE,...", help=", ".join(TABLES)
    )
    _add_seen(parser)
    _add_constants(parser, DistilOptions)


def _add_seen(parser: argparse.ArgumentParser) -> None:
    """What the networks of a stage see, and how large they are."""
    parser.add_argument(
        "--features",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="of vad-export extract: one folder for each backbone",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--window", type=_count, default=32, help="segments that are seen live")
    parser.add_argument("--hidden", type=_count, default=512, help="half the attention's width")
    parser.add_argument("--attention-heads", type=_count, default=8)
    parser.add_argument("--reach", type=_count, default=25, help="largest relative distance, k")


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


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names:
        raise argparse.ArgumentTypeError("name at least one")
    return names


def _add_onnx(commands: Commands) -> None:
    purpose = "a distilled student as the folder that a camera host runs, once it scores the same"
    parser = _add(commands, "onnx", purpose)
    parser.add_argument("training", type=Path, metavar="TRAINING", help="what distil wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--backbone",
        type=Path,
        metavar="FOLDER",
        help="that it looks through; default: none, it reads the descriptors",
    )
    parser.add_argument(
        "--view", choices=("picture", "objects"), help="of --backbone; default: picture"
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="ROOT",
        help="what extract wrote: checked, and golden segments are taken from it; default: drawn",
    )
    _add_key(parser)


def _add_verify(commands: Commands) -> None:
    purpose = "hold an export against torch on every provider there is, and note it in the manifest"
    parser = _add(commands, "verify", purpose)
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
    _add_viewing(parser)


def _add_bench(commands: Commands) -> None:
    purpose = "milliseconds of an export's parts on one thread of this machine"
    parser = _add(commands, "bench", purpose)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what onnx wrote")
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="another export, timed in turn"
    )
    parser.add_argument(
        "--objects", type=_count, default=3, metavar="N", help="followed in a frame (view objects)"
    )
    parser.add_argument("--rounds", type=_count, default=30, metavar="N")


def _add_tensorrt(commands: Commands) -> None:
    purpose = "build TensorRT engines for this machine's GPU, kept beside the networks"
    parser = _add(commands, "tensorrt", purpose)
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


if __name__ == "__main__":
    sys.exit(main())
