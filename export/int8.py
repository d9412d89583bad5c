"""Smaller numbers for networks that are done: 8-bit by static quantisation, and 16-bit floats.

Activations become unsigned 8-bit numbers, weights signed ones per channel, both as
QuantizeLinear/DequantizeLinear pairs that ONNX Runtime and TensorRT fuse into integer kernels.
Other 8-bit forms (signed activations, ranges found at run time) are slower than floats on a CPU.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnx.version_converter
import onnxruntime as ort
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from onnxruntime.transformers.float16 import convert_float_to_float16

from edge.errors import DatasetError, ModelError
from edge.model.runtime import CPU, HALF_BREAKS, RUNTIME_ERRORS

Inputs: TypeAlias = Mapping[str, npt.NDArray[np.float32]]  # of one run, by name

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
BETWEEN = ("Concat", "MaxPool", "Mul", "Resize", "Sigmoid", "Split")
"""Quantised too: between convolutions they would cost conversions to and fro.

Sums stay floats: rounding would add up along residual connections (the embeddings of a ViT-B/32 of
random weights correlate with its 32-bit ones by 0.92 instead of 0.51), and no speed is lost.
"""
LEAST_OPSET = 13  # the first with scales per channel
MODERN_OPSET = 17  # older graphs are converted to it


def quantise(
    graph: bytes,
    inputs: Iterable[Inputs],
    *,
    keep_float: Collection[str] = (),
    widest: bool = False,
) -> bytes:
    """An ONNX graph in 8-bit numbers; its inputs and outputs keep their types.

    ``inputs`` are what the network is fed with on typical footage, best one picture at a time: the
    8-bit range of a tensor is the mean of its extremes over them, so that one odd picture does not
    coarsen all others, or the ``widest`` that any of them needs. ``keep_float`` are names of nodes
    that are left as they are; layers among them must not lie between 8-bit ones.

    Raises ModelError where the graph is corrupt, of an unknown opset or cannot be quantised so, and
    DatasetError where there are no inputs.
    """
    model = _parsed(graph)
    _check_names(model, keep_float)
    with tempfile.TemporaryDirectory(prefix="vad-int8-") as folder, _refusals():
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(_prepared(model, before), before)
        with _quiet():
            quantize_static(
                str(before),
                str(after),
                _Reader(_at_least_one(inputs)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*WEIGHTED, *BETWEEN],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=list(keep_float),
                extra_options={"CalibMovingAverage": not widest},
            )
        made = onnx.load(after)
        _check_kept(made)
        return _finished(made, model)


def quantise_nearest(
    graph: bytes, inputs: Iterable[Inputs], *, keep_float: Collection[str] = ()
) -> bytes:
    """The one of the two 8-bit forms whose embeddings (N, d) of the ``inputs`` are nearer.

    Which it is depends on the network and on what it is shown: crops of objects differ more in
    contrast than whole pictures do, and means of extremes cut the best of them off. A small tower
    on crops: deviations of 0.05 standard deviations instead of 0.22. Raises as `quantise` does.
    """
    shown = list(inputs)
    wanted = _outputs(graph, shown)
    made = [quantise(graph, shown, keep_float=keep_float, widest=each) for each in (False, True)]
    spread = wanted.std(axis=0) + np.finfo(np.float32).tiny
    lengths = np.linalg.norm((wanted - wanted.mean(axis=0)) / spread, axis=1)

    def deviation(quantised: bytes) -> float:
        apart = np.linalg.norm((_outputs(quantised, shown) - wanted) / spread, axis=1)
        return float((apart / (lengths + 1)).mean())  # relative: an odd picture counts as any other

    return min(made, key=deviation)


def to_fp16(graph: bytes) -> bytes:
    """An ONNX graph in 16-bit floats; its inputs and outputs keep their types.

    Raises ModelError where the graph is corrupt or cannot be converted.
    """
    model = _parsed(graph)
    with _refusals():
        halved = convert_float_to_float16(_parsed(graph), keep_io_types=True)
        return _finished(halved, model, half=True)


def last_layers(graph: bytes) -> frozenset[str]:
    """Names of the last layers with weights, and of all nodes behind them.

    In a detector these are the predictions of each grid and what makes boxes of them: pixels,
    logits and confidences in one tensor, which no single 8-bit range suits. A convolution with a
    single output channel counts as decoding: it is the mean over a distribution in YOLO v8 and 11.

    Raises ModelError where the graph is corrupt.
    """
    network = _parsed(graph).graph
    widths = {weight.name: max(weight.dims[:1], default=0) for weight in network.initializer}
    leads_to_weights: set[str] = set()  # tensors
    last = []
    for node in reversed(network.node):
        weighted = node.op_type in WEIGHTED and widths.get(node.input[1], 0) > 1
        before_weights = not leads_to_weights.isdisjoint(node.output)
        if weighted or before_weights:
            leads_to_weights.update(node.input)
        if not before_weights:
            last.append(node.name)
    return frozenset(last)


def _outputs(graph: bytes, inputs: Iterable[Inputs]) -> npt.NDArray[np.float32]:
    """What the network makes of them, (N, d)."""
    session = _session(graph)
    return np.concatenate([session.run(None, dict(each))[0] for each in inputs])


def _session(graph: bytes, *, half: bool = False) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    left_out = list(HALF_BREAKS) if half else []
    return ort.InferenceSession(graph, options, providers=[CPU], disabled_optimizers=left_out)


class _Reader:
    """ONNX Runtime's idea of an iterator."""

    def __init__(self, inputs: Iterator[Inputs]) -> None:
        self._inputs = inputs

    def get_next(self) -> Inputs | None:
        return next(self._inputs, None)


