"""A student's graph in ONNX: by torch's exporter, with its values taken out.

Needs torch and onnx; what it writes is run without either (``edge.model.session``).
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from safetensors.numpy import save

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import ModelError
from edge.model.artifact import OPSET, WEIGHTS, Artifact, Golden
from edge.model.session import INPUT, PENULTIMATES, SCORES
from edge.model.spec import StudentSpec
from edge.model.student import make_student, predict, weights_of

BATCH_AND_LENGTH = {0: "B", 1: "L"}


def make_artifact(
    spec: StudentSpec,
    weights: Weights,
    *,
    spec_versions: Sequence[str],
    golden_x: Floats,
    provenance: Mapping[str, str | int | float],
) -> Artifact:
    """All that the folder holds; torch scores ``golden_x`` (B, L, d) for the golden check."""
    golden = Golden(golden_x, predict(spec, weights, golden_x))
    graph = export_student(spec)
    return Artifact(spec, tuple(spec_versions), graph, dict(weights), golden, provenance)


def export_student(spec: StudentSpec) -> bytes:
    """The graph of a student: B and L are free, initialisers bear the state-dict names.

    Their values are external: in ``weights.safetensors`` beside the graph, sorted by name and
    without metadata, where each offset follows from the shapes alone. So one graph serves all
    weights of a specification. Raises ModelError where the exporter renamed or folded a weight.
    """
    student = make_student(spec, seed=0).eval()
    _make_distinct(student)
    graph = onnx.load_from_string(_traced(student, torch.zeros(2, spec.window + 1, spec.inputs)))
    weights = weights_of(student)
    offsets = _offsets(save({name: weights[name] for name in sorted(weights)}))
    named = {initialiser.name for initialiser in graph.graph.initializer}
    if named != set(weights):
        raise ModelError(f"export: initialisers differ: {sorted(named ^ set(weights))}")
    for initialiser in graph.graph.initializer:
        _make_external(initialiser, *offsets[initialiser.name])
    return bytes(graph.SerializeToString())


def _make_distinct(student: torch.nn.Module) -> None:
    """The exporter merges parameters of equal values, as new biases are, under one name."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for parameter in student.parameters():
            parameter.normal_()


def _traced(student: torch.nn.Module, x: torch.Tensor) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder, "student.onnx")
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter that needs onnx alone
        torch.onnx.export(
            student,
            (x,),
            path,
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,  # folding would rename what it folds
            input_names=[INPUT],
            output_names=[SCORES, PENULTIMATES],
            dynamic_axes=dict.fromkeys((INPUT, SCORES, PENULTIMATES), BATCH_AND_LENGTH),
        )
        return path.read_bytes()


def _offsets(payload: bytes) -> dict[str, tuple[int, int]]:
    """Begin and length in bytes of every array in a safetensors file."""
    start = 8 + int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8:start])
    spans = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: (start + begin, end - begin) for name, (begin, end) in spans.items()}


def _make_external(initialiser: onnx.TensorProto, offset: int, length: int) -> None:
    initialiser.ClearField("raw_data")
    initialiser.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": WEIGHTS, "offset": offset, "length": length}.items():
        initialiser.external_data.add(key=key, value=str(value))
