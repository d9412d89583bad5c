"""Weights as safetensors: named float32 arrays, never pickle.

The format (https://huggingface.co/docs/safetensors): 8 bytes of header length, little-endian; the
header, JSON of ``name → {dtype, shape, data_offsets}`` with an optional ``__metadata__`` of texts;
the arrays, row-major, little-endian, without gaps. Written here with the names in order, so that
equal weights are equal bytes, which the reference implementation does not promise.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shapes, Weights, shapes_of
from edge.errors import MalformedMessageError, ModelError

MAX_HEADER_BYTES = 2**20  # 100 bytes describe an array; the largest models have thousands
MAX_WEIGHTS_BYTES = 2**31
FLOAT_BYTES = 4
_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"
_ENTRY_KEYS = {"dtype", "shape", "data_offsets"}
_MAX_DIMENSIONS = 8
_SHOWN = 60  # characters of a foreign name in a message


def encode_weights(weights: Weights, *, metadata: Mapping[str, str] | None = None) -> bytes:
    """Safetensors; ``metadata`` is for whoever looks into the file.

    Raises ModelError where a value is not finite: such weights belong nowhere; and for the one
    name that the format keeps for itself.
    """
    check_finite(weights)
    if _METADATA in weights:
        raise ModelError(f"no array can be called {_METADATA!r} in safetensors")
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    begin = 0
    for name in sorted(weights):
        end = begin + FLOAT_BYTES * weights[name].size
        shape = list(weights[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH.size)  # arrays begin aligned
    return b"".join(
        [_LENGTH.pack(len(text)), text, *(as_bytes(weights[name]) for name in sorted(weights))]
    )


def decode_weights(
    payload: bytes, expected: Shapes | None = None, *, limit_bytes: int = MAX_WEIGHTS_BYTES
) -> dict[str, npt.NDArray[np.float32]]:
    """Parse untrusted bytes; the arrays are the caller's own.

    Names and shapes are exactly ``expected``; None: any, for files whose hash is trusted.
    Raises MalformedMessageError that names the array and the fault, also for values that are not
    finite.
    """
    if len(payload) > limit_bytes:
        raise MalformedMessageError(f"weights of {len(payload)} bytes: at most {limit_bytes} here")
    header, start = _header(payload)
    shapes = {name: _shape(name, entry) for name, entry in header.items()}
    if expected is not None:
        _check_shapes(shapes, expected)
    offsets = _offsets(header, shapes, len(payload) - start)
    weights = {
        name: np.frombuffer(payload, "<f4", math.prod(shape), start + offsets[name])
        .astype(np.float32)
        .reshape(shape)
        for name, shape in shapes.items()
    }
    try:
        check_finite(weights)
    except ModelError as error:
        raise MalformedMessageError(f"weights: {error}") from None
    return weights


def fingerprint(weights: Weights) -> str:
    """SHA-256 in hex over names, shapes and values: names a model, however it is stored."""
    names = sorted(weights)
    shapes = shapes_of(weights)
    digest = hashlib.sha256(json.dumps([[name, shapes[name]] for name in names]).encode())
    for name in names:
        digest.update(as_bytes(weights[name]))
    return digest.hexdigest()


def check_finite(weights: Weights) -> None:
    """ModelError that names the first array with a NaN or an infinity."""
    for name in sorted(weights):
        if not np.isfinite(weights[name]).all():
            raise ModelError(f"{_shown(name)} holds values that are not finite")


def as_bytes(array: npt.NDArray[np.float32]) -> bytes:
    """Row-major, little-endian."""
    return array.astype("<f4", copy=False).tobytes()


def _header(payload: bytes) -> tuple[dict[str, Any], int]:
    """Name → unchecked entry, and where the arrays begin."""
    if len(payload) < _LENGTH.size:
        raise MalformedMessageError(f"weights: {len(payload)} bytes are too few")
    (length,) = _LENGTH.unpack_from(payload)
    start = _LENGTH.size + length
    if length > MAX_HEADER_BYTES or start > len(payload):
        raise MalformedMessageError(
            f"weights: a header of {length} bytes in {len(payload)}; at most {MAX_HEADER_BYTES}"
        )
    header = _json(payload[_LENGTH.size : start])
    if not isinstance(header, dict):
        raise MalformedMessageError("weights: the header is no JSON object")
    _check_metadata(header.pop(_METADATA, {}))
    return header, start


def _json(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except MalformedMessageError:
        raise
    except (ValueError, RecursionError):
        raise MalformedMessageError("weights: the header is no JSON") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedMessageError("weights: a name stands twice in the header")
    return members


def _no_constant(name: str) -> NoReturn:
    raise MalformedMessageError(f"weights: {name} in the header")


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise MalformedMessageError("weights: metadata that is not made of texts")


def _shape(name: str, entry: object) -> tuple[int, ...]:
    if not isinstance(entry, dict) or entry.keys() != _ENTRY_KEYS:
        raise MalformedMessageError(f"weights: {_shown(name)} lacks a key or has one too many")
    if entry["dtype"] != "F32":
        raise MalformedMessageError(f"weights: {_shown(name)} is not of type F32")
    shape = entry["shape"]
    if (
        not _is_naturals(shape)
        or len(shape) > _MAX_DIMENSIONS
        or math.prod(max(length, 1) for length in shape) > MAX_WEIGHTS_BYTES
    ):
        raise MalformedMessageError(f"weights: {_shown(name)} has no usable shape")
    return tuple(shape)


def _check_shapes(shapes: Shapes, expected: Shapes) -> None:
    for name in sorted(expected.keys() - shapes.keys()):
        raise MalformedMessageError(f"weights: {_shown(name)} is missing")
    for name in sorted(shapes.keys() - expected.keys()):
        raise MalformedMessageError(f"weights: {_shown(name)} does not belong to the model")
    for name, shape in expected.items():
        if shapes[name] != tuple(shape):
            raise MalformedMessageError(
                f"weights: {_shown(name)} has shape {shapes[name]}, the model {tuple(shape)}"
            )


def _offsets(header: Mapping[str, Any], shapes: Shapes, body_bytes: int) -> dict[str, int]:
    """Name → first byte within the body, which the arrays fill without gap or overlap."""
    spans = {name: entry["data_offsets"] for name, entry in header.items()}
    for name, span in spans.items():
        if not _is_naturals(span) or len(span) != 2:
            raise MalformedMessageError(f"weights: {_shown(name)} has no usable offsets")
    reached = 0
    for name in sorted(spans, key=spans.__getitem__):
        begin, end = spans[name]
        if begin != reached or end - begin != FLOAT_BYTES * math.prod(shapes[name]):
            raise MalformedMessageError(f"weights: {_shown(name)} does not lie where it should")
        reached = end
    if reached != body_bytes:
        raise MalformedMessageError(f"weights: {body_bytes} bytes of arrays, {reached} described")
    return {name: begin for name, (begin, _) in spans.items()}


def _is_naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "…")
