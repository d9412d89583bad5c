"""Error feedback: what a compression leaves out of one update is added to the next.

Seide et al. 2014 (1-bit SGD); Karimireddy et al. 2019, Algorithm 1: ``p = delta + e`` is what
should be sent, ``C(p)`` is, and ``e ← p − C(p)`` is kept. So what was sent adds up to all deltas
less one residual, however coarse the compression.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from edge.domain.weights import Weights, shapes_of
from edge.errors import MalformedMessageError, StorageError
from edge.wire.compression import decode_delta, encode_delta
from edge.wire.weights import decode_weights

log = logging.getLogger(__name__)


class ErrorFeedback:
    """One participant's residual: it moves on only when an update was accepted."""

    def __init__(self, residual: Weights | None = None) -> None:
        """``residual``: of the last accepted update; None: nothing was left out so far."""
        self.residual = residual

    def propose(self, delta: Weights, scheme: str) -> tuple[bytes, Weights | None]:
        """The payload to send, and the residual to ``commit`` once it has been accepted.

        The residual is None where nothing was left out. One of another shape, left from an older
        network, is dropped. Raises ModelError where a value is not finite.
        """
        corrected = self._corrected(delta)
        payload = encode_delta(corrected, scheme)
        sent = decode_delta(payload, shapes_of(corrected))
        rest = {name: array - sent[name] for name, array in corrected.items()}
        return payload, rest if any(array.any() for array in rest.values()) else None

    def commit(self, residual: Weights | None) -> None:
        """The update that ``propose`` made with this residual counts."""
        self.residual = residual

    def _corrected(self, delta: Weights) -> Weights:
        if self.residual is None:
            return delta
        if shapes_of(self.residual) != shapes_of(delta):
            log.warning("the rest of earlier updates is of another network: it is dropped")
            return delta
        with np.errstate(over="ignore"):  # an infinite sum is refused by encode_delta
            return {name: array + self.residual[name] for name, array in delta.items()}


def read_residual(path: Path) -> Weights | None:
    """What was kept in a file; None where there is none.

    A damaged file is put aside, with a warning: what it held is lost, the next update is sent
    without. Raises StorageError where a file cannot be read or moved.
    """
    try:
        return decode_weights(path.read_bytes())
    except FileNotFoundError:
        return None
    except MalformedMessageError as error:
        aside = path.with_name(f"{path.name}.damaged")
        log.warning("%s is damaged (%s): moved to %s, starting from zero", path, error, aside)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        path.replace(aside)
    except OSError as error:
        raise StorageError(f"cannot move {path}: {error.strerror or error}") from error
    return None
