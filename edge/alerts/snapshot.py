"""A picture of an event, kept on this host: the frame, the box, the score and the reason.

The files carry no metadata: no address of a camera, no name of a host.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.alert import Event
from edge.domain.frame import Frame
from edge.errors import StorageError

log = logging.getLogger(__name__)

Picture = npt.NDArray[np.uint8]

JPEG_QUALITY = 85
MAX_AGE_S = 14 * 86_400.0
MAX_BYTES = 1_000_000_000
_RED, _WHITE, _BLACK = (48, 48, 230), (255, 255, 255), (0, 0, 0)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_PX = 34  # height of a line of text at scale 1
_ASCII = str.maketrans({"≤": "<=", "≥": ">=", "×": "x", "–": "-", "…": "..."})


def ascii_text(text: str) -> str:
    """What OpenCV's stroke fonts can draw: they know ASCII alone."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def draw(picture: Picture, event: Event) -> Picture:
    """A copy of an (H, W, 3) BGR picture with the event's box and what is known of it."""
    canvas = picture.copy()
    height, width = canvas.shape[:2]
    sx, sy = width / event.frame_size_px[0], height / event.frame_size_px[1]
    x1, y1, x2, y2 = event.box_xyxy
    corners = (round(x1 * sx), round(y1 * sy)), (round(x2 * sx), round(y2 * sy))
    cv2.rectangle(canvas, *corners, _RED, max(1, height // 240))
    headline = f"{event.camera}  {event.label}  score {event.score:.1f} >= {event.threshold:.1f}"
    for row, text in enumerate((headline, event.reason)):
        _write(canvas, ascii_text(text), row)
    return canvas


def _write(canvas: Picture, text: str, row: int) -> None:
    """One line at the top left on a dark ground, shrunk to the width of the picture."""
    height, width = canvas.shape[:2]
    size = max(0.45, height / 720)
    (needed_px, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    scale = size * min(1.0, (width - 8) / max(needed_px, 1))
    (text_px, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    line_px = round(_LINE_PX * size)
    cv2.rectangle(canvas, (0, row * line_px), (text_px + 8, (row + 1) * line_px), _BLACK, -1)
    place = (4, round((row + 0.75) * line_px))
    cv2.putText(canvas, text, place, _FONT, scale, _WHITE, 1, cv2.LINE_AA)


@dataclass(frozen=True, slots=True)
class _Stored:
    name: str
    size_bytes: int
    written_s: float


class SnapshotStore:
    """Pictures in one folder, bounded by age and by total size; for one thread at a time."""

    def __init__(
        self, folder: Path, *, max_age_s: float = MAX_AGE_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self.failed = 0  # pictures that could not be written
        self._folder = folder
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._stored = deque(_scan(folder))  # oldest first
        self._total_bytes = sum(stored.size_bytes for stored in self._stored)

    def save(self, frame: Frame, event: Event, *, now_s: float) -> tuple[str, bytes]:
        """Write the picture of an event, in place of its former one; its file name and JPEG bytes.

        StorageError where the disk will not take it; nothing half-written is ever seen.
        """
        name = f"{event.id}.jpg"
        _, encoded = cv2.imencode(
            ".jpg", draw(frame.bgr(), event), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        jpeg = encoded.tobytes()
        self.prune(now_s=now_s, needed_bytes=len(jpeg))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(self._folder / name, jpeg)
        except OSError as error:
            self.failed += 1
            raise StorageError(
                f"snapshot {self._folder / name} cannot be written: {error.strerror}; the alert "
                "goes out without it: free the disk or mend the permissions"
            ) from None
        self._note(_Stored(name, len(jpeg), now_s))
        return name, jpeg

    def prune(self, *, now_s: float, needed_bytes: int = 0) -> None:
        """Delete what is too old, and the oldest until ``needed_bytes`` more would fit."""
        while self._stored and (
            now_s - self._stored[0].written_s > self._max_age_s
            or self._total_bytes + needed_bytes > self._max_bytes
        ):
            oldest = self._stored.popleft()
            self._total_bytes -= oldest.size_bytes
            try:
                (self._folder / oldest.name).unlink(missing_ok=True)
            except OSError as error:
                log.warning("snapshot %s cannot be deleted: %s", oldest.name, error.strerror)

    def _note(self, stored: _Stored) -> None:
        """Count a file, once, however often it was replaced; replaced ones are the newest."""
        if self._stored and self._stored[-1].name == stored.name:
            self._total_bytes -= self._stored.pop().size_bytes
        else:
            former = next((s for s in self._stored if s.name == stored.name), None)
            if former is not None:
                self._stored.remove(former)
                self._total_bytes -= former.size_bytes
        self._stored.append(stored)
        self._total_bytes += stored.size_bytes


def _scan(folder: Path) -> list[_Stored]:
    """What an earlier process left, oldest first; half-written files are removed."""
    if not folder.is_dir():
        return []
    for leftover in folder.glob("*.jpg.part"):
        leftover.unlink(missing_ok=True)
    found = [(path.name, path.stat()) for path in folder.glob("*.jpg")]
    stored = [_Stored(name, stat.st_size, stat.st_mtime) for name, stat in found]
    return sorted(stored, key=lambda s: s.written_s)


def _write_atomically(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
