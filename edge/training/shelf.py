"""The clips of a host on the disk: one folder per camera, bounded by age and bytes."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from edge.atomic import PARTIAL, write_atomically

log = logging.getLogger(__name__)

SUFFIX = ".clip"


@dataclass(frozen=True, slots=True)
class _Stored:
    path: Path
    bytes: int


@dataclass(slots=True)
class _Shelf:
    """One camera's clips."""

    clips: deque[_Stored] = field(default_factory=deque)  # oldest first
    bytes: int = 0

    def add(self, stored: _Stored) -> None:
        self.clips.append(stored)
        self.bytes += stored.bytes

    def drop_oldest(self) -> Path:
        oldest = self.clips.popleft()
        self.bytes -= oldest.bytes
        return oldest.path


class Shelves:
    """Adds clips and deletes the oldest; for one thread at a time, ``figures`` for any."""

    def __init__(self, folder: Path, *, max_age_s: float, max_bytes: int) -> None:
        """``max_bytes`` is of one camera."""
        self._folder = folder
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._shelves: dict[str, _Shelf] = {}

    def open(self) -> None:
        """Find what an earlier process left; what it had only begun to write is deleted."""
        if not self._folder.is_dir():
            return
        for partial in self._folder.glob(f"*/.*{PARTIAL}"):
            partial.unlink(missing_ok=True)
        for camera in sorted(path.name for path in self._folder.iterdir() if path.is_dir()):
            shelf = self._shelves[camera] = _Shelf()
            for path in clip_paths(self._folder, camera):
                shelf.add(_Stored(path, path.stat().st_size))

    def put(self, camera: str, time_s: float, content: bytes) -> None:
        """Write the clip that begins at ``time_s``; raises StorageError where the disk refuses."""
        shelf = self._shelves.setdefault(camera, _Shelf())
        while shelf.clips and shelf.bytes + len(content) > self._max_bytes:
            _delete(shelf.drop_oldest())
        path = clip_path(self._folder, camera, time_s)
        write_atomically(path, content)
        shelf.add(_Stored(path, len(content)))

    def prune(self, now_s: float) -> None:
        """Delete what is too old, of cameras that are gone too."""
        for shelf in self._shelves.values():
            while shelf.clips and now_s - begins_s(shelf.clips[0].path) > self._max_age_s:
                _delete(shelf.drop_oldest())

    def figures(self, camera: str) -> tuple[int, int]:
        """How many clips of a camera there are, and their bytes."""
        shelf = self._shelves.get(camera)
        return (len(shelf.clips), shelf.bytes) if shelf else (0, 0)


def clip_path(folder: Path, camera: str, time_s: float) -> Path:
    """The file of the clip whose first frame was captured at ``time_s``."""
    return folder / camera / f"{round(time_s * 1e6):017d}{SUFFIX}"


def clip_paths(folder: Path, camera: str) -> list[Path]:
    """The files of one camera, oldest first; whatever else lies there is left alone."""
    found = (folder / camera).glob(f"*{SUFFIX}")
    return sorted(path for path in found if path.stem.isdecimal())


def begins_s(path: Path) -> float:
    """When a clip's first frame was captured, by the name of its file."""
    return int(path.stem) / 1e6


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted: %s", path, error.strerror)
