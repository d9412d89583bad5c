"""The student as one more term of a camera's score, beside those that the camera learns alone.

It scores standardised segments on ONNX Runtime. One session serves all cameras of a host; what is
usual on a camera, and what a score means there, is the camera's own (``edge.scoring.learn``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge.domain.features import FeatureSpec
from edge.errors import FeatureVersionError, ModelError
from edge.features import kinematics, scene_segment
from edge.features.embedding import embedding_spec
from edge.model.artifact import Artifact, Eyes, Sampling
from edge.model.session import StudentSession
from edge.model.spec import Head, StudentSpec
from edge.scoring.standardise import Standardiser

Array: TypeAlias = npt.NDArray[np.float32]

SCENE_SPEC = FeatureSpec(
    group="scene-segment",
    revision=sum(spec.revision for spec in scene_segment.SPECS),
    features=tuple(feature for spec in scene_segment.SPECS for feature in spec.features),
)
"""The two groups of a scene segment as the one vector that a student reads."""

INPUTS: Mapping[Head, tuple[FeatureSpec, ...]] = {
    "density": (kinematics.SPEC,),  # each object segment by itself
    "clap": scene_segment.SPECS,  # each scene segment by itself
    "temporal": scene_segment.SPECS,  # the last scene segments, one after the other
    "dakd": scene_segment.SPECS,  # likewise, where it looks through no backbone
}
"""The feature groups whose values a student of each head reads, in this order."""

AT_ONCE = 1024  # segments in one run: bounds the memory of attention
WINDOWS_AT_ONCE = 64
SURE = 1e-6
"""Probabilities nearer than this to 0 or 1 are not told apart."""


def input_spec(head: Head) -> FeatureSpec:
    """The features of one row that a student of this head reads, as one group.

    Rows are standardised per camera: ``Standardiser.fit(input_spec(head), values, place)``.
    """
    return joined(INPUTS[head])


def joined(groups: Sequence[FeatureSpec]) -> FeatureSpec:
    """The groups of one row as one: a group by itself, or the two of a scene segment."""
    if len(groups) == 1:
        return groups[0]
    assert tuple(groups) == scene_segment.SPECS  # no student reads any other two
    return SCENE_SPEC


@dataclass(frozen=True, slots=True, eq=False)
class StudentTerm:
    """A checked student that says how strange segments are; shared by all cameras of a host."""

    version: str  # of its artifact
    spec: StudentSpec
    session: StudentSession
    groups: tuple[FeatureSpec, ...]  # whose values it reads, in this order
    eyes: Eyes | None = None  # what measures them, where the host does not do so anyway
    sampling: Sampling | None = None  # of the footage that it learnt from, where it knows

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """A student that may be used: its graph gives the golden scores, its features are ours.

        Raises ModelError and FeatureVersionError where that is not so.
        """
        spec, eyes = artifact.spec, artifact.eyes
        groups = (embedding_spec(eyes.backbone, eyes.look),) if eyes else INPUTS[spec.head]
        computed = tuple(group.spec_version for group in groups)
        if artifact.spec_versions != computed:
            raise FeatureVersionError(
                f"student {artifact.version} learnt {', '.join(artifact.spec_versions)}, a "
                f"{spec.head} student of this program reads {', '.join(computed)}: learn anew"
            )
        if spec.inputs != len(joined(groups)):
            raise ModelError(
                f"student {artifact.version}: reads {spec.inputs} features, "
                f"{', '.join(computed)} are {len(joined(groups))}: export it again"
            )
        return cls(artifact.version, spec, artifact.checked(), groups, eyes, artifact.sampling)

    @property
    def features(self) -> FeatureSpec:
        """What one row of its input is."""
        return joined(self.groups)

    @property
    def reads_scene(self) -> bool:
        """Whether it looks at scene segments, not at objects."""
        return self.groups != (kinematics.SPEC,)

    def points(self, standardiser: Standardiser, values: Array, place: Array) -> Array:
        """What it reads of N rows: (N, d) in physical units, at places (N, 2).

        Rows are compared with what is usual on the camera, unless it brings a measure of its own.
        """
        return values if self.spec.brings_its_measure else standardiser.apply(values, place)

    def distance(self, points: Array) -> Array:
        """How strange m segments are that follow each other: (m, d) → (m,).

        Each from itself and the ``window`` - 1 before it. An energy is as it is, of any sign; a
        probability becomes its log-odds, which go on growing where a probability is all but 1.
        """
        return self.distance_of(self.scores(points))

    def distance_of(self, scores: Array) -> Array:
        """What its own measure means as a distance, (m,)."""
        return scores if self.spec.is_energy else _log_odds(scores)

    def newest(self, points: Array) -> float:
        """The score of the last of at most ``window`` segments, (m, d), in its own measure."""
        shown = np.ascontiguousarray(points[None], np.float32)
        return float(self.session.scores(shown)[0, -1])

    def scores(self, points: Array) -> Array:
        """The same in the student's own measure: an energy, or a probability."""
        if self.spec.looks_ahead:
            return self._newest_scores(points)
        before = self.spec.window - 1
        scores = np.zeros(len(points), np.float32)
        for begin in range(0, len(points), AT_ONCE):
            start = max(begin - before, 0)
            seen = np.ascontiguousarray(points[start : begin + AT_ONCE], np.float32)
            scores[begin : begin + AT_ONCE] = self.session.scores(seen[None])[0, begin - start :]
        return scores

    def update(self, points: Array) -> None:
        """It learns elsewhere, and never from what it has just scored."""

    def state(self) -> dict[str, Array]:
        """Nothing of it is kept with a camera."""
        return {}

    def _newest_scores(self, points: Array) -> Array:
        """Of each segment as it was the newest: it and those before it are all that is shown."""
        points = np.ascontiguousarray(points, np.float32)
        window = self.spec.window
        young = [
            self.session.scores(points[None, :end])[0, -1]
            for end in range(1, min(window, len(points) + 1))
        ]
        scores = [np.array(young, np.float32)]
        if len(points) >= window:
            whole = sliding_window_view(points, window, axis=0).swapaxes(1, 2)  # (m', window, d)
            for begin in range(0, len(whole), WINDOWS_AT_ONCE):
                shown = np.ascontiguousarray(whole[begin : begin + WINDOWS_AT_ONCE])
                scores.append(self.session.scores(shown)[:, -1])
        return np.concatenate(scores)


def _log_odds(probability: Array) -> Array:
    bounded = np.clip(probability.astype(np.float64), SURE, 1 - SURE)
    return np.asarray(np.log(bounded / (1 - bounded)), np.float32)
