"""The feature store: what the cameras of a host have seen, as features, for those who learn.

One folder per camera, one file per clip, named by the clip's first moment. Frames are gathered in
memory; a finished clip is packed and written by a thread of its own, so the analysis never waits
for a disk. What is lost when the process is killed is the clip in hand, some 3 MB of a busy camera.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from edge.domain.features import Features, FeatureSpec
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.errors import FeatureVersionError, MalformedMessageError, StorageError
from edge.features import scene_segment
from edge.scoring.footage import NormalFootage
from edge.training.census import Census
from edge.training.clip import Draft, StoredClip
from edge.training.clip_file import encode_clip, load_clip
from edge.training.shelf import Shelves, clip_path, clip_paths

log = logging.getLogger(__name__)

CLIP_SEGMENTS = 32  # scene segments of a clip; CLAP calls it a video
WAITING_CLIPS = 64  # for the writer: a host's cameras may all end a clip when it stops
PRUNE_EVERY_S = 600.0  # also while no clip is finished
CLOSE_S = 20.0  # how long a stop waits for a disk that hangs


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What is on the disk of one camera."""

    clips: int = 0
    bytes: int = 0


class FeatureStore:
    """Gathers the features of a host's cameras into clips on the disk.

    Any thread may append, one at a time for each camera. The oldest clips go when a camera has
    more than ``max_bytes`` or clips older than ``max_age_s``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_age_s: float,
        max_bytes: int,  # of one camera
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.problem = ""  # why nothing is kept, "" when it is
        self.counts = Counter(written=0, lost=0)  # clips
        self._shelves = Shelves(folder, max_age_s=max_age_s, max_bytes=max_bytes)
        self._census = Census(folder, max_age_s=max_age_s)
        self._now_s = now_s
        self._drafts: dict[str, Draft] = {}
        self._begun: set[str] = set()
        self._waiting: queue.Queue[Draft | None] = queue.Queue(WAITING_CLIPS)
        self._writer = threading.Thread(target=self._write, name="store", daemon=True)

    def start(self) -> None:
        """Start the writer; call once."""
        self._writer.start()

    def append(
        self,
        camera: str,
        groups: Sequence[Features],
        *,
        labels: tuple[str, ...],
        time_s: float,
        width: int,
        height: int,
        score: float | None,
    ) -> None:
        """Take in a camera's next frame; ``labels`` are what its class ids point into.

        ``score`` is None while the camera learns. Never waits.
        """
        draft = self._drafts.get(camera)
        if draft is not None and not draft.fits(time_s, width, height):
            self._finish(camera)
            draft = None
        if draft is None:
            draft = Draft(camera, width, height, self._length(camera), labels)
            self._drafts[camera] = draft
        draft.add(groups, time_s, score)
        if len(draft.time_s) == draft.frames_wanted:
            self._finish(camera)

    def figures(self, camera: str) -> StoreFigures:
        """What is on the disk of one camera."""
        return StoreFigures(*self._shelves.figures(camera))

    def close(self) -> None:
        """Write what is in hand and end; nobody appends any more."""
        if not self._writer.is_alive():
            return
        end_s = time.monotonic() + CLOSE_S
        for camera in list(self._drafts):
            self._finish(camera, max(0.0, end_s - time.monotonic()))
        with suppress(queue.Full):  # a disk that hangs: the writer is left, it is a daemon
            self._waiting.put(None, timeout=max(0.0, end_s - time.monotonic()))
        self._writer.join(max(0.0, end_s - time.monotonic()))

    def _length(self, camera: str) -> int:
        """Cameras that begin together must not end their clips together: the first differ."""
        segments = CLIP_SEGMENTS
        if camera not in self._begun:
            self._begun.add(camera)
            segments = 1 + crc32(camera.encode()) % CLIP_SEGMENTS
        return segments * SCENE_SEGMENT_FRAMES

    def _finish(self, camera: str, patience_s: float = 0.0) -> None:
        draft = self._drafts.pop(camera)
        if len(draft.time_s) < SCENE_SEGMENT_FRAMES:
            return  # without a scene segment there is nothing to learn
        try:
            self._waiting.put(draft, timeout=patience_s)
        except queue.Full:
            self._lose(f"{WAITING_CLIPS} clips wait for the disk; this one of {camera} is lost")

    def _write(self) -> None:
        try:
            self._shelves.open()
        except OSError as error:
            log.error("what was stored for learning cannot be found: %s", error)
        while True:
            self._shelves.prune(self._now_s())
            try:
                draft = self._waiting.get(timeout=PRUNE_EVERY_S)
            except queue.Empty:
                continue
            if draft is None:
                return
            self._keep(draft)

    def _keep(self, draft: Draft) -> None:
        try:
            clip = draft.finished()
            self._shelves.put(draft.camera, draft.time_s[0], encode_clip(clip))
            self._census.add(clip, draft.labels)
        except StorageError as error:
            self._lose(f"what the cameras see is not kept for learning: {error}")
        except Exception as error:  # the thread's boundary: the next clip is tried
            self._lose(f"a clip of camera {draft.camera} cannot be packed: {error}")
            log.exception("camera %s: a clip is lost", draft.camera)
        else:
            self.counts["written"] += 1
            self.problem = ""

    def _lose(self, problem: str) -> None:
        self.counts["lost"] += 1
        if not self.problem:
            log.error("%s", problem)
        self.problem = problem


class ClipReader:
    """The clips of one camera, oldest first; each pass reads what is there at its time.

    Also while another process fills the store.
    """

    def __init__(
        self,
        folder: Path,
        camera: str,
        specs: Iterable[FeatureSpec] = scene_segment.SPECS,
    ) -> None:
        """``folder`` is the store's; of each clip only the groups ``specs`` are read."""
        self.skipped = 0  # of the latest pass: damaged, or stored by another version
        self._folder = folder
        self._camera = camera
        self._specs = tuple(specs)

    def __iter__(self) -> Iterator[StoredClip]:
        """Read clip after clip; one that cannot be used is named in the log and left out."""
        return self._read(clip_paths(self._folder, self._camera))

    def at(self, begins_s: Iterable[float]) -> Iterator[StoredClip]:
        """Read those alone whose first frames are of these moments, in this order."""
        return self._read(clip_path(self._folder, self._camera, time_s) for time_s in begins_s)

    def _read(self, paths: Iterable[Path]) -> Iterator[StoredClip]:
        self.skipped = 0
        for path in paths:
            try:
                clip = load_clip(path, self._specs)
            except FileNotFoundError:
                continue  # too old meanwhile
            except (MalformedMessageError, FeatureVersionError) as error:
                self.skipped += 1
                log.warning("left out: %s", error)
                continue
            yield clip


def footage_of(clips: Iterable[StoredClip]) -> NormalFootage:
    """Clips in time order as the footage that a camera learns from, with their scored groups.

    A clip that begins before its predecessor ended is left out: the clock was set back.
    """
    footage, last_s = NormalFootage(), float("-inf")
    for clip in clips:
        if clip.time_s[0] < last_s:
            log.warning("camera %s: a clip of a clock set back is left out", clip.camera)
            continue
        for time_s, groups in clip.frames():
            footage.add(groups, time_s=time_s, width=clip.width, height=clip.height)
        last_s = float(clip.time_s[-1])
    return footage
