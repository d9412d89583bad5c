"""ONNX Runtime sessions on the fastest processor that is really there."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from edge.errors import ModelError
from edge.model.engine_cache import (
    CUDA_LIBRARY,
    TENSORRT,
    TENSORRT_LIBRARY,
    Options,
    find_device,
    find_engine,
    load_library,
)

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
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
NEEDED_LIBRARIES = {  # ONNX Runtime lists providers that it was built with, present or not
    TENSORRT: (CUDA_LIBRARY, TENSORRT_LIBRARY),
    CUDA: (CUDA_LIBRARY,),
}
HALF_BREAKS = ("NchwcTransformer",)
"""Optimisers under which ONNX Runtime 1.31 dies of a transformer in 16-bit floats: no exception."""

Providers: TypeAlias = Sequence[str | tuple[str, Options]]


def open_session(
    path: Path, *, only: str | None = None, half: bool = False
) -> ort.InferenceSession:
    """Load a network onto one thread, on the fastest provider or on ``only`` this one.

    TensorRT runs engines that were built ahead; it never builds one here, which takes minutes.
    ``half`` says that the network has 16-bit floats.

    Raises ModelError where there is no such file or it is not a complete ONNX network.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; export or download the model first")
    names = present_providers() if only is None else tuple(dict.fromkeys((only, CPU)))
    wanted = _with_engine(path, names)
    session = session_on(path, wanted, half=half)
    if only is None:
        _say_once(tuple(map(_name, wanted)), tuple(session.get_providers()))
    return session


def session_on(path: Path, providers: Providers, *, half: bool = False) -> ort.InferenceSession:
    """The same with providers, and their options, as told; raises ModelError."""
    left_out = HALF_BREAKS if half else ()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # the worker's own; cameras share the others
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            str(path), options, providers=list(providers), disabled_optimizers=list(left_out)
        )
    except RUNTIME_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path}: not a complete ONNX network ({reason}); copy or export it again"
        ) from error


@functools.cache
def present_providers() -> tuple[str, ...]:
    """Of TensorRT, CUDA and CPU those whose libraries can be loaded, fastest first."""
    present = [name for name in NEEDED_LIBRARIES if lacking(name) is None]
    if present:
        ort.preload_dlls()
    return (*present, CPU)


def lacking(provider: str) -> str | None:
    """Why a provider cannot start on this machine; None: all that it needs is there."""
    if provider not in ort.get_available_providers():
        return "this onnxruntime was built without it"
    libraries = NEEDED_LIBRARIES.get(provider, ())
    absent = [library for library in libraries if not _loads(library)]
    return f"no {', no '.join(absent)}" if absent else None


def _with_engine(path: Path, names: Sequence[str]) -> Providers:
    """TensorRT with the options of its cached engine; left out where there is none."""
    wanted: list[str | tuple[str, Options]] = []
    for name in names:
        engine = find_engine(path, find_device()) if name == TENSORRT else None
        if engine is not None:
            wanted.append((name, engine))
        elif name == TENSORRT:
            _advise_once(path)
        else:
            wanted.append(name)
    return wanted


def _name(provider: str | tuple[str, Options]) -> str:
    return provider if isinstance(provider, str) else provider[0]


@functools.cache
def _advise_once(path: Path) -> None:
    log.info(
        "%s: TensorRT is here, but no engine for this model, GPU and driver; to have one, run "
        "`vad-export tensorrt %s`",
        path,
        path,
    )


@functools.cache
def _say_once(wanted: tuple[str, ...], got: tuple[str, ...]) -> None:
    log.info("networks run on %s", got[0].removesuffix("ExecutionProvider"))
    if wanted[0] not in got:
        log.warning(
            "%s was found but did not start: check that CUDA, cuDNN and onnxruntime match",
            wanted[0].removesuffix("ExecutionProvider"),
        )


def _loads(library: str) -> bool:
    return load_library(library) is not None
