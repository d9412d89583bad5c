"""The student as one more term of a camera's score, beside those that the camera learns alone.

It scores standardised segments on ONNX Runtime. One session serves all cameras of a host; what is
usual on a camera, and what a score means there, is the camera's own (``edge.scoring.learn``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec
from edge.errors import FeatureVersionError, ModelError
from edge.features import kinematics, scene_segment
from edge.model.artifact import Artifact
from edge.model.session import StudentSession
from edge.model.spec import Head, StudentSpec

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
}
"""The feature groups whose standardised values a student of each head reads, in this order."""

AT_ONCE = 1024  # segments in one run: bounds the memory of attention
SURE = 1e-6
"""Probabilities nearer than this to 0 or 1 are not told apart."""


def input_spec(head: Head) -> FeatureSpec:
    """The features of one row that a student of this head reads, as one group.

    Rows are standardised per camera: ``Standardiser.fit(input_spec(head), values, place)``.
    """
    groups = INPUTS[head]
    return groups[0] if len(groups) == 1 else SCENE_SPEC


@dataclass(frozen=True, slots=True, eq=False)
class StudentTerm:
    """A checked student that says how strange segments are; shared by all cameras of a host."""

    version: str  # of its artifact
    spec: StudentSpec
    session: StudentSession

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """A student that may be used: its graph gives the golden scores, its features are ours.

        Raises ModelError and FeatureVersionError where that is not so.
        """
        head, versions = artifact.spec.head, artifact.spec_versions
        computed = tuple(spec.spec_version for spec in INPUTS[head])
        if versions != computed:
            raise FeatureVersionError(
                f"student {artifact.version} learnt {', '.join(versions) or 'nothing'}, a "
                f"{head} student of this program reads {', '.join(computed)}: learn anew"
            )
        if artifact.spec.inputs != len(input_spec(head)):
            raise ModelError(
                f"student {artifact.version}: reads {artifact.spec.inputs} features, "
                f"{', '.join(computed)} are {len(input_spec(head))}: export it again"
            )
        return cls(artifact.version, artifact.spec, artifact.checked())

    @property
    def features(self) -> FeatureSpec:
        """What one row of its input is."""
        return input_spec(self.spec.head)

    @property
    def reads_scene(self) -> bool:
        """Whether it looks at scene segments, not at objects."""
        return self.features is SCENE_SPEC

    def distance(self, points: Array) -> Array:
        """How strange m segments are that follow each other: (m, d) standardised → (m,).

        Each from itself and the ``window`` - 1 before it. An energy is as it is, of any sign; a
        probability becomes its log-odds, which go on growing where a probability is all but 1.
        """
        before = self.spec.window - 1
        scores = np.zeros(len(points), np.float32)
        for begin in range(0, len(points), AT_ONCE):
            start = max(begin - before, 0)
            seen = np.ascontiguousarray(points[start : begin + AT_ONCE], np.float32)
            scores[begin : begin + AT_ONCE] = self.session.scores(seen[None])[0, begin - start :]
        return scores if self.spec.head == "density" else _log_odds(scores)

    def update(self, points: Array) -> None:
        """It learns elsewhere, and never from what it has just scored."""

    def state(self) -> dict[str, Array]:
        """Nothing of it is kept with a camera."""
        return {}


def _log_odds(probability: Array) -> Array:
    bounded = np.clip(probability.astype(np.float64), SURE, 1 - SURE)
    return np.asarray(np.log(bounded / (1 - bounded)), np.float32)
