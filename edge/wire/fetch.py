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

    def __init__(self, blob: Blob, directory: Path, *, quiet_s: float = QUIET_S) -> None:
        """``directory`` is for the pieces of this and of other blobs."""
        self.blob = blob
        self._assembly = Assembly(blob, directory)
        self._quiet_s = quiet_s
        self._asked_bytes = 0  # still to come of what was asked for
        self._ask_at_s = -math.inf

    @property
    def complete(self) -> bool:
        """Whether every byte is here."""
        return self._assembly.complete

    def add(self, offset: int, chunk: bytes, now_s: float) -> bool:
        """Take a chunk; whether the blob is complete. MalformedMessageError for a foreign chunk."""
        if self._assembly.add(offset, chunk):
            self._asked_bytes -= len(chunk)
            self._ask_at_s = now_s + self._quiet_s
        return self.complete

    def ask(self, now_s: float) -> Missing | None:
        """What to ask for now; None while enough is on its way."""
        if self.complete or (self._asked_bytes > 0 and now_s < self._ask_at_s):
            return None
        self._ask_at_s = now_s + self._quiet_s
        ranges = _first(self._assembly.missing())
        self._asked_bytes = sum(end - start for start, end in ranges)
        return Missing(blob=self.blob.id, ranges=ranges)

    def quiet(self) -> None:
        """What was asked for will not come: the connection broke."""
        self._ask_at_s = -math.inf

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
