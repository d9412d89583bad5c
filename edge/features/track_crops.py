"""The crops of the objects that one camera follows: which are worth an embedding, and theirs.

An object whose pixels have not changed since it was embedded counts as seen, and its embedding is
repeated; now and then it is embedded anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats, iou
from edge.domain.features import Features, FeatureSpec
from edge.domain.frame import Bytes2d, Frame
from edge.domain.segment import MAX_GAP_S
from edge.domain.tracks import Tracks
from edge.features.embedding import Picture, outlines
from edge.features.embedding_budget import Shortage, Wish

Outline: TypeAlias = npt.NDArray[np.int64]  # (4,) whole pixels

LEAST_SEEN = 2  # embeddings of a track before anything is said of it: one may show half of it
STILL_EVERY_S = 10.0  # an object that stands still is embedded again after this
FORGET_S = 30.0  # a track unseen for longer is dropped

GLANCE = 8  # rows and columns of patches that are compared
CHANGE = 12.0  # grey levels of 255 in one patch: compression and noise reach a third of it
SAME_PLACE = 0.6  # overlap with the box that was embedded, below which nothing is compared


class Seen(Protocol):
    """A frame and who is followed in it."""

    @property
    def frame(self) -> Frame:
        """The picture."""
        ...

    @property
    def tracks(self) -> Tracks:
        """The objects."""
        ...


@dataclass(frozen=True, slots=True)
class Looks:
    """What became of one camera's wishes."""

    embeddings: int = 0
    dropped: int = 0  # the budget was spent
    failed: int = 0  # the network did not run


@dataclass(slots=True, eq=False)
class Ring:
    """What is known of one track."""

    seen_s: float  # the latest frame that shows it
    due_s: float  # when its next embedding is
    outline: Outline  # of its crop in that frame
    embeddings: list[Floats] = field(default_factory=list)  # oldest first
    embedded_s: float = -math.inf  # the newest one that is no repetition
    embedded: Outline | None = None  # what was cut out then
    glance: Floats | None = None  # what was there then
    changed: bool = False  # since ``action`` was computed
    action: Floats | None = None

    @property
    def is_new(self) -> bool:
        """Whether there is an action that nobody has computed yet."""
        return self.changed and len(self.embeddings) >= LEAST_SEEN

    def push(self, embedding: Floats, *, length: int, period_s: float) -> None:
        """Add the next embedding, fresh or repeated; ``length`` are kept."""
        self.due_s = max(self.due_s + period_s, self.seen_s)
        if len(self.embeddings) == length and all(each is embedding for each in self.embeddings):
            return  # it has stood still for so long that nothing is new
        self.embeddings.append(embedding)
        del self.embeddings[:-length]
        self.changed = True

    def segment(self, length: int) -> Floats:
        """The last embeddings, the oldest repeated while the track is young, (n, d)."""
        young = length - len(self.embeddings)
        return np.stack([self.embeddings[0]] * young + self.embeddings)


