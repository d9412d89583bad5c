"""Which objects an image network looks at when it cannot look at all of them.

It is by far the dearest part of a frame, so that its looks are counted per second, over all cameras
of a worker. Where there are too few, the least anomalous objects go without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BURST_S = 0.5
"""Looks that were not needed are kept for so long: an object that appears is seen at once, and no
burst holds the other cameras up for longer than this."""

CALM_S = 10.0  # without a drop: the budget suffices again
LASTING_S = 60.0  # short for so long: an operator should know


@dataclass(frozen=True, slots=True)
class Wish:
    """One object that there is something new to see of."""

    level: float  # how anomalous it was last, decades; inf: nobody has looked at it yet
    waited_s: float  # since it was looked at last


class EmbeddingBudget:
    """At most ``per_s`` looks a second, and those that have gathered over ``BURST_S``."""

    def __init__(self, per_s: float = math.inf) -> None:
        self._per_s = per_s
        self._most = max(per_s * BURST_S, 1.0)
        self._left = self._most
        self._time_s = -math.inf

    def choose(self, wishes: Sequence[Wish], time_s: float) -> list[int]:
        """Indices of the wishes that can be met now, the most anomalous first.

        Among equals who has waited longest comes first. Nothing is spent yet.
        """
        elapsed_s = max(time_s - self._time_s, 0.0)
        self._time_s = max(time_s, self._time_s)
        self._left = min(self._left + elapsed_s * self._per_s, self._most)
        urgent = sorted(
            range(len(wishes)), key=lambda k: (-wishes[k].level, -wishes[k].waited_s, k)
        )
        return urgent[: len(wishes) if math.isinf(self._left) else int(self._left)]

    def spend(self, count: int) -> None:
        """So many looks were had."""
        self._left -= count


class Shortage:
    """Whether the budget has been too small for one camera for long."""

    def __init__(self) -> None:
        self._first_s = math.inf
        self._latest_s = -math.inf

    def step(self, dropped: int, time_s: float) -> None:
        """The next frame, and how many of its wishes were not met."""
        if not dropped:
            return
        if time_s - self._latest_s > CALM_S:
            self._first_s = time_s
        self._latest_s = time_s

    def lasts(self, time_s: float) -> bool:
        """Whether it goes on, and has for ``LASTING_S``."""
        goes_on = time_s - self._latest_s <= CALM_S
        return goes_on and self._latest_s - self._first_s >= LASTING_S
