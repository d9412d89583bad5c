"""From a detector in torch to an ONNX file that the host loads, with proof."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from edge.atomic import write_atomically
from edge.errors import ConfigError, ModelError
from edge.perception.detector import Picture
from edge.perception.layouts import Layout
from edge.perception.network import STRIDE_PX
from export.detectors.original import Original
from export.detectors.parity import Parity, blobs, compare
from export.int8 import last_layers, quantise, to_fp16

PRECISIONS = ("fp32", "fp16", "int8")
HELD_BACK = 5  # every fifth picture is not calibrated on, and shows what came of it
LICENCE = "AGPL-3.0"
LICENCE_NOTE = (
    "AGPL-3.0: architecture and weights are of Ultralytics or trained with it. Whoever gives this"
    " file to others, or lets them use it over a network, owes them the source of the whole work,"
    " or needs Ultralytics' enterprise licence."
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A detector that was written."""

    path: Path
    layout: Layout
    labels: tuple[str, ...]
    parity: Parity


def export_detector(
    original: Original,
    path: Path,
    *,
    pictures: Sequence[Picture],
    size_px: int,
    precision: str,
    labels: tuple[str, ...] | None = None,
) -> Exported:
    """Write the detector to ``path``, if it passes the comparison on ``pictures`` (H, W, 3).

    ``labels`` replace the checkpoint's own. An 8-bit network is calibrated on four fifths of the
    pictures and compared on the rest, any other is compared on all.

    Raises ConfigError for a size that no YOLO takes, ModelError where the labels do not fit or the
    export differs from the original, DatasetError where there are too few pictures.
    """
    if size_px < STRIDE_PX or size_px % STRIDE_PX:
        raise ConfigError(f"a size of {size_px} px: it must be a multiple of {STRIDE_PX}")
    names = _checked(original, labels)
    graph = original.to_onnx(size_px)
    if precision == "fp16":
        graph = to_fp16(graph)
    if precision == "int8":
        taught = [p for number, p in enumerate(pictures) if number % HELD_BACK]
        feeds = ({"images": blob} for _, blob in blobs(taught, size_px))
        graph = quantise(graph, feeds, keep_float=last_layers(graph))
        pictures = pictures[::HELD_BACK]
    graph = _described(graph, names, precision)
    parity = _compared(original, graph, pictures, size_px)
    parity.check(precision)
    write_atomically(path, graph)
    return Exported(path, Layout.ULTRALYTICS, names, parity)


def _compared(
    original: Original, graph: bytes, pictures: Sequence[Picture], size_px: int
) -> Parity:
    with tempfile.TemporaryDirectory(prefix="vad-detector-") as folder:
        candidate = Path(folder, "detector.onnx")
        candidate.write_bytes(graph)
        return compare(original, candidate, pictures, size_px)


def _checked(original: Original, labels: tuple[str, ...] | None) -> tuple[str, ...]:
    """The labels to write: a file may translate the checkpoint's, not move them about."""
    own = original.labels
    if labels is None or labels == own:
        return own
    if len(labels) != len(own):
        raise ModelError(
            f"{original.name}: tells {len(own)} classes apart, but the file of labels has"
            f" {len(labels)}; use the labels that the model was trained with"
        )
    if sorted(labels) == sorted(own):
        raise ModelError(
            f"{original.name}: the file has its labels in another order; every box would be named"
            " wrongly: leave the file out"
        )
    return labels


def _described(graph: bytes, labels: tuple[str, ...], precision: str) -> bytes:
    """The graph with labels, precision and licence in its metadata."""
    model = onnx.load_from_string(graph)
    _set(
        model,
        {
            "names": str(dict(enumerate(labels))),
            "precision": precision,
            "licence_note": LICENCE_NOTE,
        },
    )
    return bytes(model.SerializeToString())


def _set(model: onnx.ModelProto, facts: Mapping[str, str]) -> None:
    kept = [entry for entry in model.metadata_props if entry.key not in facts]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
