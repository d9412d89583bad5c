"""Which networks get an engine, and the shapes in which a camera host will run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError
from edge.model import artifact as student_layout
from edge.model import backbone as backbone_layout
from edge.model.artifact import Artifact, load_artifact
from edge.model.backbone import Backbone, load_backbone
from edge.model.engine_cache import Shapes
from edge.model.folder import MANIFEST, read_manifest
from edge.model.runtime import CPU, open_session
from edge.model.session import INPUT as SEGMENTS
from edge.perception.card import read_card
from edge.perception.network import LARGEST_BATCH, STRIDE_PX

MOST_SEQUENCES, LEAST_LONGEST = 8, 64  # of a student, in one run; verification needs so many


@dataclass(frozen=True, slots=True)
class Job:
    """One network that is to get an engine."""

    model: Path
    inputs: Mapping[str, Shapes]
    exact: bool = False  # never in 16-bit floats: its scores are compared number by number


def jobs_of(path: Path) -> list[Job]:
    """The networks of a student's or a backbone's folder, or a detector's file.

    A file that belongs to a folder stands for the folder. Raises ModelError where there is no
    such thing, or it cannot be used.
    """
    if path.suffix == ".onnx" and not path.with_name(MANIFEST).is_file():
        return [_of_detector(path)]
    folder = path.parent if path.suffix == ".onnx" else path
    if _is_backbone(folder):
        return [_of_backbone(load_backbone(folder))]
    artifact = load_artifact(folder)
    seen = [_of_backbone(artifact.eyes.backbone)] if artifact.eyes else []
    return [_of_student(folder, artifact), *seen]


def _is_backbone(folder: Path) -> bool:
    try:
        read_manifest(folder, backbone_layout.FORMAT, backbone_layout.FILES)
    except ModelError:
        return False
    return True


def _of_student(folder: Path, artifact: Artifact) -> Job:
    spec = artifact.spec
    longest = max(LEAST_LONGEST, 2 * spec.window + 1)
    shapes = [(1, 1), (1, spec.window), (MOST_SEQUENCES, longest)]
    least, usual, most = ((*shape, spec.inputs) for shape in shapes)
    return Job(folder / student_layout.GRAPH, {SEGMENTS: Shapes(least, usual, most)}, exact=True)


def _of_backbone(backbone: Backbone) -> Job:
    spec = backbone.spec
    clip = (3, *((spec.frames,) if spec.frames > 1 else ()), *spec.size_px)
    shapes = Shapes((1, *clip), (1, *clip), (backbone_layout.AT_ONCE, *clip))
    return Job(backbone.folder / backbone_layout.GRAPH, {backbone_layout.INPUT: shapes})


def _of_detector(path: Path) -> Job:
    """A free batch has up to LARGEST_BATCH pictures, free sides are multiples of STRIDE_PX."""
    session = open_session(path, only=CPU)
    card = read_card(path, session, None)
    written = session.get_inputs()[0].shape
    width, height = card.canvas
    least, usual, most = (
        _fixed(written, free)
        for free in (
            (1, 3, STRIDE_PX, STRIDE_PX),
            (1, 3, height, width),
            (LARGEST_BATCH, 3, height, width),
        )
    )
    return Job(path, {card.input_name: Shapes(least, usual, most)})


def _fixed(written: Sequence[int | str | None], free: Sequence[int]) -> tuple[int, ...]:
    """A shape whose free dimensions are given."""
    pairs = zip(written, free, strict=True)
    return tuple(size if isinstance(size, int) else given for size, given in pairs)
