"""Sources that play a script: no camera, no file, no waiting."""

import threading
import time
from collections.abc import Sequence

import numpy as np

from edge.domain.frame import Bytes2d
from edge.ingest.source import Picture, Pictures, Source, SourceInfo

WIDTH, HEIGHT = 64, 48


def grey_planes(luma: int = 100, *, width: int = WIDTH, height: int = HEIGHT) -> Bytes2d:
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return planes


def noise_planes(seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> Bytes2d:
    planes = grey_planes(width=width, height=height)
    planes[:height] = np.random.default_rng(seed).integers(0, 255, (height, width))
    return planes


class FakePicture(Picture):
    """Counts how often it was converted."""

    __slots__ = ("_planes", "converted")

    def __init__(
        self,
        media_s: float | None,
        *,
        received_s: float | None = None,
        planes: Bytes2d | None = None,
    ) -> None:
        super().__init__(media_s, time.monotonic() if received_s is None else received_s)
        self._planes = grey_planes() if planes is None else planes
        self.converted = 0

    def planes(self, max_width: int | None) -> Bytes2d:
        self.converted += 1
        return self._planes.copy()


class FakeSource(Source):
    """Each connection plays its script: pictures are yielded, exceptions raised.

    A script that runs out is the end of the footage; so is a connection too many.
    """

    def __init__(
        self,
        connections: Sequence[Sequence[Picture | Exception]],
        *,
        live: bool = True,
        name: str = "fake",
    ) -> None:
        super().__init__(name, live=live)
        self._connections = list(connections)
        self.opened = 0
        self.closed = 0

    def pictures(self, stop: threading.Event) -> Pictures:
        script = self._connections[self.opened] if self.opened < len(self._connections) else ()
        self.opened += 1
        try:
            for item in script:
                if isinstance(item, Exception):
                    raise item
                self.info = SourceInfo(WIDTH, HEIGHT, None, "fake")
                yield item
        finally:
            self.closed += 1
