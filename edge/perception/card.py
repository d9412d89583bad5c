"""What a network's file says of itself: input, labels, origin."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from edge.errors import ModelError

INPUT_TYPES: dict[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
DEFAULT_SIDE_PX = 640  # of networks with a free input that do not say what they were trained on


@dataclass(frozen=True, slots=True)
class Card:
    """The facts of a detector network."""

    path: Path
    input_name: str
    input_type: npt.DTypeLike
    output_name: str
    batch: int | None  # pictures per run; None: any number
    canvas: tuple[int, int]  # width and height of the input; of a free one the largest
    free_size: bool
    names: tuple[str, ...] | None  # labels, in Ultralytics' metadata
    from_ultralytics: bool


def read_card(path: Path, session: ort.InferenceSession, side_px: int | None) -> Card:
    """Read the facts; ``side_px`` overrides the longer side of a free input.

    Raises ModelError where the network is no detector of pictures.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, "channels", None):
        raise ModelError(
            f"{path}: takes {[i.shape for i in inputs]}, but a detector takes one batch of"
            " pictures [N, 3, H, W]; export a detection model"
        )
    if inputs[0].type not in INPUT_TYPES:
        raise ModelError(f"{path}: input of {inputs[0].type}; export with float or uint8 input")
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get("task", "detect") != "detect":
        raise ModelError(
            f"{path}: a model for the task {metadata['task']!r}; export one for detection"
        )
    height, width = shape[2:]
    fixed = isinstance(height, int) and isinstance(width, int)
    return Card(
        path=path,
        input_name=inputs[0].name,
        input_type=INPUT_TYPES[inputs[0].type],
        output_name=outputs[0].name,
        batch=shape[0] if isinstance(shape[0], int) else None,
        canvas=(width, height) if fixed else _trained_size(metadata, side_px),
        free_size=not fixed,
        names=_names(metadata),
        from_ultralytics="names" in metadata,
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a text file, one a line.

    Raises ModelError where the file cannot be read or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot read the labels: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise ModelError(f"{path}: no labels; write one a line, in the order of the classes")
    return labels


def _names(metadata: dict[str, str]) -> tuple[str, ...] | None:
    """Ultralytics writes ``{0: 'person', 1: 'bicycle'}``."""
    names = _literal(metadata.get("names", ""))
    if not isinstance(names, dict) or sorted(names) != list(range(len(names))):
        return None
    return tuple(str(names[index]) for index in range(len(names)))


def _trained_size(metadata: dict[str, str], side_px: int | None) -> tuple[int, int]:
    if side_px is not None:
        return side_px, side_px
    match _literal(metadata.get("imgsz", "")):
        case [int(height), int(width)]:
            return width, height
        case int(side):
            return side, side
        case _:
            return DEFAULT_SIDE_PX, DEFAULT_SIDE_PX


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
