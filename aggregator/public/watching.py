"""A public video as a camera host would have seen it: rows of features, objects, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.public.captions import Picture
from edge.analysis import Extractor
from edge.domain.boxes import Floats, no_boxes
from edge.domain.features import Features
from edge.domain.frame import Frame
from edge.errors import SourceUnusableError
from edge.features import kinematics
from edge.features.embedding import Look, SceneEmbedding
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.model.artifact import Sampling
from edge.model.backbone import Backbone
from edge.model.spec import Head
from edge.perception.perception import Perception
from edge.scoring.scene_reel import SceneReel
from edge.scoring.standardise import place_of
from edge.scoring.student import INPUTS
from edge.training.census import classes_of

MOST_ROWS = 4096
"""Of a video, evenly over its length: objects make a row in every frame in which they are seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What a student reads of one video, before any camera's standardisation."""

    values: Floats  # (m, d) physical units
    place: Floats  # (m, 2) in [0, 1]
    frame: npt.NDArray[np.int64]  # (m,) the analysed frame that a row ends with
    objects: Mapping[str, int]  # class names as the detector has them → objects


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What a visual network makes of the scene segments of one video."""

    visual: Floats  # (k, v)
    frame: npt.NDArray[np.int64]  # (k,) the analysed frame that a segment ends with

    def at(self, frame: npt.NDArray[np.int64]) -> Floats:
        """The segment in which each of m frames lies, or the last one: (m, v)."""
        return self.visual[np.searchsorted(self.frame[:-1], frame)]


class Watcher:
    """Watches videos through the eyes of a host."""

    def __init__(
        self,
        perception: Callable[[], Perception],
        *,
        detector: str,
        head: Head,
        sampling: Sampling,
    ) -> None:
        """For students of one head.

        Args:
            perception: a new one for each video.
            detector: another name for whatever finds other objects.
            head: which features are taken: those that such a student reads.
            sampling: which frames are analysed.

        """
        self._perception = perception
        self._detector = detector
        self._sampling = sampling
        self.head = head

    def facts(self) -> dict[str, Any]:
        """All that a sighting depends on besides the footage, as JSON."""
        return {
            "detector": self._detector,
            "sampling": asdict(self._sampling),
            "spec_versions": [spec.spec_version for spec in INPUTS[self.head]],
        }

    def watch(self, path: Path) -> Sighting:
        """Raises SourceError where it cannot be read or shows nothing to learn from."""
        perception, extractor, reel = self._perception(), Extractor(describing=True), SceneReel()
        rows: list[tuple[Floats, Floats, int]] = []
        tracks: list[Features] = []
        for frame in _frames(path, self._sampling):
            measured = extractor.measure(perception.observe([frame])[0])
            tracks.append(measured.scored[0])
            ended = reel.push(measured.described, frame.time_s)
            group = tracks[-1] if INPUTS[self.head] == (kinematics.SPEC,) else None
            if group is None and ended:
                group = reel.newest
            if group is not None and len(group):
                place = place_of(group.boxes_xyxy, frame.width, frame.height)
                rows.append((group.values, place, frame.index))
        if not rows:
            raise SourceUnusableError(
                f"{path}: too short, or nothing moves in it: no row for a {self.head} student"
            )
        return _sighting(rows, _objects(tracks, perception.labels))


class Onlooker:
    """Looks at videos through a visual network Φ."""

    def __init__(self, backbone: Backbone, sampling: Sampling) -> None:
        self._backbone, self._sampling = backbone, sampling
        self._look = Look.of("picture", backbone)

    def facts(self) -> dict[str, Any]:
        """All that its views depend on besides the footage, as JSON."""
        return {
            "backbone": self._backbone.version,
            "look": asdict(self._look),
            "sampling": asdict(self._sampling),
        }

    def look(self, path: Path) -> Views:
        """Raises SourceError where the video cannot be read or is too short."""
        embedding = SceneEmbedding(self._backbone, self._look)
        found: list[Floats] = []
        ends: list[int] = []
        for frame in _frames(path, self._sampling):
            seen = embedding.observe(frame, no_boxes())
            if len(seen):
                found.append(seen.values[0])
                ends.append(frame.index)
        if not found:
            raise SourceUnusableError(f"{path}: too short for a segment of the visual network")
        return Views(np.array(found, np.float32), np.array(ends, np.int64))


def regular_pictures(path: Path, *, every_s: float, most: int, max_width_px: int) -> list[Picture]:
    """At most ``most`` frames at regular intervals of ``every_s``, or of twice, four times it."""
    kept: list[Picture] = []
    step = 1
    for number, frame in enumerate(_frames(path, Sampling(1 / every_s, max_width_px))):
        if number % step == 0:
            kept.append(frame.bgr())
        if len(kept) > most:
            kept, step = kept[::2], step * 2
    return kept


def _frames(path: Path, sampling: Sampling) -> Iterator[Frame]:
    return read_frames(
        FileSource(path),
        camera=path.stem,
        analysis_hz=sampling.analysis_hz,
        max_width=sampling.max_width_px,
    )


def _sighting(rows: list[tuple[Floats, Floats, int]], objects: Mapping[str, int]) -> Sighting:
    values, places, numbers = zip(*rows, strict=True)
    frame = np.repeat(np.array(numbers, np.int64), [len(part) for part in values])
    wanted = np.linspace(0, len(frame) - 1, min(len(frame), MOST_ROWS)).round().astype(np.int64)
    return Sighting(
        np.concatenate(values)[wanted], np.concatenate(places)[wanted], frame[wanted], objects
    )


def _objects(tracks: list[Features], labels: tuple[str, ...]) -> Mapping[str, int]:
    """As a host counts them: each track once, as what it was called most often."""
    track_id = np.concatenate([group.track_id for group in tracks])
    class_id = np.concatenate([group.class_id for group in tracks])
    _, classes = classes_of(track_id, class_id)
    return Counter(labels[number] for number in classes.tolist())
