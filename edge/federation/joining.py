"""What a participant says of itself in a round: that it takes part and what it sees, or why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from edge.wire.rounds import MAX_REASON, Announcement, Join

Objects: TypeAlias = Callable[[Announcement], tuple[float, ...]]
"""Shares of the round's classes among what a host sees, which may leave it; () where none may."""


class Joining:
    """The same at every repetition within a round: shares are not noised twice."""

    def __init__(self, version: str, objects: Objects) -> None:
        self._version = version
        self._objects = objects
        self._join: Join | None = None

    def begin(self) -> None:
        """A new round."""
        self._join = None

    def takes_part(self, announcement: Announcement) -> Join:
        """With what is seen here, where that is asked for."""
        if self._join is None:
            objects = self._objects(announcement) if announcement.settings.classes else ()
            self._join = Join(
                round=announcement.round, takes_part=True, version=self._version, objects=objects
            )
        return self._join

    def stays_away(self, task: Announcement, reason: str) -> Join:
        """From this round."""
        shown = reason[:MAX_REASON]
        return Join(round=task.round, takes_part=False, reason=shown, version=self._version)
