"""A folder of numbered pictures, read as footage."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from edge.errors import SourceUnusableError
from edge.ingest.convert import ImagePicture
from edge.ingest.pace import Pace
from edge.ingest.source import Pictures, Source, SourceInfo

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})


class ImagesSource(Source):
    """The images of a folder, ``2.jpg`` before ``10.jpg``, shown at ``rate_hz``."""

    def __init__(self, folder: Path, *, rate_hz: float, paced: bool = False) -> None:
        if not rate_hz > 0:
            raise SourceUnusableError(f"{folder}: a rate of {rate_hz} Hz; it must be above 0")
        super().__init__(str(folder), live=paced)
        self._folder = folder
        self._rate_hz = rate_hz
        self._paced = paced

    def pictures(self, stop: threading.Event) -> Pictures:
        """See `Source.pictures`; an image that cannot be decoded leaves a gap in time."""
        pace = Pace(stop)
        for number, path in enumerate(self._paths()):
            media_s = number / self._rate_hz
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                self.corrupt += 1
                continue
            bgr = np.asarray(image, np.uint8)
            height, width = bgr.shape[:2]
            self.info = self.info or SourceInfo(width, height, self._rate_hz, "images")
            due_s = pace.wait_for(media_s) if self._paced else time.monotonic()
            if stop.is_set():
                return
            yield ImagePicture(bgr, media_s, due_s)

    def _paths(self) -> list[Path]:
        if not self._folder.is_dir():
            raise SourceUnusableError(f"{self.name} is no folder: check the path")
        paths = [path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES]
        if not paths:
            known = " ".join(sorted(SUFFIXES))
            raise SourceUnusableError(f"{self.name} holds no images ({known})")
        return sorted(paths, key=natural_key)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which digits count as numbers."""
    parts = re.findall(r"\d+|\D+", path.name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)
