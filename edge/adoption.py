"""Whether new weights may judge the cameras, before they do and after.

Both questions are about a count of alarms on normal footage, and little footage says little: a
budget of b alarms a day lets t days of footage raise more than b t by chance. What chance explains
is the Poisson law of ``threshold_for_budget``: alarms are separate, rare events.

* **Before** (``decide``): candidate and running model watch the same footage, which taught neither.
  The candidate may raise what chance explains of the budget, or as many as the running model
  where that raises more. Every camera must agree; nobody decides on less than ``LEAST_S``.
* **After** (``Probation``): for ``TRIAL_S`` the live alarms are counted. Where one camera raises
  ``LEAST_ALARMS`` and far more than chance explains of twice what was allowed, the generation
  before it comes back: an extrapolated threshold may be wrong by that factor, a flood is more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.alerts.alarm import Limits, alarms_raised
from edge.domain.features import Features
from edge.domain.score import FrameScore
from edge.domain.tracks import Tracks
from edge.features import kinematics
from edge.scoring.calibration import SECONDS_PER_DAY
from edge.scoring.model import CameraModel
from edge.scoring.scorer import CameraScorer
from edge.training.clip import StoredClip

CHANCE = 0.05  # how often good weights may be refused, over all cameras
LEAST_S = 600.0  # footage of a camera that decides anything

TRIAL_S = 86_400.0
FLOOD_CHANCE = 1e-3  # how often a good generation may be rolled back, over all cameras
FLOOD_FACTOR = 2.0
LEAST_ALARMS = 5


@dataclass(frozen=True, slots=True)
class Shadow:
    """What two models raised on the same footage of one camera."""

    camera: str
    footage_s: float  # normal, and nobody has learnt from it
    alarms_per_day: float  # the camera's budget
    candidate_alarms: int
    running_alarms: int

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Shadow:
        """Raises KeyError, TypeError or ValueError where it is none."""
        return cls(
            camera=str(fields["camera"]),
            footage_s=float(fields["footage_s"]),
            alarms_per_day=float(fields["alarms_per_day"]),
            candidate_alarms=int(fields["candidate_alarms"]),
            running_alarms=int(fields["running_alarms"]),
        )

    @property
    def days(self) -> float:
        """The footage in days."""
        return self.footage_s / SECONDS_PER_DAY

    @property
    def allowed_per_day(self) -> float:
        """The budget, or what the running model raises where that is more."""
        running = self.running_alarms / self.days if self.days else 0.0
        return max(self.alarms_per_day, running)

    def allowed(self, chance: float) -> int:
        """The most alarms of a candidate that may judge this camera."""
        most = most_by_chance(self.alarms_per_day * self.days, chance)
        return max(most, self.running_alarms)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate is adopted, why, and what that rests on."""

    adopt: bool
    reason: str
    figures: tuple[Shadow, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` restores it."""
        return asdict(self) | {"figures": [asdict(shadow) for shadow in self.figures]}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Verdict:
        """Raises KeyError, TypeError or ValueError where it is none."""
        figures = tuple(map(Shadow.from_json, fields["figures"]))
        return cls(bool(fields["adopt"]), str(fields["reason"]), figures)


def decide(
    shadows: Sequence[Shadow], *, least_s: float = LEAST_S, chance: float = CHANCE
) -> Verdict:
    """Adopt only if every camera stays within what is allowed on footage enough to tell."""
    figures = tuple(shadows)
    if not figures:
        return Verdict(False, "no camera has footage to try the candidate on")
    for shadow in figures:
        if shadow.footage_s < least_s:
            return Verdict(
                False,
                f"camera {shadow.camera}: {shadow.footage_s:.0f} s of footage that taught nobody "
                f"cannot tell, {least_s:.0f} s can",
                figures,
            )
    for shadow in figures:
        allowed = shadow.allowed(chance / len(figures))
        if shadow.candidate_alarms > allowed:
            return Verdict(
                False,
                f"camera {shadow.camera}: {shadow.candidate_alarms} alarms in "
                f"{shadow.footage_s / 3600:.2g} h of normal footage, at most {allowed} are "
                f"allowed (budget {shadow.alarms_per_day:g} a day; the running model raises "
                f"{shadow.running_alarms})",
                figures,
            )
    hours = sum(shadow.footage_s for shadow in figures) / 3600
    alarms = sum(shadow.candidate_alarms for shadow in figures)
    return Verdict(True, f"{alarms} alarms in {hours:.2g} camera-hours: within budget", figures)


def watch_footage(
    model: CameraModel, clips: Iterable[StoredClip], *, limits: Limits
) -> tuple[int, float]:
    """How many alarms a model raises on stored clips in time order, and their seconds.

    Scores and alarms are those of the live path; what is in sight is what the kinematics speak of.
    """
    scorer, seconds = CameraScorer(model, labels=()), 0.0
    scores: list[FrameScore] = []
    for clip in clips:
        scores += _scores(scorer, clip)
        seconds += float(clip.time_s[-1] - clip.time_s[0])
    return alarms_raised(scores, limits), seconds


def most_by_chance(mean: float, chance: float) -> int:
    """The smallest count that a Poisson law of this mean exceeds with at most ``chance``."""
    if mean <= 0:
        return 0
    count, below = 0, math.exp(-mean)
    while 1 - below > chance:
        count += 1
        below += math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    return count


@dataclass(frozen=True, slots=True)
class Probation:
    """A generation on trial: per camera what it may raise a day."""

    allowed_per_day: Mapping[str, float]

    @classmethod
    def of(cls, verdict: Verdict) -> Probation:
        """As its adoption allowed."""
        return cls({shadow.camera: shadow.allowed_per_day for shadow in verdict.figures})

    def objection(self, alarms: Mapping[str, int], elapsed_s: float) -> str | None:
        """Why it must go, or None: alarms by camera, ``elapsed_s`` after counting began."""
        for camera, per_day in self.allowed_per_day.items():
            raised = alarms.get(camera, 0)
            mean = FLOOD_FACTOR * per_day * elapsed_s / SECONDS_PER_DAY
            most = most_by_chance(mean, FLOOD_CHANCE / len(self.allowed_per_day))
            if raised >= LEAST_ALARMS and raised > most:
                return (
                    f"camera {camera}: {raised} alarms in {elapsed_s / 3600:.2g} h, "
                    f"{per_day:g} a day are allowed"
                )
        return None


def _scores(scorer: CameraScorer, clip: StoredClip) -> Iterable[FrameScore]:
    for index, (time_s, groups) in enumerate(clip.frames()):
        yield scorer.observe(
            groups,
            _in_sight(groups),
            index=index,
            time_s=time_s,
            width=clip.width,
            height=clip.height,
        )


def _in_sight(groups: Iterable[Features]) -> Tracks:
    for group in groups:
        if group.spec == kinematics.SPEC:
            sure = np.ones(len(group), np.float32)
            return Tracks(group.track_id, group.boxes_xyxy, sure, group.class_id)
    return Tracks.none()
