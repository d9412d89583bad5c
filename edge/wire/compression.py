"""Deltas in few bytes: ``vad-delta-1 <scheme>``, a line feed, one zstd frame.

==========  ===============================================================================
``fp32``    exact: safetensors. The reference
``int8``    8 bits a value, in steps of a 127th of its row's largest
``int4``    4 bits a value, in steps of its row's root mean square: most are 0 or ±1, and
            zstd's Huffman coder makes 2.1 bits of the four
``sparse``  the tenth of each array with the largest values at 8 bits, the rest 0
==========  ===============================================================================

All but ``fp32`` lose something: ``edge.federation.feedback`` sends it later. ``int4`` in half a
megabyte is nearer to a delta of two million values than ``sparse`` would be in as many bytes: small
values, too, carry energy. A normally distributed delta is about its worst case: none with the same
root mean square has a larger entropy.

What a payload may decompress to follows from the shapes that are expected: nothing longer is begun.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import zstandard

from edge.domain.weights import Shapes, Weights
from edge.errors import ConfigError, MalformedMessageError
from edge.wire.schemes import Exact, RowWise, RowWiseCoarse, Scheme
from edge.wire.sparse import Sparse
from edge.wire.weights import check_finite

_ALL: tuple[Scheme, ...] = (Exact(), RowWise(), RowWiseCoarse(), Sparse())
SCHEMES = {scheme.name: scheme for scheme in _ALL}
"""Every scheme, by the name that payloads and settings call it."""

_FORMAT = b"vad-delta-1 "
_LONGEST_LINE = 32
_LEVEL = 1  # of zstd: its Huffman coder does the work, a search for repetitions finds none


def encode_delta(delta: Weights, scheme: str) -> bytes:
    """Compress by one of ``SCHEMES``; equal deltas are equal bytes.

    Raises ConfigError for an unknown scheme, ModelError where a value is not finite.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"no compression {scheme!r}: choose one of {', '.join(SCHEMES)}")
    check_finite(delta)
    body = SCHEMES[scheme].pack(delta)
    return _FORMAT + scheme.encode() + b"\n" + zstandard.ZstdCompressor(_LEVEL).compress(body)


def decode_delta(payload: bytes, expected: Shapes) -> dict[str, npt.NDArray[np.float32]]:
    """Parse untrusted bytes: names and shapes are exactly ``expected``, values are finite.

    Raises MalformedMessageError that says what is wrong.
    """
    line, newline, frame = payload[:_LONGEST_LINE].partition(b"\n")
    scheme = SCHEMES.get(line.removeprefix(_FORMAT).decode("latin-1"))
    if scheme is None or not newline or not line.startswith(_FORMAT):
        raise MalformedMessageError("no delta of a known compression")
    frame = payload[len(line) + 1 :]
    return scheme.unpack(_decompressed(frame, scheme.limit_bytes(expected)), expected)


def _decompressed(frame: bytes, limit_bytes: int) -> bytes:
    """One zstd frame that says its size; nothing is allocated before that size is checked."""
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > limit_bytes:  # a frame that does not say has the largest size of all
            raise MalformedMessageError(
                f"delta: decompresses to {size} bytes, at most {limit_bytes} here"
            )
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedMessageError(f"delta: no zstd frame: {error}") from None
