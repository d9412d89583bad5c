"""A backbone's folder out of its original, at a precision, with proof."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.model.backbone import (
    GRAPH,
    INPUT,
    WEIGHTS,
    Agreement,
    Backbone,
    GoldenClips,
    Precision,
    agreement,
    save_backbone,
)
from export.backbones.clips import Chosen, fitted
from export.backbones.graph import OPSET, to_onnx
from export.backbones.original import Original, digest, feed
from export.backbones.recipe import better_in_floats
from export.int8 import quantise, to_fp16

STEPS = 4  # of ``make_backbone``
RUNS = 7  # of each network, in turn: the median is told


@dataclass(frozen=True, slots=True)
class Made:
    """A backbone that has passed, and how it did."""

    backbone: Backbone
    agreement: Agreement  # with the original, on the golden clips
    graph_bytes: int
    speed_up: float  # over 32-bit floats, of one clip on one thread, in the same minute


def make_backbone(
    original: Original,
    folder: Path,
    *,
    clips: Chosen,
    precision: Precision = "fp32",
    provenance: Mapping[str, str | int | float],
    step: Callable[[], object] = lambda: None,
) -> Made:
    """Export, make smaller, hold against the original, write; ``step`` is called ``STEPS`` times.

    The golden clips judge it, now and whenever it is loaded.

    Raises ModelError where it cannot be exported or misses the embeddings of the original by more
    than its precision allows, StorageError where it cannot be written.
    """
    shown = fitted(original.spec, clips.golden)
    golden = GoldenClips(shown, original.embed(shown))
    floats = to_onnx(original.module, original.spec)
    step()
    graph = _at(precision, floats, (feed(original.spec, clip) for clip in clips.ranges))
    step()
    spec = replace(original.spec, precision=precision)
    origin: dict[str, str | int] = {
        "source": original.source,
        WEIGHTS: digest(original.module),
        "opset": OPSET,
    }
    made = save_backbone(
        folder,
        spec,
        graph,
        golden,
        licences=original.licences,
        provenance={**origin, **provenance},
    )
    step()
    speed_up = 1.0 if precision == "fp32" else _speed_up(floats, made, golden)
    step()
    return Made(made, agreement(made, golden), len(graph), speed_up)


def _at(precision: Precision, floats: bytes, ranges: Iterable[Floats]) -> bytes:
    if precision == "fp16":
        return to_fp16(floats)
    if precision == "int8":
        inputs = ({INPUT: clip[None]} for clip in ranges)
        return quantise(floats, inputs, keep_float=better_in_floats(floats))
    return floats


def _speed_up(floats: bytes, made: Backbone, golden: GoldenClips) -> float:
    """How many times faster than the 32-bit graph; the two run in turn."""
    clip = np.stack([[made.prepare(picture) for picture in golden.clips[0]]])
    with tempfile.TemporaryDirectory(prefix="vad-backbone-") as folder:
        Path(folder, GRAPH).write_bytes(floats)
        pair = (Backbone(Path(folder), made.spec, ""), made)
        times_s = np.array([[_time_s(each, clip) for each in pair] for _ in range(RUNS)])
    before_s, after_s = np.median(times_s, axis=0).tolist()
    return float(before_s / after_s)


def _time_s(backbone: Backbone, clip: Floats) -> float:
    begin_s = time.perf_counter()
    backbone.embed(clip)
    return time.perf_counter() - begin_s
