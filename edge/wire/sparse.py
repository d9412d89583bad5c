"""The few largest entries of a delta, and where they are."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shapes, Weights
from edge.errors import MalformedMessageError
from edge.wire.schemes import LARGEST, Array, Cursor, Scheme, fitting, quantised
from edge.wire.weights import FLOAT_BYTES, as_bytes

SPARSE_SHARE = 0.1  # of an array's entries that are sent
_LONG_GAP = 255  # this many entries are skipped, and the gap goes on


class Sparse(Scheme):
    """The entries of largest magnitude, each array for itself, as a vector.

    Every array: number of entries and of gap bytes (uint32), step (float32), the gaps, then a
    level per entry (int8). A gap is how many entries were skipped, in one byte, after as many bytes
    of 255 as it has 255s.
    """

    name = "sparse"

    def pack(self, delta: Weights) -> bytes:
        """Counts, step, gaps and levels of each array."""
        return b"".join(_pack_sparse(array.reshape(-1)) for _, array in sorted(delta.items()))

    def unpack(self, body: bytes, expected: Shapes) -> dict[str, Array]:
        """Zero but at the places that the gaps lead to."""
        cursor, delta = Cursor(body), {}
        for name, shape in sorted(expected.items()):
            delta[name] = _take_sparse(cursor, name, math.prod(shape)).reshape(shape)
        cursor.end()
        return delta

    def limit_bytes(self, expected: Shapes) -> int:
        """No more gap bytes than entries: 255 of them are skipped by one."""
        return sum(3 * FLOAT_BYTES + 2 * math.prod(shape) for shape in expected.values())


def _pack_sparse(values: Array) -> bytes:
    count = math.ceil(SPARSE_SHARE * len(values))
    magnitude = np.abs(values)
    chosen = np.sort(np.argpartition(magnitude, len(values) - count)[len(values) - count :])
    step = fitting(magnitude.max(keepdims=True) / np.float32(LARGEST))
    levels = quantised(values[chosen], step)
    chosen, levels = chosen[levels != 0], levels[levels != 0]
    gaps = _pack_gaps(chosen)
    counts = np.array([len(levels), len(gaps)], "<u4")
    return b"".join([counts.tobytes(), as_bytes(step), gaps.tobytes(), levels.tobytes()])


def _take_sparse(cursor: Cursor, name: str, size: int) -> Array:
    count, gap_count = cursor.counts(name)
    step = cursor.steps(name, 1)
    places = _unpack_gaps(cursor.raw(name, gap_count), name, size)
    if len(places) != count:
        raise MalformedMessageError(f"delta: {name!r} has {count} values for {len(places)} places")
    values = np.zeros(size, np.float32)
    values[places] = cursor.levels(name, count) * step
    return values


def _pack_gaps(places: npt.NDArray[np.intp]) -> npt.NDArray[np.uint8]:
    """Rising places as bytes; ``_LONG_GAP`` prolongs the gap that follows."""
    skipped = np.diff(places, prepend=-1) - 1
    ends = np.cumsum(skipped // _LONG_GAP + 1) - 1  # of each gap's bytes
    gaps = np.full(ends[-1] + 1 if len(ends) else 0, _LONG_GAP, np.uint8)
    gaps[ends] = skipped % _LONG_GAP
    return gaps


def _unpack_gaps(gaps: npt.NDArray[np.uint8], name: str, size: int) -> npt.NDArray[np.int64]:
    ends = gaps != _LONG_GAP
    reached = np.cumsum(gaps + ends.astype(np.int64))  # one past each entry
    if len(gaps) and (not ends[-1] or reached[-1] > size):
        raise MalformedMessageError(f"delta: {name!r} has an entry beyond its end")
    places: npt.NDArray[np.int64] = reached[ends] - 1
    return places
