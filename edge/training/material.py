"""What a camera stored, dealt by time: the earlier part teaches, the latest quiet part judges.

The last ``HELD_OUT`` of the clips that raised no alarm are held out; what lies before the first of
them teaches. Nothing that is later than it does, so no student is judged by what it was taught.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.features import FeatureSpec
from edge.errors import NotLearntError
from edge.features import scene_segment
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import LEAST_ROWS
from edge.scoring.scene_reel import WHOLE
from edge.scoring.standardise import Standardiser, place_of
from edge.scoring.student import SCENE_SPEC
from edge.training.clip import StoredClip
from edge.training.store import ClipReader, footage_of

HELD_OUT = 0.2  # of the quiet clips
FEWEST_CLIPS = 2  # without an alarm: one teaches, one judges
MAX_ROWS = 400_000  # of one camera that teach: 24 MB
MAX_CLIPS = 128  # of a footage that is watched frame by frame: 3.6 hours at 5 Hz


@dataclass(frozen=True, slots=True)
class Dealt:
    """Which clips of a camera do what."""

    taught: tuple[float, ...]  # first moments of the clips that teach, seconds since the epoch
    quiet: frozenset[float]  # of these, those without an alarm
    held_out: tuple[float, ...]  # of the clips that judge: all quiet, all later


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """R rows of one group: values (R, d) in physical units, place (R, 2) in [0, 1]."""

    values: Floats
    place: Floats


def deal(clips: Iterable[StoredClip], *, camera: str, threshold: float) -> Dealt:
    """Deal a camera's clips; those are quiet whose scores stay below ``threshold``.

    Clips of a camera that still learnt have no scores and are quiet. Raises NotLearntError where
    there are fewer than ``FEWEST_CLIPS``.
    """
    begins, quiet = [], []
    for clip in clips:
        begins.append(float(clip.time_s[0]))
        if clip.top_score is None or clip.top_score < threshold:
            quiet.append(begins[-1])
    if len(quiet) < FEWEST_CLIPS:
        raise NotLearntError(
            f"camera {camera}: {len(quiet)} stored clips without an alarm, at least {FEWEST_CLIPS} "
            "are needed: let vad-edge run watch for some minutes more"
        )
    held_out = quiet[-max(1, round(HELD_OUT * len(quiet))) :]
    taught = tuple(begin for begin in begins if begin < held_out[0])
    return Dealt(taught, frozenset(quiet).intersection(taught), tuple(held_out))


class Material:
    """One camera's footage for one training."""

    def __init__(
        self, folder: Path, camera: str, *, threshold: float, until_s: float = math.inf
    ) -> None:
        """``folder`` is the store's; what ended after ``until_s`` is left for the next time."""
        self.camera = camera
        self._folder = folder
        self._threshold = threshold
        stored = (clip for clip in ClipReader(folder, camera, ()) if clip.time_s[-1] <= until_s)
        self.dealt = deal(stored, camera=camera, threshold=threshold)

    def rows(self, spec: FeatureSpec) -> Rows:
        """One group of the frames that teach, without those that scored like an alarm.

        Of more than ``MAX_ROWS`` whole clips are left out, evenly over the time. Raises
        NotLearntError where there are fewer than ``LEAST_ROWS``.
        """
        found: list[Rows] = []
        stride, count = 1, 0
        for number, begin_s in enumerate(self.dealt.taught):
            if number % stride:
                continue
            clips = self._read([begin_s], (spec,))
            found += [_quiet_rows(clip, spec, self._threshold) for clip in clips]
            count = sum(len(rows.values) for rows in found)
            while count > MAX_ROWS and len(found) > 1:
                del found[1::2]
                stride *= 2
                count = sum(len(rows.values) for rows in found)
        if count < LEAST_ROWS:
            raise NotLearntError(
                f"camera {self.camera}: {count} rows of {spec.group} in what it stored, at least "
                f"{LEAST_ROWS} are needed: learn from more footage, or from a busier time"
            )
        return Rows(
            np.concatenate([rows.values for rows in found]),
            np.concatenate([rows.place for rows in found]),
        )

    def standardised(self, spec: FeatureSpec) -> Floats:
        """``rows``, compared with what is usual for this camera, (R, d)."""
        rows = self.rows(spec)
        return Standardiser.fit(spec, rows.values, rows.place).apply(rows.values, rows.place)

    def videos(self) -> list[Floats]:
        """Scene segments of each clip that teaches, alarms included, standardised: (m, d)."""
        videos = [clip.scene for clip in self._read(self.dealt.taught, scene_segment.SPECS)]
        values = np.concatenate(videos)
        if len(values) < LEAST_ROWS:
            raise NotLearntError(
                f"camera {self.camera}: {len(values)} scene segments in what it stored, at least "
                f"{LEAST_ROWS} are needed: let vad-edge run watch longer"
            )
        place = np.repeat(WHOLE, len(values), axis=0)
        usual = Standardiser.fit(SCENE_SPEC, values, place)
        bounds = np.cumsum([len(video) for video in videos])[:-1]
        return np.split(usual.apply(values, place), bounds)

    def footage(self, specs: Sequence[FeatureSpec]) -> NormalFootage:
        """The quiet clips that teach, to calibrate by; at most ``MAX_CLIPS``, evenly over time."""
        quiet = [begin for begin in self.dealt.taught if begin in self.dealt.quiet]
        return footage_of(self._read(_thinned(quiet), specs))

    def held_out(self, specs: Sequence[FeatureSpec]) -> Iterator[StoredClip]:
        """The clips that judge, in time order; at most ``MAX_CLIPS``, evenly over time."""
        return self._read(_thinned(self.dealt.held_out), specs)

    def _read(self, begins: Sequence[float], specs: Sequence[FeatureSpec]) -> Iterator[StoredClip]:
        return ClipReader(self._folder, self.camera, specs).at(begins)


def _quiet_rows(clip: StoredClip, spec: FeatureSpec, threshold: float) -> Rows:
    table = clip.table(spec.group)
    quiet = ~(clip.score >= threshold)[table.frame]  # a NaN is no alarm
    place = place_of(table.features.boxes_xyxy, clip.width, clip.height)
    return Rows(table.features.values[quiet], place[quiet])


def _thinned(begins: Sequence[float]) -> Sequence[float]:
    if len(begins) <= MAX_CLIPS:
        return begins
    chosen = np.linspace(0, len(begins) - 1, MAX_CLIPS).round().astype(int)
    return [begins[index] for index in chosen.tolist()]
