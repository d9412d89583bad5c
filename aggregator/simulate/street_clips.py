"""Clips of generated streets as a camera's tracker would report them; nothing is drawn.

The truth's boxes are followed and described like any detector's. Values are those that a backbone
would give: on one scale for everybody, which is the public footage's, with the class beside the
kinematics. A camera that standardised by itself would hide from the federation what sets it apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.simulate.described import DescribedClip
from aggregator.simulate.objects import Seen
from aggregator.simulate.problem import Array
from edge.domain.features import Feature, Features, FeatureSpec
from edge.domain.tracks import Tracks
from edge.domain.truth import FrameTruth
from edge.evaluation.figures import Labels
from edge.features import kinematics
from edge.features.scene_segment import OBJECTS_SPEC, object_values
from edge.features.segmenter import Segmenter
from edge.ingest.synthetic import Street, StreetOptions
from edge.scoring.footage import Table
from edge.scoring.standardise import Standardiser

CLASSES = ("person", "bicycle", "car", "bag")
RATE_HZ = 5.0  # analysed frames, as by a camera's default
GAP_S = 60.0  # between clips laid end to end: longer than any track or smoothing reaches
CLASS_SPREADS = 2.0  # another class is as strange as a value that one in twenty has

OBJECT_SPEC = FeatureSpec(
    group="street-objects",
    revision=1,
    features=(*kinematics.SPEC.features, *(Feature(name, "") for name in CLASSES)),
)
SCENE_SPEC = FeatureSpec(
    group="street-scene",
    revision=1,
    features=(
        *OBJECTS_SPEC.features,
        *(Feature(f"{name}s", "", log_floor=0.5) for name in CLASSES),
    ),
)

Deed = tuple[str, str]
"""A species and what one of it does."""


@dataclass(frozen=True, slots=True, eq=False)
class StreetClip:
    """What is known of one clip."""

    name: str
    frames: tuple[Features, ...]  # kinematics after each frame; ``class_id`` indexes ``CLASSES``
    labels: Labels  # (T,)
    objects: npt.NDArray[np.int64]  # (C,) objects of each class that came by
    deeds: Counter[Deed]  # how many of them did what
    anomalies: tuple[str, ...]  # actions that are none here, in order of name

    @classmethod
    def watched(cls, name: str, options: StreetOptions) -> StreetClip:
        """Follow and describe a street that ends, at ``RATE_HZ``."""
        segmenter = Segmenter()
        frames, labels = [], []
        deeds: set[tuple[int, Deed]] = set()
        odd: set[str] = set()
        for truth in Street(options).truths():
            segments = segmenter.push(
                _tracks(truth),
                time_s=truth.time_s,
                width=options.width_px,
                height=options.height_px,
            )
            frames.append(kinematics.describe(segments)[0])
            labels.append(truth.anomalous)
            deeds |= {(each.object_id, (each.species, each.action)) for each in truth.objects}
            odd |= {each.action for each in truth.objects if each.anomalous}
        return cls(
            name=name,
            frames=tuple(frames),
            labels=np.array(labels, np.bool_),
            objects=_counted(deeds),
            deeds=Counter(deed for _, deed in deeds),
            anomalies=tuple(sorted(odd)),
        )

    @property
    def abnormal(self) -> bool:
        """Whether anything planted is ever in the picture."""
        return bool(self.labels.any())

    @property
    def described(self) -> DescribedClip:
        """Its scene segments."""
        return DescribedClip(self.frames, self.labels, 1, segment_values)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What everybody measures by."""

    objects: Standardiser
    scenes: Standardiser

    @classmethod
    def of(cls, clips: Sequence[StreetClip]) -> Scale:
        """The scale of these clips' footage."""
        rows = np.concatenate([frame.values for clip in clips for frame in clip.frames])
        scenes = np.concatenate([clip.described.apart() for clip in clips])
        return cls(
            Standardiser.fit(kinematics.SPEC, rows, _anywhere(rows)),
            Standardiser.fit(SCENE_SPEC, scenes, _anywhere(scenes)),
        )

    def rows(self, clip: StreetClip) -> Array:
        """A clip's object segments, frame after frame: (R, 17)."""
        values = np.concatenate([frame.values for frame in clip.frames])
        classes = np.concatenate([frame.class_id for frame in clip.frames])
        one_hot = CLASS_SPREADS * np.eye(len(CLASSES), dtype=np.float32)[classes]
        return np.hstack([self.objects.apply(values, _anywhere(values)), one_hot])

    def apart(self, clip: StreetClip) -> Array:
        """A clip's scene segments, without overlap: (m, 17)."""
        return self.segments(clip.described.apart())

    def segments(self, values: Array) -> Array:
        """Scene segments (m, 17) in physical units on this scale."""
        return self.scenes.apply(values, _anywhere(values))

    def seen(self, clips: Sequence[StreetClip]) -> Seen:
        """What the camera of these clips sees, one after another."""
        frames = [frame for clip in clips for frame in clip.frames]
        boxes = np.concatenate([frame.boxes_xyxy for frame in frames])
        table = Table(
            spec=OBJECT_SPEC,
            frame=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
            track_id=np.concatenate(
                [
                    frame.track_id + (number << 32)  # ids begin anew in every clip
                    for number, clip in enumerate(clips)
                    for frame in clip.frames
                ]
            ),
            cells=None,
            place=_anywhere(boxes),
            values=np.concatenate([self.rows(clip) for clip in clips]),
        )
        return Seen(table, beside=(), time_s=_times(clips))


def segment_values(frames: Sequence[Features]) -> Array:
    """``SCENE_SPEC`` of a segment's frames: (17,)."""
    classes = np.concatenate([frame.class_id for frame in frames])
    counts = np.bincount(classes, minlength=len(CLASSES)) / len(frames)
    return np.concatenate([object_values(frames), counts.astype(np.float32)])


def _tracks(truth: FrameTruth) -> Tracks:
    objects = truth.objects
    return Tracks(
        track_id=np.array([each.object_id for each in objects], np.int64),
        boxes_xyxy=np.array([each.box_xyxy for each in objects], np.float32).reshape(-1, 4),
        confidence=np.ones(len(objects), np.float32),
        class_id=np.array([CLASSES.index(each.species) for each in objects], np.int32),
    )


def _counted(deeds: Iterable[tuple[int, Deed]]) -> npt.NDArray[np.int64]:
    """Different objects of each class, (C,)."""
    species = dict((number, deed[0]) for number, deed in deeds)
    classes = [CLASSES.index(name) for name in species.values()]
    return np.bincount(np.array(classes, np.int64), minlength=len(CLASSES))


def _times(clips: Sequence[StreetClip]) -> npt.NDArray[np.float64]:
    """When each frame was captured, (T,), with gaps between the clips."""
    starts = np.cumsum([0.0, *(len(clip.frames) / RATE_HZ + GAP_S for clip in clips)])
    return np.concatenate(
        [
            start + np.arange(len(clip.frames)) / RATE_HZ
            for start, clip in zip(starts, clips, strict=False)
        ]
    )


def _anywhere(values: Array) -> Array:
    return np.full((len(values), 2), 0.5, np.float32)  # no feature is compared by its place
