"""The bench for a student that scores objects: each camera calibrates its energies by itself.

The steps are those of ``edge.scoring``: an energy becomes decades of surprise by what is usual on
this camera, gathers along each object's way, and the largest of a frame is the frame's. The
student takes the place of the kinematic normality; the term of speed stays beside it, as live.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aggregator.simulate.problem import Array, Figures, Score
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

    def clips(self, energy: Energy) -> list[ClipScores]:
        """Causal frame scores; the frames between two analysed ones inherit the latest score."""
        scores = _frame_scores(self.normal, self.test, energy).astype(np.float64)
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
        scored = [
            camera.clips(_student(models[camera.participant], score)) for camera in self.cameras
        ]
        return clip_figures(scored)


def clip_figures(scored: Sequence[Sequence[ClipScores]]) -> Figures:
    """Figures of the clips of several owners: over all frames, clips, and owners."""
    clips = [clip for owned in scored for clip in owned]
    own = [micro_auc(owned) for owned in scored if owned]
    defined = [auc for auc in own if np.isfinite(auc)]
    return {
        "auc_micro_causal": micro_auc(clips),
        "auc_macro_causal": macro_auc(clips),
        "auc_participants_causal": float(np.mean(defined)) if defined else float("nan"),
    }


def _student(weights: Weights, score: Score) -> Energy:
    return lambda table: score(weights, table.values)


def _excess(table: Table) -> Array:
    return Excess().distance(table.values)


def _frame_scores(normal: Seen, test: Seen, energy: Energy) -> Array:
    """Decades of surprise of the test frames, (T,), after calibration on the normal ones."""
    terms = [(normal.objects, test.objects, energy)]
    terms += [(n, t, _excess) for n, t in zip(normal.beside, test.beside, strict=True)]
    levels = [_term(normal, test, *term) for term in terms]
    usual, tested = (fuse(np.stack(part)) for part in zip(*levels, strict=True))
    return TailCalibration.fit(usual).surprise(tested)


def _term(
    normal: Seen, test: Seen, of_normal: Table, of_test: Table, energy: Energy
) -> tuple[Array, Array]:
    """What one term says of each frame, (T_normal,) and (T_test,)."""
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
