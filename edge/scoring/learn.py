"""Learning a camera: normal footage in, a calibrated model out.

Everything that is calibrated is calibrated out of sample: the footage is cut into FOLDS stretches
of time, and the distances of each stretch come from a normality that has seen the others only.
Neighbouring frames are nearly copies, so folds of shuffled rows would call everything familiar.
A student comes as it is: how far it is from what it was taught on this very footage shows on
footage that taught nobody (``edge.adoption``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.errors import NotLearntError
from edge.features import scene_segment
from edge.scoring.calibration import TailCalibration, threshold_for_budget
from edge.scoring.footage import NormalFootage, Table
from edge.scoring.fusion import fuse
from edge.scoring.model import DEFAULT_OPTIONS, CameraModel, Distance, ScoringOptions, Term
from edge.scoring.normality import kind_of
from edge.scoring.scene_reel import SceneFootage
from edge.scoring.smoothing import Smoother
from edge.scoring.standardise import Standardiser
from edge.scoring.student import StudentTerm
from edge.scoring.words import MOST_DECADES, WordNormality, Words

log = logging.getLogger(__name__)

Array: TypeAlias = npt.NDArray[np.float32]
Fit: TypeAlias = Callable[[Array], Distance]

FOLDS = 4
LEAST_ROWS = 50
"""Fewer rows of a group than this say nothing about what is normal."""

USUAL_HZ = 5  # analysed frames a second, unless a camera is configured otherwise
SLICE_ROWS = 2048  # bounds the memory of a distance matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """The rows of a student, and the rows that they are in each frame."""

    rows: Table  # R rows
    runs: Sequence[npt.NDArray[np.intp]]  # indices of rows that follow each other; R in all
    shown: Table  # S rows: one as often as it is in force
    which: npt.NDArray[np.intp]  # (S,) the row that each one shows


def learn_camera(
    footage: NormalFootage,
    *,
    camera: str,
    alarms_per_day: float,
    created_s: float,
    options: ScoringOptions = DEFAULT_OPTIONS,
    student: StudentTerm | None = None,
    words: Words | None = None,
) -> CameraModel:
    """Fit all terms, calibrate them, and set the threshold from the false-alarm budget.

    A ``student`` becomes the last term; the footage must hold the groups that it reads
    (``edge.scoring.student.INPUTS``). Scene segments are described for a student alone and are no
    term of their own. With ``words`` the actions in the footage are a term; where it hardly shows
    any they are silent. Raises NotLearntError when the footage shows too little.
    """
    found = footage.tables()
    scored = _scored(found, options, student, words)
    tables = [table for table in scored if len(table.frame) >= LEAST_ROWS]
    if not tables and (options.motion or student is None):
        raise _too_little(camera, footage.seconds, scored)
    if words is not None and not any(_speaks(words, table) for table in tables):
        log.warning("camera %s: hardly anybody was followed: words are silent there", camera)
    time_s = footage.time_s
    learnt = [
        _learn_term(table, time_s, options, words if _speaks(words, table) else None)
        for table in tables
    ]
    if student is not None:
        learnt.append(_learn_student(student, found, time_s, options, camera=camera))
    fused = fuse(np.stack([surprise for _, surprise in learnt]))
    evidence = TailCalibration.fit(fused)
    budget = threshold_for_budget(
        evidence.surprise(fused),
        time_s,
        alarms_per_day=alarms_per_day,
        footage_s=footage.seconds,
    )
    return CameraModel(
        camera=camera,
        terms=tuple(term for term, _ in learnt),
        evidence=evidence,
        budget=budget,
        options=options,
        learnt_from_s=footage.seconds,
        created_s=created_s,
        words=words,
    )


def _scored(
    found: Sequence[Table],
    options: ScoringOptions,
    student: StudentTerm | None,
    words: Words | None,
) -> list[Table]:
    """The tables of which a camera learns a term by itself."""
    described = {*scene_segment.SPECS, *(student.groups if student and student.reads_scene else ())}
    return [
        table
        for table in found
        if _speaks(words, table) or (options.motion and table.spec not in described)
    ]


def _too_little(camera: str, seconds: float, scored: Sequence[Table]) -> NotLearntError:
    seen = sum(len(table.frame) for table in scored)
    return NotLearntError(
        f"camera {camera}: {seconds:.0f} s of footage showed only {seen} segments, "
        f"at least {LEAST_ROWS} are needed: learn from more footage, or at a busier time"
    )


def _speaks(words: Words | None, table: Table) -> bool:
    """Whether the rows of a table are those that words are about."""
    return words is not None and table.spec == words.features


def _learn_term(
    table: Table,
    time_s: npt.NDArray[np.float64],
    options: ScoringOptions,
    words: Words | None,
) -> tuple[Term, Array]:
    """The term fitted on all rows, and its out-of-sample surprise at each frame, (T,).

    ``words``: None where the table is none of theirs.
    """
    standardiser, points, fit = None, table.values, _fit_of(table.spec, options, words)
    most = MOST_DECADES if words else math.inf
    if words is None:
        standardiser = Standardiser.fit(table.spec, table.values, table.place)
        points = standardiser.apply(table.values, table.place)
    away = _out_of_sample(points, table.frame * FOLDS // len(time_s), fit)
    calibration = TailCalibration.fit(away, most=most)
    largest = largest_in_frames(table, calibration.surprise(away), time_s, options)
    level = TailCalibration.fit(largest, most=most)
    term = Term(table.spec, standardiser, fit(points), calibration, level)
    return term, level.surprise(largest)


def _fit_of(spec: FeatureSpec, options: ScoringOptions, words: Words | None) -> Fit:
    """What learns the normality of a group."""
    if words is not None:
        return partial(WordNormality.fit, words, seed=options.seed)
    kind = kind_of(spec, options.normality)
    return partial(kind.fit, size=options.size, seed=options.seed)


def _learn_student(
    student: StudentTerm,
    tables: Sequence[Table],
    time_s: npt.NDArray[np.float64],
    options: ScoringOptions,
    *,
    camera: str,
) -> tuple[Term, Array]:
    """The same for a student: what its scores mean on this camera."""
    seen = _read_by(student, tables, time_s)
    count = 0 if seen is None else len(seen.rows.frame)
    if seen is None or count < LEAST_ROWS:
        raise NotLearntError(
            f"camera {camera}: its footage holds {count} segments of {student.features.group}, "
            f"to calibrate student {student.version} takes {LEAST_ROWS}: {_remedy(student)}"
        )
    standardiser = Standardiser.fit(seen.rows.spec, seen.rows.values, seen.rows.place)
    points = student.points(standardiser, seen.rows.values, seen.rows.place)
    away = np.concatenate([student.distance(points[part]) for part in seen.runs])
    calibration = TailCalibration.fit(away)
    surprise = calibration.surprise(away)[seen.which]
    largest = largest_in_frames(seen.shown, surprise, time_s, options)
    level = TailCalibration.fit(largest)
    term = Term(student.features, standardiser, student, calibration, level)
    return term, level.surprise(largest)


def _remedy(student: StudentTerm) -> str:
    if not student.reads_scene:
        return "give it more footage, or of a busier time"
    seconds = LEAST_ROWS * SCENE_SEGMENT_FRAMES / USUAL_HZ
    return f"give it more footage, {LEAST_ROWS} segments are {seconds:.0f} s at {USUAL_HZ} Hz"


def _read_by(
    student: StudentTerm, tables: Sequence[Table], time_s: npt.NDArray[np.float64]
) -> _Read | None:
    """What a student reads of the footage; None where nothing of that is there."""
    if student.reads_scene:
        scene = SceneFootage.of(tables, time_s, student.groups)
        if scene is None:
            return None
        shown, which = scene.shown()
        starts = np.flatnonzero(np.diff(scene.run)) + 1
        return _Read(scene.segments, np.split(np.arange(len(scene.run)), starts), shown, which)
    for table in tables:
        if table.spec == student.features:
            rows = np.arange(len(table.frame))
            return _Read(table, [rows], table, rows)
    return None


def _out_of_sample(points: Array, fold: npt.NDArray[np.intp], fit: Fit) -> Array:
    """Distance of each row to a normality learnt from the other folds, (R,)."""
    away = np.zeros(len(points), np.float32)
    for held_out in np.unique(fold):
        held = fold == held_out
        known = points[~held] if not held.all() else points
        # as many prototypes as the final normality: with fewer, everything would seem farther away
        normality = fit(known)
        parts = np.array_split(points[held], held.sum() // SLICE_ROWS + 1)
        away[held] = np.concatenate([normality.distance(part) for part in parts])
    return away


def largest_in_frames(
    table: Table, surprise: Array, time_s: npt.NDArray[np.float64], options: ScoringOptions
) -> Array:
    """The largest smoothed surprise in each of T frames at time_s (T,); 0 where nothing is seen.

    ``surprise`` (R,) belongs to the rows of the table.
    """
    largest = np.zeros(len(time_s), np.float32)
    np.maximum.at(largest, table.frame, _along_the_way(table, surprise, time_s, options))
    return largest


def _along_the_way(
    table: Table, surprise: Array, time_s: npt.NDArray[np.float64], options: ScoringOptions
) -> Array:
    """The surprise of all rows (R,), smoothed frame after frame as it will be live."""
    smoother = Smoother(memory_s=options.memory_s, prior_s=options.prior_s)
    smoothed = np.zeros_like(surprise)
    bounds = np.searchsorted(table.frame, np.arange(len(time_s) + 1)).tolist()
    for start, stop, at_s in zip(bounds[:-1], bounds[1:], time_s.tolist(), strict=True):
        if start == stop:
            continue  # live, a group without regions is not judged
        rows = slice(start, stop)
        cells = None if table.cells is None else table.cells.part(rows)
        smoothed[rows] = smoother.step(table.track_id[rows], cells, surprise[rows], at_s)
    return smoothed
