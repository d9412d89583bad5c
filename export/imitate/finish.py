"""From a trained network to what a host runs: its graph, its golden pictures, its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edge.domain.boxes import Floats
from edge.features.embedding import Picture
from edge.model.backbone import GRAPH, INPUT, Backbone, BackboneSpec, GoldenClips
from export.backbones.recipe import better_in_floats
from export.imitate.fidelity import Fidelity, fidelity
from export.imitate.lessons import Lesson, taught
from export.imitate.network import Imitator, to_graph
from export.imitate.train import stacked
from export.int8 import quantise_nearest, to_fp16

GOLDEN_PICTURES = 8
CALIBRATION_PICTURES = 100


def make_graph(imitator: Imitator, spec: BackboneSpec, lesson: Lesson) -> bytes:
    """In the precision of ``spec``; 8-bit numbers are calibrated on some of the lesson.

    Raises ModelError where the graph cannot be made so.
    """
    graph = to_graph(imitator, spec.size_px[0])
    if spec.precision == "int8":
        some = _spread(lesson.pictures, CALIBRATION_PICTURES)
        inputs = ({INPUT: spec.prepare(picture)[None]} for picture in some)
        return quantise_nearest(graph, inputs, keep_float=better_in_floats(graph))
    return to_fp16(graph) if spec.precision == "fp16" else graph


def measure(graph: bytes, spec: BackboneSpec, judged: Lesson, mean: Floats) -> Fidelity:
    """How closely the very graph that hosts will run agrees with the teacher on ``judged``."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, GRAPH).write_bytes(graph)
        found = taught(judged.pictures, Backbone(Path(folder), spec, "")).embeddings
    return fidelity(found, judged.embeddings, mean)


def make_golden(imitator: Imitator, spec: BackboneSpec, lesson: Lesson) -> GoldenClips:
    """A few pictures, and what the network in torch makes of them."""
    clips = np.stack([spec.fit(picture) for picture in _spread(lesson.pictures, GOLDEN_PICTURES)])
    with torch.inference_mode():
        embeddings: Floats = imitator.eval()(stacked(list(clips), spec)).numpy()
    return GoldenClips(clips[:, None], embeddings)


def _spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """At most so many of them, evenly spread."""
    places = np.linspace(0, len(pictures) - 1, min(most, len(pictures))).astype(int)
    return [pictures[place] for place in places.tolist()]
