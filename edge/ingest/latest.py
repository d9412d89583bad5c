"""One-place mailboxes: a slow reader skips frames, it never lags behind."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from edge.domain.frame import Frame


class Mailbox:
    """Holds the newest unread frame of one camera. Made by `Mailroom.add`."""

    def __init__(self, ready: threading.Condition) -> None:
        self._ready = ready
        self._frame: Frame | None = None
        self.taken = 0
        self.unread = 0  # frames that were replaced before anybody read them

    def put(self, frame: Frame) -> None:
        """Replace an unread frame; never wait for the reader."""
        with self._ready:
            self.unread += self._frame is not None
            self._frame = frame
            self._ready.notify()

    def pop(self) -> Frame | None:
        """Take the unread frame, numbered by those taken before; call with the room's lock."""
        frame, self._frame = self._frame, None
        if frame is None:
            return None
        self.taken += 1
        return replace(frame, index=self.taken - 1)


class Mailroom:
    """The mailboxes of all cameras and the one reader who serves them in turn."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._boxes: list[Mailbox] = []
        self._turn = 0  # the box that is looked into first

    def add(self) -> Mailbox:
        """Make a new mailbox; boxes are added before reading starts."""
        box = Mailbox(self._ready)
        with self._ready:
            self._boxes.append(box)
        return box

    def take(self, *, limit: int, timeout_s: float) -> list[Frame]:
        """Up to ``limit`` frames, at most one of each camera; empty when time is up.

        Waits for the first frame only. The next call starts with the camera after the last one
        served, so that no camera waits for more than one round.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._ready:
            while True:
                frames = self._collect(limit)
                wait_s = deadline_s - time.monotonic()
                if frames or wait_s <= 0:
                    return frames
                self._ready.wait(wait_s)

    def _collect(self, limit: int) -> list[Frame]:
        frames: list[Frame] = []
        first = self._turn
        for offset in range(len(self._boxes)):
            if len(frames) == limit:
                break
            position = (first + offset) % len(self._boxes)
            frame = self._boxes[position].pop()
            if frame is not None:
                frames.append(frame)
                self._turn = (position + 1) % len(self._boxes)
        return frames