class TrackCrops:
    """One camera: its tracks, and the frame in hand."""

    def __init__(self, length: int) -> None:
        """``length``: embeddings that are kept of a track."""
        self.frame: Frame | None = None
        self.levels: Mapping[int, float] = {}  # of tracks, decades
        self.looks = Looks()
        self.is_short = False
        self._length = length
        self._rings: dict[int, Ring] = {}
        self._tracks = Tracks.none()
        self._bgr: Picture | None = None  # of the frame, once somebody has asked
        self._wished = self._met = 0  # in this frame
        self._shortage = Shortage()

    @property
    def rings(self) -> list[Ring]:
        """Of the tracks in the frame."""
        found = (self._rings.get(track_id) for track_id in self._tracks.track_id.tolist())
        return [ring for ring in found if ring is not None]

    def begin(self, seen: Seen, period_s: float) -> list[tuple[Ring, Wish]]:
        """Take the next frame; the tracks of which there is something new to see."""
        frame, self._tracks = seen.frame, seen.tracks
        if self.frame is not None and self.frame.planes.shape != frame.planes.shape:
            self._rings.clear()
        self.frame, self._bgr = frame, None
        wishes: list[tuple[Ring, Wish]] = []
        cut = outlines(self._tracks.boxes_xyxy, width=frame.width, height=frame.height)
        for track_id, outline in zip(self._tracks.track_id.tolist(), cut, strict=True):
            if not (outline[2:] > outline[:2]).all():
                continue  # it has left the picture
            ring = self._ring(track_id, outline, frame.time_s)
            if frame.time_s < ring.due_s:
                continue
            if self._is_still(ring):
                ring.push(ring.embeddings[-1], length=self._length, period_s=period_s)
                continue
            level = self.levels.get(track_id, 0.0) if ring.embeddings else math.inf
            wishes.append((ring, Wish(level, frame.time_s - ring.embedded_s)))
        self._wished, self._met = len(wishes), 0
        return wishes

    def crop(self, ring: Ring) -> Picture:
        """The object in the frame."""
        assert self.frame is not None
        if self._bgr is None:
            self._bgr = self.frame.bgr()
        x1, y1, x2, y2 = ring.outline.tolist()
        return self._bgr[y1:y2, x1:x2]

    def take(self, ring: Ring, embedding: Floats, period_s: float) -> None:
        """What the network saw in a crop, (d,)."""
        assert self.frame is not None
        ring.embedded_s, ring.embedded = self.frame.time_s, ring.outline
        ring.glance = _glance(self.frame.luma, ring.outline)
        ring.push(embedding, length=self._length, period_s=period_s)
        self._met += 1

    def finish(self, *, failed: bool) -> None:
        """No more is embedded in this frame, for lack of time or as the network ``failed``."""
        assert self.frame is not None
        time_s, missed = self.frame.time_s, self._wished - self._met
        dropped = 0 if failed else missed
        self.looks = Looks(
            embeddings=self.looks.embeddings + self._met,
            dropped=self.looks.dropped + dropped,
            failed=self.looks.failed + missed - dropped,
        )
        self._shortage.step(dropped, time_s)
        self.is_short = self._shortage.lasts(time_s)
        stale = [k for k, ring in self._rings.items() if time_s - ring.seen_s > FORGET_S]
        for track_id in stale:
            del self._rings[track_id]

    def features(self, spec: FeatureSpec) -> Features:
        """The newest action of each track in the frame that has one."""
        tracks = self._tracks
        found = [self._rings.get(track_id) for track_id in tracks.track_id.tolist()]
        actions = [None if ring is None else ring.action for ring in found]
        rows = [k for k, action in enumerate(actions) if action is not None]
        values = [action for action in actions if action is not None]
        return Features(
            spec=spec,
            track_id=tracks.track_id[rows],
            class_id=tracks.class_id[rows],
            boxes_xyxy=tracks.boxes_xyxy[rows],
            values=np.array(values, np.float32).reshape(len(rows), len(spec)),
        )

    def _ring(self, track_id: int, outline: Outline, time_s: float) -> Ring:
        """Of a track in the frame; a new one where it is new, or was long out of sight."""
        ring = self._rings.get(track_id)
        if ring is None or time_s - ring.seen_s > MAX_GAP_S:
            ring = self._rings[track_id] = Ring(time_s, time_s, outline)
        ring.seen_s, ring.outline = time_s, outline
        return ring

    def _is_still(self, ring: Ring) -> bool:
        """Whether what was embedded last still looks the same; never for too long."""
        assert self.frame is not None
        if ring.embedded is None or ring.glance is None:
            return False
        if self.frame.time_s - ring.embedded_s >= STILL_EVERY_S:
            return False
        boxes = np.stack([ring.outline, ring.embedded]).astype(np.float32)
        if iou(boxes[:1], boxes[1:])[0, 0] < SAME_PLACE:
            return False
        # there and not where it is now: the box of what stands still trembles, its pixels do not
        change = np.abs(_glance(self.frame.luma, ring.embedded) - ring.glance).max()
        return bool(change < CHANGE)


def _glance(luma: Bytes2d, outline: Outline) -> Floats:
    """The brightness of a few patches of a crop, (GLANCE, GLANCE)."""
    x1, y1, x2, y2 = outline.tolist()
    patches = cv2.resize(luma[y1:y2, x1:x2], (GLANCE, GLANCE), interpolation=cv2.INTER_AREA)
    return np.asarray(patches, np.float32)
