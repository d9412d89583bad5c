"""A backbone's folder out of its original or another folder, at a precision, with proof."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.model.backbone import (
    FILES,
    FORMAT,
    GOLDEN,
    GRAPH,
    INPUT,
    WEIGHTS,
    Agreement,
    Backbone,
    BackboneSpec,
    GoldenClips,
    Precision,
    agreement,
    load_backbone,
    save_backbone,
)
from edge.model.folder import read_files, read_manifest
from export.backbones.clips import Chosen, Clip, fitted
from export.backbones.graph import OPSET, to_onnx
from export.backbones.original import Original, digest, feed
from export.backbones.recipe import better_in_floats
from export.int8 import quantise_nearest, to_fp16

STEPS = 4  # of ``make_backbone``, and of ``remake_backbone``
RUNS = 7  # of each network, in turn: the best is told, for what else a machine does only adds


@dataclass(frozen=True, slots=True, eq=False)
class Floats32:
    """A network in 32-bit floats, and what it is held against in any precision."""

    spec: BackboneSpec
    graph: bytes
    golden: GoldenClips
    licences: Sequence[str]
    provenance: Mapping[str, str | int | float]


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
    origin: dict[str, str | int | float] = {
        "source": original.source,
        WEIGHTS: digest(original.module),
        "opset": OPSET,
    }
    floats = Floats32(
        original.spec,
        to_onnx(original.module, original.spec),
        GoldenClips(shown, original.embed(shown)),
        original.licences,
        {**origin, **provenance},
    )
    step()
    return _finished(floats, folder, precision, clips.ranges, step)


def remake_backbone(
    source: Path,
    folder: Path,
    *,
    ranges: Sequence[Clip],
    precision: Precision,
    provenance: Mapping[str, str | int | float],
    step: Callable[[], object] = lambda: None,
) -> Made:
    """The same network in fewer bits, out of its folder; it is held against the same golden clips.

    Raises ModelError where ``source`` cannot be used or is no 32-bit network, and otherwise as
    `make_backbone` does.
    """
    floats = _read(source)
    step()
    more = replace(floats, provenance={**floats.provenance, **provenance})
    return _finished(more, folder, precision, ranges, step)


def _read(folder: Path) -> Floats32:
    backbone = load_backbone(folder)
    if backbone.spec.precision != "fp32":
        raise ModelError(f"{folder}: is in {backbone.spec.precision} already; name the fp32 one")
    manifest = read_manifest(folder, FORMAT, FILES)
    files = read_files(folder, manifest)
    golden = load(files[GOLDEN])
    return Floats32(
        backbone.spec,
        files[GRAPH],
        GoldenClips(golden["clips"], golden["embeddings"]),
        manifest["licences"],
        manifest["provenance"],
    )


def _finished(
    floats: Floats32,
    folder: Path,
    precision: Precision,
    ranges: Sequence[Clip],
    step: Callable[[], object],
) -> Made:
    graph = _at(precision, floats.graph, (feed(floats.spec, clip) for clip in ranges))
    step()
    made = save_backbone(
        folder,
        replace(floats.spec, precision=precision),
        graph,
        floats.golden,
        licences=floats.licences,
        provenance=floats.provenance,
    )
    step()
    speed_up = 1.0 if precision == "fp32" else _speed_up(floats.graph, made, floats.golden)
    step()
    return Made(made, agreement(made, floats.golden), len(graph), speed_up)


def _at(precision: Precision, floats: bytes, ranges: Iterable[Floats]) -> bytes:
    if precision == "fp16":
        return to_fp16(floats)
    if precision == "int8":
        inputs = ({INPUT: clip[None]} for clip in ranges)
        return quantise_nearest(floats, inputs, keep_float=better_in_floats(floats))
    return floats


def _speed_up(floats: bytes, made: Backbone, golden: GoldenClips) -> float:
    """How many times faster than the 32-bit graph; the two run in turn."""
    clip = np.stack([[made.prepare(picture) for picture in golden.clips[0]]])
    with tempfile.TemporaryDirectory(prefix="vad-backbone-") as folder:
        Path(folder, GRAPH).write_bytes(floats)
        pair = (Backbone(Path(folder), made.spec, ""), made)
        times_s = np.array([[_time_s(each, clip) for each in pair] for _ in range(RUNS)])
    before_s, after_s = times_s.min(axis=0).tolist()
    return float(before_s / after_s)


def _time_s(backbone: Backbone, clip: Floats) -> float:
    begin_s = time.perf_counter()
    backbone.embed(clip)
    return time.perf_counter() - begin_s
