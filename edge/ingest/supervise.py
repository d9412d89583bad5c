"""Sources fail; one function retries."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from edge.errors import SourceUnavailableError
from edge.ingest.source import Pictures, Source

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: doubling from ``first_s`` to ``longest_s``.

    Each is shortened by a random part of up to ``jitter``, so that forty cameras behind one
    switch do not all come back in the same instant.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    jitter: float = 0.3  # in [0, 1)
    healthy_s: float = 10.0  # a connection that delivered for so long starts the count anew

    def pause_s(self, failures: int, chance: float) -> float:
        """Pause after so many failures in a row (1, 2, ...); ``chance`` in [0, 1)."""
        doublings = min(failures - 1, 32)
        return min(self.first_s * 2.0**doublings, self.longest_s) * (1 - self.jitter * chance)


def supervise(
    source: Source,
    *,
    stop: threading.Event,
    on_lost: Callable[[SourceUnavailableError], None],
    backoff: Backoff,
) -> Pictures:
    """Yield the source's pictures over as many connections as it takes.

    ``on_lost`` hears of every failure, the first connection's included, before the pause.
    Returns when the footage ends for good or soon after ``stop`` is set.

    Raises:
        SourceUnusableError: no further attempt can succeed.

    """
    failures = 0
    while not stop.is_set():
        first_s = last_s = None
        try:
            with closing(source.pictures(stop)) as pictures:
                for picture in pictures:
                    last_s = picture.received_s
                    first_s = last_s if first_s is None else first_s
                    yield picture
            return
        except SourceUnavailableError as error:
            if first_s is not None and last_s is not None and last_s - first_s >= backoff.healthy_s:
                failures = 0
            failures += 1
            pause_s = backoff.pause_s(failures, random.random())
            log.warning("retrying in %.1f s: %s", pause_s, error)
            on_lost(error)
        stop.wait(pause_s)
