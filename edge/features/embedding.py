"""Scene segments as an image network sees them: the mean of what it makes of a few frames.

The network looks at the whole picture, or at every object that is followed in it (SVAD's crops,
section 3.1): there, mean and maximum over the crops are told, so that one strange object among many
is not averaged away. Values are embeddings as the network gives them, before any normalisation:
CLAP reads their length.

A network of clips runs once a segment, on all of its frames. Cameras that start together come due
together, every sixteenth frame, and share nothing: the frame in which that happens waits for as
many runs as there are cameras. To stagger their segments would spread this, but a camera would then
see other segments live than offline, and its calibration would be of other footage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats
from edge.domain.features import SCENE, Cells, Feature, Features, FeatureSpec
from edge.domain.frame import Frame
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.errors import ModelError

View: TypeAlias = Literal["picture", "objects"]
Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) BGR

LOOKS = 4  # frames of a segment that an image network looks at: every fourth
MOST_OBJECTS = 12  # of a frame, the largest: bounds the time that a crowd takes
MARGIN = 0.1  # of a box's sides, around an object: what it stands on belongs to what it does

REVISION: Mapping[View, int] = {"picture": 1, "objects": 2}
"""Of what each view computes: to be raised with any change of ``crops`` or of
``edge.model.backbone.BackboneSpec.prepare``, which no version of a graph tells."""


class Embedder(Protocol):
    """What turns pictures into vectors; see ``edge.model.backbone``."""

    @property
    def frames(self) -> int:
        """Pictures of one clip; 1: pictures are embedded by themselves."""
        ...

    @property
    def width(self) -> int:
        """Of an embedding."""
        ...

    version: str

    def prepare(self, picture: Picture) -> Floats:
        """A picture of any size as one input, (3, H, W)."""
        ...

    def embed(self, prepared: Floats) -> Floats:
        """N clips of prepared pictures, (N, T, 3, H, W) → (N, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What a network is shown of a segment."""

    view: View = "picture"
    frames: int = LOOKS  # of SCENE_SEGMENT_FRAMES, evenly spread; of a clip, as many as it has

    def __post_init__(self) -> None:
        """Refuse what no segment has."""
        if self.view not in ("picture", "objects"):
            raise ModelError(f"look: view {self.view!r} is neither picture nor objects")
        if type(self.frames) is not int or not 1 <= self.frames <= SCENE_SEGMENT_FRAMES:
            raise ModelError(f"look: a segment has {SCENE_SEGMENT_FRAMES} frames to look at")

    @classmethod
    def of(cls, view: View, embedder: Embedder, frames: int = LOOKS) -> Look:
        """For this network; raises ModelError where it cannot look in that way."""
        if embedder.frames == 1:
            return cls(view, frames)
        if view != "picture":
            raise ModelError("look: a network of clips sees the whole picture, not single objects")
        return cls(view, embedder.frames)

    @property
    def due(self) -> frozenset[int]:
        """Places in a segment, from 0, of the frames that are looked at; the last one is."""
        share = SCENE_SEGMENT_FRAMES / self.frames
        return frozenset(round((k + 1) * share) - 1 for k in range(self.frames))


def embedding_spec(embedder: Embedder, look: Look) -> FeatureSpec:
    """The group that this network's view of a segment is; another graph is another version."""
    seen = f"{look.view} x{look.frames} by {embedder.version}"
    parts = ("",) if look.view == "picture" else ("mean ", "largest ")
    names = [f"{part}{k}" for part in parts for k in range(embedder.width)]
    features = tuple(Feature(name, "") for name in names)
    return FeatureSpec(f"scene-embedding {seen}", REVISION[look.view], features)


class SceneEmbedding:
    """Describes one camera's segments, one after the other; none shares a frame with another."""

    def __init__(self, embedder: Embedder, look: Look) -> None:
        self.spec = embedding_spec(embedder, look)
        self._embedder = embedder
        self._look = look
        self._due = look.due
        self._place = 0  # of the next frame in its segment
        self._time_s = float("-inf")
        self._seen: list[Floats] = []  # prepared pictures of a clip, or embeddings (k, d)

    def observe(self, frame: Frame, boxes_xyxy: Boxes) -> Features:
        """Take in the next frame and the boxes (N, 4) of what is followed in it.

        One row when a segment ends with it, otherwise none. A hole in time begins a new segment.
        """
        if not 0 <= frame.time_s - self._time_s <= MAX_GAP_S:
            self._begin()
        self._time_s = frame.time_s
        if self._place in self._due:
            self._look_at(frame, boxes_xyxy)
        self._place += 1
        if self._place < SCENE_SEGMENT_FRAMES:
            return _whole_picture(self.spec, [], frame)
        row = self._row()
        self._begin()
        return _whole_picture(self.spec, [row], frame)

    def _begin(self) -> None:
        self._place = 0
        self._seen = []

    def _look_at(self, frame: Frame, boxes_xyxy: Boxes) -> None:
        if self._look.view == "objects" and not len(boxes_xyxy):
            return  # nothing to see in colour
        bgr = frame.bgr()
        pictures = [bgr] if self._look.view == "picture" else crops(bgr, boxes_xyxy)
        prepared = [self._embedder.prepare(picture) for picture in pictures]
        if self._embedder.frames > 1:
            self._seen += prepared
        elif prepared:
            self._seen.append(self._embedder.embed(np.stack(prepared)[:, None]))

    def _row(self) -> Floats:
        if self._embedder.frames > 1:
            return np.asarray(self._embedder.embed(np.stack(self._seen)[None])[0])
        if not self._seen:
            return np.zeros(len(self.spec), np.float32)  # nobody was in sight
        found = np.concatenate(self._seen)
        parts = [found.mean(axis=0)]
        if self._look.view == "objects":
            parts.append(found.max(axis=0))
        return np.asarray(np.concatenate(parts), np.float32)


def crops(bgr: Picture, boxes_xyxy: Boxes) -> list[Picture]:
    """The largest objects of a picture, each with a margin, cut at the picture's edges."""
    height, width = bgr.shape[:2]
    cut = outlines(boxes_xyxy, width=width, height=height)
    inside = (cut[:, 2:] > cut[:, :2]).all(axis=1)
    # one that left the picture takes nobody's place
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    size = np.where(inside, sides.prod(axis=1), 0)
    largest = np.argsort(-size, kind="stable")[: min(MOST_OBJECTS, np.count_nonzero(size))]
    return [bgr[y1:y2, x1:x2] for x1, y1, x2, y2 in cut[largest].tolist()]


def outlines(boxes_xyxy: Boxes, *, width: int, height: int) -> npt.NDArray[np.int64]:
    """What is cut out around N objects, (N, 4) whole pixels: with a margin, within the picture.

    Empty where a box lies outside.
    """
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    low = np.floor(boxes_xyxy[:, :2] - MARGIN * sides).astype(np.int64)
    high = np.ceil(boxes_xyxy[:, 2:] + MARGIN * sides).astype(np.int64)
    return np.hstack([np.maximum(low, 0), np.minimum(high, [width, height])])


def _whole_picture(spec: FeatureSpec, rows: Sequence[Floats], frame: Frame) -> Features:
    count = len(rows)
    return Features(
        spec=spec,
        track_id=np.full(count, SCENE, np.int64),
        class_id=np.zeros(count, np.int32),
        boxes_xyxy=np.tile(np.array([0, 0, frame.width, frame.height], np.float32), (count, 1)),
        values=np.array(rows, np.float32).reshape(count, len(spec)),
        cells=Cells(np.zeros((count, 2), np.int32), np.zeros((count, 2), np.float32), (1, 1)),
    )
