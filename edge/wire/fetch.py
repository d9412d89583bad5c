"""One blob on its way to us: whoever wants it asks for it, a window at a time, until it is whole.

Asking is flow control, and how a transfer resumes: what came before a kill lies on the disk and is
not asked for again.
"""

from __future__ import annotations

import math
from pathlib import Path

from edge.wire.chunks import Assembly
from edge.wire.rounds import MAX_RANGES, Blob, Missing

WINDOW_BYTES = 4 * 2**20  # asked for at a time
QUIET_S = 2.0  # without a chunk: what was asked for is lost


class Fetch:
    """What is here of a blob, and what to ask for next; used by one thread."""

    def __init__(
        self, blob: Blob, directory: Path, *, limit_bytes: int, quiet_s: float = QUIET_S
    ) -> None:
        """``directory`` is for one blob at a time: what is left there of others is deleted.

        MalformedMessageError for a blob of more than ``limit_bytes``, StorageError.
        """
        self.blob = blob
        self._assembly = Assembly(blob, directory, limit_bytes=limit_bytes)
        self._assembly.discard_others()
        self._quiet_s = quiet_s
        self._asked_bytes = 0  # still to come of what was asked for
        self._moved_s = -math.inf  # when something came, or was asked for

    @property
    def complete(self) -> bool:
        """Whether every byte is here."""
        return self._assembly.complete

    def add(self, offset: int, chunk: bytes, now_s: float) -> bool:
        """Take a chunk; whether it is new. MalformedMessageError for a foreign chunk."""
        is_new = self._assembly.add(offset, chunk)
        if is_new:
            self._asked_bytes -= len(chunk)
            self._moved_s = now_s
        return is_new

    def ask(self, now_s: float) -> Missing | None:
        """What to ask for now; None while enough is on its way."""
        on_its_way = abs(now_s - self._moved_s) < self._quiet_s  # the clock may be set back
        if self.complete or (self._asked_bytes > 0 and on_its_way):
            return None
        self._moved_s = now_s
        ranges = _first(self._assembly.missing())
        self._asked_bytes = sum(end - start for start, end in ranges)
        return Missing(blob=self.blob.id, ranges=ranges)

    def quiet(self) -> None:
        """What was asked for will not come: the connection broke."""
        self._moved_s = -math.inf

    def payload(self) -> bytes:
        """The whole blob; MalformedMessageError, and all pieces are gone, if its hash is wrong."""
        return self._assembly.payload()

    def discard(self) -> None:
        """Delete the pieces."""
        self._assembly.discard()


def _first(missing: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The first ranges, no more than a window in all."""
    ranges, room = [], WINDOW_BYTES
    for start, end in missing[:MAX_RANGES]:
        end = min(end, start + room)
        room -= end - start
        ranges.append((start, end))
        if room == 0:
            break
    return tuple(ranges)
