"""Arguments of the commands that look at footage, or make what looks at it."""

from __future__ import annotations

from pathlib import Path

from edge.terminal import Commands
from export.arguments.common import add_command, add_footage, count, seed

LABELLED = """\
A teacher needs normal and abnormal training videos: all of them in video/train, or in and under
any folder, and beside it annotations/train_video_labels.json: {"NAME": 0 (normal) or 1, ...}.
Clips that judge it, in video/test with annotations/test_frame_labels.json, may be left out."""


def add_extract(commands: Commands) -> None:
    """``vad-export extract``."""
    purpose = "videos into segment features, one folder for each backbone; goes on where it stopped"
    parser = add_command(commands, "extract", purpose, LABELLED)
    parser.add_argument(
        "--videos",
        type=Path,
        required=True,
        metavar="ROOT",
        help="video/{train,test} and annotations, or any folder of training videos",
    )
    parser.add_argument(
        "--backbones",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="backbones, and the word descriptors for what every host measures without a network",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    add_footage(parser)
    parser.add_argument("--backend", choices=("processes", "ray"), default="processes")
    parser.add_argument(
        "--workers", type=count, metavar="N", help="processes; default: one for each core"
    )


def add_imitate(commands: Commands) -> None:
    """``vad-export imitate``."""
    purpose = "train a small backbone to give a large one's embeddings, on unlabelled footage"
    parser = add_command(commands, "imitate", purpose)
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
    parser.add_argument("--size-px", type=count, default=224, help="side of the student's input")
    parser.add_argument("--epochs", type=count, default=30)
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument(
        "--pictures", type=count, default=4000, metavar="N", help="at most, that the teacher sees"
    )
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="what the teacher said and where training stands; default: OUT.work",
    )
    add_footage(parser)


def add_detector(commands: Commands) -> None:
    """``vad-export detector``."""
    parser = add_command(
        commands, "detector", "an Ultralytics checkpoint as the ONNX file of a host"
    )
    parser.add_argument(
        "model",
        metavar="yolo11n|yolov8n|yolo26n|PATH.pt",
        help="NAME: the file NAME.pt in this folder; load checkpoints only of people you trust",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--size", type=count, default=640, metavar="PX", help="longest side")
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