def _at_least_one(inputs: Iterable[Inputs]) -> Iterator[Inputs]:
    iterator = iter(inputs)
    for first in iterator:
        return itertools.chain([first], iterator)
    raise DatasetError("no pictures to calibrate the 8-bit network on; name footage with some")


def _parsed(graph: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_from_string(graph)
    except DecodeError as error:
        raise ModelError(f"not a complete ONNX graph ({error}); export or copy it again") from error
    if not model.graph.node:
        raise ModelError("an ONNX graph without a node; export it again")
    return model


def _check_names(model: onnx.ModelProto, keep_float: Collection[str]) -> None:
    if unknown := set(keep_float) - {node.name for node in model.graph.node}:
        raise ModelError(f"nodes that are to stay floats are not in the graph: {sorted(unknown)}")
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        raise ModelError("the graph is in 8-bit numbers already; start from the 32-bit one")


def _check_kept(made: onnx.ModelProto) -> None:
    """A float layer between 8-bit tensors gets 8-bit weights when ONNX Runtime loads the graph.

    They have one scale where the channels differ: a detector lost nearly all its boxes.
    """
    made_by = {output: node.op_type for node in made.graph.node for output in node.output}
    read_by: dict[str, set[str]] = defaultdict(set)
    for node in made.graph.node:
        for tensor in node.input:
            read_by[tensor].add(node.op_type)
    for node in made.graph.node:
        if (
            node.op_type in WEIGHTED
            and made_by.get(node.input[0]) == "DequantizeLinear"
            and made_by.get(node.input[1]) is None
            and read_by[node.output[0]] == {"QuantizeLinear"}
        ):
            raise ModelError(
                f"the node {node.name} cannot stay a float between 8-bit ones; keep all nodes"
                " behind it floats, too, or let it go"
            )


def _prepared(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """Constants folded, batch normalisation in its convolution, all shapes known."""
    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    if 0 < opset < LEAST_OPSET:
        model = onnx.version_converter.convert_version(model, MODERN_OPSET)
    options = ort.SessionOptions()
    options.log_severity_level = 3  # an error is an exception already
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(scratch)
    ort.InferenceSession(model.SerializeToString(), options, providers=[CPU])
    prepared = onnx.shape_inference.infer_shapes(onnx.load(scratch))
    add_pre_process_metadata(prepared)  # or the quantiser asks for all this
    return prepared


def _finished(made: onnx.ModelProto, original: onnx.ModelProto, *, half: bool = False) -> bytes:
    """The graph as bytes, with the original's metadata, once a session has taken it."""
    del made.metadata_props[:]
    made.metadata_props.extend(original.metadata_props)
    graph = bytes(made.SerializeToString())
    _session(graph, half=half)
    return graph


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the quantiser prints, and what it logs in nobody's name."""
    root = logging.getLogger()

    def is_an_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    root.addFilter(is_an_error)  # hears what is logged through the root itself, no other logger
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.removeFilter(is_an_error)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What onnx and ONNX Runtime raise for a graph that they cannot handle, as ModelError."""
    try:
        yield
    except (*RUNTIME_ERRORS, RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"the graph cannot be converted ({reason}); export it again, in an opset of"
            f" {LEAST_OPSET} or later, and check that the inputs are its own"
        ) from error
