"""ONNX Runtime sessions on the fastest processor that is really there."""

from __future__ import annotations

import ctypes
import functools
import logging
from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from edge.errors import ModelError

log = logging.getLogger(__name__)

RUNTIME_ERRORS = (  # of a network that cannot be loaded or run; they share no base of their own
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoModel,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)
CPU = "CPUExecutionProvider"
NEEDED_LIBRARIES = {  # ONNX Runtime lists providers that it was built with, present or not
    "TensorrtExecutionProvider": ("libcuda.so.1", "libnvinfer.so.10"),
    "CUDAExecutionProvider": ("libcuda.so.1",),
}


def open_session(path: Path) -> ort.InferenceSession:
    """Load a network onto one thread.

    Raises ModelError where there is no such file or it is not a complete ONNX network.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; export or download the model first")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # the worker's own; cameras share the others
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = present_providers()
    try:
        session = ort.InferenceSession(str(path), options, providers=list(wanted))
    except RUNTIME_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path}: not a complete ONNX network ({reason}); copy or export it again"
        ) from error
    _say_once(wanted, tuple(session.get_providers()))
    return session


@functools.cache
def present_providers() -> tuple[str, ...]:
    """Of TensorRT, CUDA and CPU those whose libraries can be loaded, fastest first."""
    built = ort.get_available_providers()
    present = [
        name
        for name, libraries in NEEDED_LIBRARIES.items()
        if name in built and all(_loads(library) for library in libraries)
    ]
    if present:
        ort.preload_dlls()
    return (*present, CPU)


@functools.cache
def _say_once(wanted: tuple[str, ...], got: tuple[str, ...]) -> None:
    log.info("networks run on %s", got[0].removesuffix("ExecutionProvider"))
    if wanted[0] not in got:
        log.warning(
            "%s was found but did not start: check that CUDA, cuDNN and onnxruntime match",
            wanted[0].removesuffix("ExecutionProvider"),
        )


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
