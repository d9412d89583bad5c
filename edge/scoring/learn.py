"""Learning a camera: normal footage in, a calibrated model out.

Everything that is calibrated is calibrated out of sample: the footage is cut into FOLDS stretches
of time, and the distances of each stretch come from a normality that has seen the others only.
Neighbouring frames are nearly copies, so folds of shuffled rows would call everything familiar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.errors import NotLearntError
from edge.scoring.calibration import BudgetThreshold, TailCalibration, threshold_for_budget
from edge.scoring.footage import NormalFootage, Table
from edge.scoring.fusion import fuse
from edge.scoring.model import DEFAULT_OPTIONS, CameraModel, ScoringOptions, Term
from edge.scoring.normality import KINDS
from edge.scoring.smoothing import FrameSmoother, TrackSmoother
from edge.scoring.standardise import Standardiser

Array: TypeAlias = npt.NDArray[np.float32]

FOLDS = 4
LEAST_ROWS = 50
"""Fewer rows of a group than this say nothing about what is normal."""

SLICE_ROWS = 2048  # bounds the memory of a distance matrix


def learn_camera(
    footage: NormalFootage,
    *,
    camera: str,
    alarms_per_day: float,
    created_s: float,
    options: ScoringOptions = DEFAULT_OPTIONS,
) -> CameraModel:
    """Fit all terms, calibrate them, and set the threshold from the false-alarm budget.

    Raises NotLearntError when the footage shows too little.
    """
    tables = [table for table in footage.tables() if len(table.frame) >= LEAST_ROWS]
    if not tables:
        seen = sum(len(table.frame) for table in footage.tables())
        raise NotLearntError(
            f"camera {camera}: {footage.seconds:.0f} s of footage showed only {seen} segments, "
            f"at least {LEAST_ROWS} are needed: learn from more footage, or at a busier time"
        )
    time_s = footage.time_s
    learnt = [_learn_term(table, len(time_s), options) for table in tables]
    moments = _moments(tables, [surprise for _, surprise in learnt], options)
    smoothed = _along_tracks(moments, time_s, options)
    evidence = TailCalibration.fit(smoothed)
    scores = _frame_scores(moments.frame, evidence.surprise(smoothed), time_s, options)
    return CameraModel(
        camera=camera,
        terms=tuple(term for term, _ in learnt),
        evidence=evidence,
        budget=_budget(scores, time_s, alarms_per_day, footage.seconds),
        options=options,
        learnt_from_s=footage.seconds,
        created_s=created_s,
    )


def _learn_term(table: Table, frames: int, options: ScoringOptions) -> tuple[Term, Array]:
    """The term fitted on all rows, and the out-of-sample surprise of each, (R,)."""
    standardiser = Standardiser.fit(table.spec, table.values, table.place)
    points = standardiser.apply(table.values, table.place)
    away = _out_of_sample(points, table.frame * FOLDS // frames, options)
    calibration = TailCalibration.fit(away)
    normality = KINDS[options.normality].fit(points, size=options.size, seed=options.seed)
    term = Term(table.spec, standardiser, normality, calibration)
    return term, calibration.surprise(away)


def _out_of_sample(points: Array, fold: npt.NDArray[np.intp], options: ScoringOptions) -> Array:
    """Distance of each row to a normality learnt from the other folds, (R,)."""
    away = np.zeros(len(points), np.float32)
    size = options.size * (FOLDS - 1) // FOLDS  # as dense as the normality of all the footage
    for held_out in np.unique(fold):
        held = fold == held_out
        known = points[~held] if not held.all() else points
        normality = KINDS[options.normality].fit(known, size=max(size, 1), seed=options.seed)
        parts = np.array_split(points[held], held.sum() // SLICE_ROWS + 1)
        away[held] = np.concatenate([normality.distance(part) for part in parts])
    return away


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Fused surprise of every region in every frame, in time order."""

    frame: npt.NDArray[np.intp]  # (R,)
    region: npt.NDArray[np.int64]  # (R,)
    surprise: Array  # (R,)


def _moments(tables: list[Table], surprises: list[Array], options: ScoringOptions) -> _Moments:
    """Join the terms where they speak of the same region in the same frame."""
    pairs = np.concatenate([np.stack([t.frame, t.region], axis=1) for t in tables])
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    joined = np.full((len(tables), len(unique)), np.nan, np.float32)
    term = np.repeat(np.arange(len(tables)), [len(t.frame) for t in tables])
    joined[term, index.ravel()] = np.concatenate(surprises)
    return _Moments(unique[:, 0], unique[:, 1], fuse(joined, options.rule))


def _by_frame(frame: npt.NDArray[np.intp], frames: int) -> npt.NDArray[np.intp]:
    """Where each frame's rows begin, and the end: (T + 1,)."""
    return np.searchsorted(frame, np.arange(frames + 1))


def _along_tracks(
    moments: _Moments, time_s: npt.NDArray[np.float64], options: ScoringOptions
) -> Array:
    smoother = TrackSmoother(memory_s=options.memory_s, prior_s=options.prior_s)
    smoothed = np.zeros_like(moments.surprise)
    bounds = _by_frame(moments.frame, len(time_s)).tolist()
    for start, stop, at_s in zip(bounds[:-1], bounds[1:], time_s.tolist(), strict=True):
        rows = slice(start, stop)
        smoothed[rows] = smoother.step(moments.region[rows], moments.surprise[rows], at_s)
    return smoothed


def _frame_scores(
    frame: npt.NDArray[np.intp],
    score: Array,
    time_s: npt.NDArray[np.float64],
    options: ScoringOptions,
) -> Array:
    """The score of every frame, one without regions included, (T,)."""
    largest = np.zeros(len(time_s), np.float32)
    np.maximum.at(largest, frame, score)
    smoother = FrameSmoother(fade_s=options.fade_s)
    pairs = zip(largest.tolist(), time_s.tolist(), strict=True)
    return np.array([smoother.step(value, at_s) for value, at_s in pairs], np.float32)


def _budget(
    scores: Array, time_s: npt.NDArray[np.float64], alarms_per_day: float, footage_s: float
) -> BudgetThreshold:
    return threshold_for_budget(scores, time_s, alarms_per_day=alarms_per_day, footage_s=footage_s)
