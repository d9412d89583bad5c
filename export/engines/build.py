"""Build an engine, hold it against the CPU, and only then declare it usable.

ONNX Runtime's TensorRT provider builds one when a session with explicit shapes is made, which
takes minutes, and finds it again under the same options. The same network as a file of its own,
``model.plan``, is made by the ``tensorrt`` package where that is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from edge.atomic import refused, write_atomically
from edge.errors import ModelError, VadError
from edge.model.engine_cache import (
    CUDA_LIBRARY,
    STANDALONE,
    TENSORRT,
    TENSORRT_LIBRARY,
    Device,
    Plan,
    engine_folder,
    find_device,
    save_plan,
)
from edge.model.runtime import CPU, CUDA, RUNTIME_ERRORS, lacking, open_session, session_on
from edge.perception.card import INPUT_TYPES
from export.engines.networks import Job

REMEDIES = {
    CUDA_LIBRARY: "build on the machine that has the GPU, with NVIDIA's driver installed",
    TENSORRT_LIBRARY: "pip install 'tensorrt-cu13>=10,<11'",
}
LEAST_COSINE = 0.99  # between an engine's outputs and the CPU's
QUANTISED = "QuantizeLinear"
SEED = 0

Feed: TypeAlias = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Built:
    """One engine."""

    model: Path
    folder: Path
    least_cosine: float  # between its outputs and the CPU's, on drawn input of the usual shape
    standalone: bool  # whether there is a file for TensorRT by itself, too


def check_machine() -> Device:
    """The GPU to build for; raises VadError that says what is missing, and the remedy."""
    missing = lacking(TENSORRT)
    if missing is not None:
        remedies = [remedy for library, remedy in REMEDIES.items() if library in missing]
        remedy = "; ".join(remedies) or "install onnxruntime-gpu"
        raise VadError(f"no TensorRT engine can be built here: {missing}: {remedy}")
    device = find_device()
    if device is None:
        raise VadError("no TensorRT engine can be built here: no CUDA GPU answers: see nvidia-smi")
    return device


def build(job: Job, device: Device, *, fp16: bool) -> Built:
    """Build the engines of one network, anew where there are some; ``fp16``: where it may be.

    Raises ModelError where TensorRT does not take it or computes something else, StorageError.
    """
    plan = Plan(job.inputs, fp16=fp16 and not job.exact, int8=_is_quantised(job.model))
    folder = engine_folder(job.model, device)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise refused(folder, error) from error
    session = session_on(job.model, [(TENSORRT, plan.options(folder)), CUDA, CPU])
    if session.get_providers()[0] != TENSORRT:
        raise ModelError(f"{job.model}: TensorRT did not start; its own message is above")
    cosine = _least_cosine(session, job)
    if not any(folder.glob("*.engine")):
        raise ModelError(f"{job.model}: TensorRT took no part of it; export it again in fp32")
    standalone = _build_standalone(job, plan, folder / STANDALONE)
    save_plan(folder, plan)
    return Built(job.model, folder, cosine, standalone)


def _least_cosine(session: ort.InferenceSession, job: Job) -> float:
    """Raises ModelError where the engine's outputs are not the CPU's."""
    reference = open_session(job.model, only=CPU)
    feed = _drawn(reference, job)
    try:
        pairs = zip(session.run(None, feed), reference.run(None, feed), strict=True)
        least = min(_cosine(found, wanted) for found, wanted in pairs)
    except RUNTIME_ERRORS as error:
        raise ModelError(f"{job.model}: does not run ({str(error).splitlines()[0]})") from error
    if not least >= LEAST_COSINE:
        raise ModelError(
            f"{job.model}: TensorRT's outputs meet the CPU's to a cosine of {least:.4f} only, "
            f"{LEAST_COSINE} is asked: nothing was kept; build without --fp16, or export in fp32"
        )
    return least


def _drawn(session: ort.InferenceSession, job: Job) -> Feed:
    rng = np.random.default_rng(SEED)
    feed = {}
    for entry in session.get_inputs():
        drawn = rng.uniform(0, 1, job.inputs[entry.name].usual)
        kind = np.dtype(INPUT_TYPES[entry.type])
        feed[entry.name] = (255 * drawn if kind == np.uint8 else drawn).astype(kind)
    return feed


def _cosine(found: npt.NDArray[np.generic], wanted: npt.NDArray[np.generic]) -> float:
    a, b = (np.asarray(values, np.float64).ravel() for values in (found, wanted))
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), np.finfo(np.float64).tiny))


def _build_standalone(job: Job, plan: Plan, path: Path) -> bool:
    """Whether the ``tensorrt`` package is there to build it; raises ModelError where it fails."""
    if importlib.util.find_spec("tensorrt") is None:
        return False
    trt: Any = importlib.import_module("tensorrt")
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(job.model)):
        reasons = [parser.get_error(number).desc() for number in range(parser.num_errors)]
        raise ModelError(f"{job.model}: TensorRT does not take it: {'; '.join(reasons)}")
    profile = builder.create_optimization_profile()
    for name, shapes in plan.inputs.items():
        profile.set_shape(name, shapes.least, shapes.usual, shapes.most)
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    for wanted, flag in ((plan.fp16, "FP16"), (plan.int8, "INT8")):
        if wanted:
            config.set_flag(getattr(trt.BuilderFlag, flag))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ModelError(f"{job.model}: TensorRT built nothing; its own message is above")
    write_atomically(path, bytes(engine))
    return True


def _is_quantised(model: Path) -> bool:
    nodes = onnx.load(model, load_external_data=False).graph.node
    return any(node.op_type == QUANTISED for node in nodes)
