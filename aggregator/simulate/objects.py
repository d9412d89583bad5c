"""The bench for a student that scores objects: each camera calibrates its energies by itself.

The steps are those of ``edge.scoring``: an energy becomes decades of surprise by what is usual on
this camera, gathers along each object's way, and the largest of a frame is the frame's. The
student takes the place of the kinematic normality; the term of speed stays beside it, as live. What
the student says without that term is told too: speed alone finds much of what is strange here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aggregator.simulate.problem import OWN_AUC, Array, Figures, Score
from edge.domain.weights import Weights
from edge.evaluation.figures import ClipScores, Labels, macro_auc, micro_auc
from edge.scoring.calibration import TailCalibration
from edge.scoring.footage import Table
from edge.scoring.fusion import fuse
from edge.scoring.learn import largest_in_frames
from edge.scoring.model import DEFAULT_OPTIONS
from edge.scoring.normality import Excess

Energy: TypeAlias = Callable[[Table], Array]
"""How strange each of R rows is: → (R,)."""

Term: TypeAlias = tuple[Array, Array]
"""What one term says of each frame, (T_normal,) and (T_test,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a camera sees in T frames; the values of its tables are standardised."""

    objects: Table  # what the student looks at
    beside: tuple[Table, ...]  # groups in which only too much is strange
    time_s: npt.NDArray[np.float64]  # (T,)


@dataclass(frozen=True, slots=True, eq=False)
class JudgedCamera:
    """A camera with labelled clips."""

    participant: str
    normal: Seen  # what its scores are calibrated on
    test: Seen  # its test clips end to end
    labels: tuple[Labels, ...]  # per clip, one per frame of the footage
    stride: int  # every so many frames of the footage one is analysed

    def clips(self, energy: Energy) -> tuple[list[ClipScores], list[ClipScores]]:
        """Causal frame scores of the camera as it runs, and of the student's term alone."""
        student = _term(self.normal, self.test, self.normal.objects, self.test.objects, energy)
        beside = [
            _term(self.normal, self.test, usual, tested, _excess)
            for usual, tested in zip(self.normal.beside, self.test.beside, strict=True)
        ]
        return self._clips([student, *beside]), self._clips([student])

    def _clips(self, terms: Sequence[Term]) -> list[ClipScores]:
        """The frames between two analysed ones inherit the latest score."""
        scores = _fused(terms).astype(np.float64)
        frames = [-(-len(labels) // self.stride) for labels in self.labels]
        parts = np.split(scores, np.cumsum(frames)[:-1])
        return [
            ClipScores(labels, np.repeat(part, self.stride)[: len(labels)])
            for labels, part in zip(self.labels, parts, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectBench:
    """All cameras that have labelled clips."""

    cameras: tuple[JudgedCamera, ...]

    def figures(self, models: Mapping[str, Weights], score: Score) -> Figures:
        """Every camera is judged by the model of the participant it belongs to."""
        owned: dict[str, list[ClipScores]] = {}
        alone: list[ClipScores] = []
        for camera in self.cameras:
            name = camera.participant
            clips, student = camera.clips(_student(models[name], score))
            owned.setdefault(name, []).extend(clips)
            alone += student
        return {**clip_figures(owned), "auc_student_micro_causal": micro_auc(alone)}


def clip_figures(scored: Mapping[str, Sequence[ClipScores]]) -> Figures:
    """Figures of the clips of several owners: over all frames, clips, owners, and of each owner."""
    clips = [clip for owned in scored.values() for clip in owned]
    own = {name: micro_auc(owned) for name, owned in scored.items() if owned}
    defined = [auc for auc in own.values() if np.isfinite(auc)]
    return {
        "auc_micro_causal": micro_auc(clips),
        "auc_macro_causal": macro_auc(clips),
        "auc_participants_causal": float(np.mean(defined)) if defined else float("nan"),
        **{OWN_AUC + name: auc for name, auc in own.items()},
    }


def _student(weights: Weights, score: Score) -> Energy:
    return lambda table: score(weights, table.values)


def _excess(table: Table) -> Array:
    return Excess().distance(table.values)


def _fused(terms: Sequence[Term]) -> Array:
    """Decades of surprise of the test frames, (T,), after calibration on the normal ones."""
    usual, tested = (fuse(np.stack(part)) for part in zip(*terms, strict=True))
    return TailCalibration.fit(usual).surprise(tested)


def _term(normal: Seen, test: Seen, of_normal: Table, of_test: Table, energy: Energy) -> Term:
    """Decades of surprise of one term."""
    usual = energy(of_normal)
    calibration = TailCalibration.fit(usual)
    largest = [
        largest_in_frames(table, calibration.surprise(away), seen.time_s, DEFAULT_OPTIONS)
        for seen, table, away in (
            (normal, of_normal, usual),
            (test, of_test, energy(of_test)),
        )
    ]
    level = TailCalibration.fit(largest[0])
    return level.surprise(largest[0]), level.surprise(largest[1])
