"""How people move: the joints of a walker, a runner and a cyclist at any moment.

Joints are pairs forward, up in body heights; the phase of a stride follows from the distance
travelled, so that feet do not slide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import asin, atan2, cos, hypot, pi, sin

import numpy as np

from edge.ingest.synthetic.actors import Look, State
from edge.ingest.synthetic.camera import Array

THIGH, SHIN, FOOT = 0.245, 0.235, 0.085  # parts of the body height
HIP, SHOULDER, HEAD = 0.50, 0.815, 0.925
UPPER_ARM, FOREARM = 0.17, 0.20
ANKLE = 0.035

SADDLE_M = (-0.22, 0.98)  # forward of the bottom bracket and up
BAR_M = (0.42, 1.02)
CRANK_M, BRACKET_M = 0.17, 0.36
PEDAL_TURN_M = 5.0  # a turn of the pedals takes the bicycle that far
RIDING_BEND_RAD = 0.62
STOOP_S = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where the joints are, in body heights; index 0 of legs and arms is the right side."""

    legs: Array  # (2, 4, 2) hip, knee, ankle, toe, relative to the pelvis
    arms: Array  # (2, 3, 2) shoulder, elbow, wrist, relative to the chest
    pelvis: Array  # (2,)
    bend_rad: float  # of the back, forward

    @property
    def chest(self) -> Array:
        """Between the shoulders, (2,)."""
        back = np.array([sin(self.bend_rad), cos(self.bend_rad)])
        return np.asarray(self.pelvis + back * (SHOULDER - HIP))

    @property
    def head(self) -> Array:
        """The middle of the skull, (2,); it is held straighter than the back."""
        up = np.array([sin(self.bend_rad / 2), cos(self.bend_rad / 2)])
        return np.asarray(self.chest + up * (HEAD - SHOULDER))


@dataclass(frozen=True, slots=True)
class Gait:
    """How the limbs swing."""

    swing_rad: float
    knee_rad: float
    bent_knee_rad: float
    elbow_rad: float
    lean_rad: float
    flight: float  # stride length over the reach of the legs: above 1 both feet leave the ground
    bounce: float  # body heights


WALK = Gait(0.42, 0.85, 0.06, 0.25, 0.04, 1.0, 0.0)
RUN = Gait(0.72, 1.55, 0.25, 1.55, 0.22, 1.45, 0.02)


def on_foot(state: State, look: Look) -> Pose:
    """Somebody who walks, runs or stands."""
    gait = _gait(state)
    stride_m = 4 * (THIGH + SHIN) * look.height_m * sin(gait.swing_rad) * gait.flight
    phase = 2 * pi * state.travelled_m / stride_m + look.phase_rad
    stoop = _stoop(state)
    legs = np.array([_leg(phase + turn, gait, state.effort, stoop) for turn in (0.0, pi)])
    arms = np.array([_arm(phase + turn, gait, state, stoop) for turn in (pi, 0.0)])
    ground = -float(legs[:, 2, 1].min()) + ANKLE + gait.bounce * abs(sin(phase))
    pelvis = np.array([-0.08 * stoop, ground])
    return Pose(legs, arms, pelvis, 1.05 * stoop + gait.lean_rad * state.effort)


def on_bicycle(state: State, height_m: float) -> Pose:
    """A rider on the saddle with hands on the bar."""
    phase = 2 * pi * state.travelled_m / PEDAL_TURN_M
    pelvis = np.array(SADDLE_M) / height_m
    legs = np.array([_pedalling(phase, height_m), _pedalling(phase + pi, height_m)])
    pose = Pose(legs, np.zeros((2, 3, 2)), pelvis, RIDING_BEND_RAD)
    reach = np.array(BAR_M) / height_m - pose.chest
    arm = _two_bones(reach, UPPER_ARM, FOREARM, side=-1)
    return replace(pose, arms=np.array([arm, arm]))


def _gait(state: State) -> Gait:
    """Who walks slowly takes shorter steps."""
    if state.action == "running":
        return RUN
    return replace(WALK, swing_rad=WALK.swing_rad * min(1.1, max(0.55, state.speed_mps / 1.3)))


def _stoop(state: State) -> float:
    """0 upright … 1 bent down, over the time of putting a bag down."""
    if state.action != "dropping":
        return 0.0
    return float(sin(pi * min(1.0, max(0.0, state.action_s / STOOP_S))) ** 0.7)


def _leg(phase: float, gait: Gait, effort: float, stoop: float) -> Array:
    """Hip, knee, ankle and toe, (4, 2)."""
    thigh = effort * (gait.swing_rad * sin(phase) + gait.bent_knee_rad)
    thigh += 0.7 * stoop
    knee = effort * (gait.bent_knee_rad + gait.knee_rad * max(0.0, cos(phase)) ** 1.5)
    knee += 1.3 * stoop
    shin = thigh - knee
    x, y = sin(thigh) * THIGH, -cos(thigh) * THIGH
    foot_x, foot_y = x + sin(shin) * SHIN, y - cos(shin) * SHIN
    toe = (foot_x + cos(shin * 0.6) * FOOT, foot_y + sin(shin * 0.6) * FOOT)
    return np.array([(0.0, 0.0), (x, y), (foot_x, foot_y), toe])


def _arm(phase: float, gait: Gait, state: State, stoop: float) -> Array:
    """Shoulder, elbow and wrist, (3, 2)."""
    swing = 1.05 * gait.swing_rad * state.effort * sin(phase) + 0.45 * stoop
    fore = swing + 0.12 + gait.elbow_rad * state.effort
    if state.action == "browsing":  # a hand goes to the shelf
        swing, fore = 0.5 + 0.3 * sin(state.action_s), 1.3 + 0.5 * sin(0.9 * state.action_s)
    x, y = sin(swing) * UPPER_ARM, -cos(swing) * UPPER_ARM
    return np.array([(0.0, 0.0), (x, y), (x + sin(fore) * FOREARM, y - cos(fore) * FOREARM)])


def _pedalling(phase: float, height_m: float) -> Array:
    """Hip, knee, ankle and toe, (4, 2), the foot on its pedal."""
    pedal = np.array([CRANK_M * cos(phase), BRACKET_M - CRANK_M * sin(phase)])
    chain = _two_bones((pedal - SADDLE_M) / height_m, THIGH, SHIN, side=1)
    return np.concatenate([chain, chain[2:] + np.array([FOOT, -0.01])])


def _two_bones(end: Array, upper: float, lower: float, *, side: int) -> Array:
    """Joints (3, 2) of two bones from 0 towards an end; side 1 bends the joint forward."""
    dx, dy = end.tolist()
    reach = min(hypot(dx, dy), (upper + lower) * 0.999)
    cosine = (upper**2 + reach**2 - lower**2) / (2 * upper * reach)
    angle = atan2(dy, dx) + side * (pi / 2 - asin(min(1.0, max(-1.0, cosine))))
    x, y = upper * cos(angle), upper * sin(angle)
    rest = atan2(dy - y, dx - x)
    return np.array([(0.0, 0.0), (x, y), (x + lower * cos(rest), y + lower * sin(rest))])
