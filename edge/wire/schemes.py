"""How a delta becomes fewer bits: numpy alone, before any entropy coder.

Arrays follow each other in the order of their names, and nothing says again what the expected
shapes say already: ``edge.wire.compression`` has the framing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shapes, Weights
from edge.errors import MalformedMessageError
from edge.wire.weights import (
    FLOAT_BYTES,
    MAX_HEADER_BYTES,
    as_bytes,
    decode_weights,
    encode_weights,
)

LARGEST = 127  # of 8 bits; −128 stays unused
_LARGEST_NIBBLE = 7
_NIBBLE_ZERO = 8
_LARGEST_STEP = np.finfo(np.float32).max / np.float32(128)  # times 127 it is finite

Array: TypeAlias = npt.NDArray[np.float32]
Levels: TypeAlias = npt.NDArray[np.int8]


class Cursor:
    """Reads a body from its beginning to its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def raw(self, name: str, count: int) -> npt.NDArray[np.uint8]:
        """The next ``count`` bytes; ``name`` is the array they belong to."""
        if count > len(self._body) - self._at:
            raise MalformedMessageError(f"delta: {name!r} is cut off")
        self._at += count
        return np.frombuffer(self._body, np.uint8, count, self._at - count)

    def counts(self, name: str) -> tuple[int, int]:
        """Two uint32."""
        first, second = self.raw(name, 2 * FLOAT_BYTES).view("<u4").tolist()
        return first, second

    def steps(self, name: str, count: int) -> Array:
        """(count,) float32: finite, not negative."""
        steps = self.raw(name, FLOAT_BYTES * count).view("<f4").astype(np.float32)
        if not ((steps >= 0) & (steps <= _LARGEST_STEP)).all():  # NaN is neither
            raise MalformedMessageError(f"delta: {name!r} has a step that is no usable number")
        return steps

    def levels(self, name: str, count: int) -> Levels:
        """(count,) from −127 to 127."""
        levels = self.raw(name, count).view(np.int8)
        if (levels < -LARGEST).any():
            raise MalformedMessageError(f"delta: {name!r} holds a level that does not exist")
        return levels

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._body):
            raise MalformedMessageError(f"delta: {len(self._body) - self._at} bytes too many")


class Scheme(ABC):
    """One way to write a delta down."""

    name: ClassVar[str]

    @abstractmethod
    def pack(self, delta: Weights) -> bytes:
        """Equal deltas are equal bytes; values are finite."""

    @abstractmethod
    def unpack(self, body: bytes, expected: Shapes) -> dict[str, Array]:
        """The inverse, as near as it gets; MalformedMessageError for untrusted bytes."""

    @abstractmethod
    def limit_bytes(self, expected: Shapes) -> int:
        """No body for these shapes is longer."""


class Exact(Scheme):
    """Safetensors."""

    name = "fp32"

    def pack(self, delta: Weights) -> bytes:
        """The file."""
        return encode_weights(delta)

    def unpack(self, body: bytes, expected: Shapes) -> dict[str, Array]:
        """Parsed as strictly as any file of weights."""
        return decode_weights(body, expected)

    def limit_bytes(self, expected: Shapes) -> int:
        """A header, and four bytes a value."""
        return FLOAT_BYTES * sum(map(math.prod, expected.values())) + MAX_HEADER_BYTES


class RowWise(Scheme):
    """Every array: one step per row (float32), then a level of −127..127 per value (int8).

    A vector is one row; in a matrix or a convolution a row is an output.
    """

    name = "int8"

    def pack(self, delta: Weights) -> bytes:
        """Steps and levels of each array."""
        parts = []
        for _, array in sorted(delta.items()):
            rows = array.reshape(_row_count(array.shape), -1)
            step = self._step(rows)
            parts += [as_bytes(step), self._pack_levels(quantised(rows, step).reshape(-1))]
        return b"".join(parts)

    def unpack(self, body: bytes, expected: Shapes) -> dict[str, Array]:
        """Levels times steps."""
        cursor, delta = Cursor(body), {}
        for name, shape in sorted(expected.items()):
            step = cursor.steps(name, _row_count(shape))
            levels = self._take_levels(cursor, name, math.prod(shape))
            delta[name] = (levels.reshape(len(step), -1) * step[:, None]).reshape(shape)
        cursor.end()
        return delta

    def limit_bytes(self, expected: Shapes) -> int:
        """No more than a byte a value."""
        return sum(FLOAT_BYTES * _row_count(s) + math.prod(s) for s in expected.values())

    def _step(self, rows: Array) -> Array:
        """(R, 1): so that the largest value of a row just fits."""
        return fitting(np.abs(rows).max(axis=1, keepdims=True) / np.float32(LARGEST))

    def _pack_levels(self, levels: Levels) -> bytes:
        return levels.tobytes()

    def _take_levels(self, cursor: Cursor, name: str, count: int) -> Levels:
        return cursor.levels(name, count)


class RowWiseCoarse(RowWise):
    """The same with steps as wide as the row's root mean square and levels of −7..7, two a byte.

    A uniform quantiser with an entropy coder behind it is within 0.25 bit of the best there is
    (Gish and Pierce 1968); what is beyond ±7.5 of a row's root mean squares is cut off.
    """

    name = "int4"

    def _step(self, rows: Array) -> Array:
        return fitting(np.sqrt(np.square(rows, dtype=np.float64).mean(axis=1, keepdims=True)))

    def _pack_levels(self, levels: Levels) -> bytes:
        within = np.clip(levels, -_LARGEST_NIBBLE, _LARGEST_NIBBLE)
        nibbles = (within + _NIBBLE_ZERO).astype(np.uint8)
        nibbles = np.append(nibbles, np.full(len(nibbles) % 2, _NIBBLE_ZERO, np.uint8))
        return (nibbles[::2] << 4 | nibbles[1::2]).tobytes()

    def _take_levels(self, cursor: Cursor, name: str, count: int) -> Levels:
        pairs = cursor.raw(name, -(-count // 2))
        nibbles = np.stack([pairs >> 4, pairs & 15], axis=1).reshape(-1)
        if not nibbles.all() or (nibbles[count:] != _NIBBLE_ZERO).any():
            raise MalformedMessageError(f"delta: {name!r} holds a level that does not exist")
        return (nibbles[:count].view(np.int8) - _NIBBLE_ZERO).astype(np.int8)


def _row_count(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) > 1 else 1


def fitting(step: npt.NDArray[np.floating]) -> Array:
    """Steps as they are sent: no level times a step is infinite."""
    return np.asarray(np.minimum(step, _LARGEST_STEP), np.float32)


def quantised(values: Array, step: Array) -> Levels:
    """The nearest level of each value; 0 where the step is 0."""
    levels = np.divide(values, step, out=np.zeros_like(values), where=step > 0)
    np.rint(levels, out=levels)
    return np.clip(levels, -LARGEST, LARGEST).astype(np.int8)
