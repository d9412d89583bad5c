"""People, cyclists and bags as articulated figures.

A figure is a stick skeleton in metres (forward, sideways, up) whose limbs are thick; the camera
turns its three axes into pixels, so that it is right from the side, from the front and afar.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from edge.ingest.synthetic.actors import Actor, Colour, Look, State
from edge.ingest.synthetic.camera import Array, Camera
from edge.ingest.synthetic.gait import BAR_M, BRACKET_M, Pose, on_bicycle, on_foot
from edge.ingest.synthetic.shapes import Shape, capsules, disc, hull, shade

WHEEL_M, AXLE_M = 0.34, 0.52
SHOE: Colour = (35, 35, 40)
_STYLE_COAT, _STYLE_SKIRT, _STYLE_RUCKSACK = 1, 2, 3

# The joints of one side in order: shoulder, elbow, wrist, hip, knee, ankle, toe. Its limbs, as
# they are drawn: forearm, upper arm, foot, shin, thigh; thickness as part of the body height.
_FROM, _TO = [1, 0, 5, 4, 3], [2, 1, 6, 5, 4]
_THICK_FROM = np.array([0.026, 0.033, 0.021, 0.036, 0.055])
_THICK_TO = np.array([0.020, 0.027, 0.016, 0.024, 0.038])
_ASIDE = np.array([0.105, 0.105, 0.105, 0.045, 0.045, 0.045, 0.045])
_SIDES = np.array([1.0, -1.0])  # the right hand, the left


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """The figure's own axes in the picture."""

    foot_px: Array  # (2,)
    axes_px: Array  # (3, 2) pixels per metre forward, to the right hand, up
    scale_px: float  # pixels per metre across the line of sight
    right_is_near: bool
    away: bool  # turned from the camera: no face to be seen

    @classmethod
    def of(cls, camera: Camera, state: State, tall_m: float) -> Axes:
        """Axes at the place where the actor stands, for something ``tall_m`` high."""
        x, z, (fx, fz) = state.x_m, state.z_m, state.facing
        corners = np.array(
            [
                (x, 0.0, z),
                (x + fx / 2, 0.0, z + fz / 2),
                (x + fz / 2, 0.0, z - fx / 2),
                (x, tall_m, z),
            ]
        )
        pixels = camera.project(corners)
        axes = (pixels[1:] - pixels[0]) / np.array([[0.5], [0.5], [tall_m]])
        return cls(pixels[0], axes, float(np.hypot(*axes[2])), fx > 0, fz > 0.6)

    def flat(self, points_m: Array) -> Array:
        """Points (..., 2) forward and up in metres to pixels (..., 2)."""
        return np.asarray(points_m @ self.axes_px[::2] + self.foot_px)


def person(camera: Camera, actor: Actor, state: State) -> list[Shape]:
    """Somebody on foot."""
    axes = Axes.of(camera, state, actor.look.height_m)
    pose = on_foot(state, actor.look)
    return _dressed(axes, actor.look, pose, carrying=state.carrying)


def cyclist(camera: Camera, actor: Actor, state: State) -> list[Shape]:
    """A bicycle and its rider."""
    axes = Axes.of(camera, state, 1.75)
    rider = _dressed(axes, actor.look, on_bicycle(state, actor.look.height_m), carrying=False)
    return [*_bicycle(axes, shade(actor.look.lower, 1.5), state.travelled_m), *rider]


def bag(camera: Camera, actor: Actor, state: State) -> list[Shape]:
    """A holdall on the ground."""
    axes = Axes.of(camera, state, 0.5)
    return _holdall(axes, axes.foot_px, actor.look)


def _dressed(axes: Axes, look: Look, pose: Pose, *, carrying: bool) -> list[Shape]:
    """Clothe a skeleton, far parts first."""
    joints = _joints(axes, look.height_m, pose)
    px = look.height_m * axes.scale_px
    limbs = capsules(joints[:, _FROM], joints[:, _TO], _THICK_FROM * px, _THICK_TO * px)
    near, far = (0, 1) if axes.right_is_near else (1, 0)
    shapes = [
        *_arm(limbs[far], joints[far], px, look, 0.72),
        *_leg(limbs[far], look, 0.75),
        *_leg(limbs[near], look, 1.0),
        *_trunk(axes, look, joints, pose, px),
        *_head(axes, look, pose, px),
    ]
    if carrying:
        bottom = joints[near, 2] - 0.42 * axes.axes_px[2]
        shapes.extend(_holdall(axes, bottom, look))
    return [*shapes, *_arm(limbs[near], joints[near], px, look, 1.12)]


def _joints(axes: Axes, height_m: float, pose: Pose) -> Array:
    """The joints of both sides in pixels, (2, 7, 2)."""
    flat = np.concatenate([pose.arms + pose.chest, pose.legs + pose.pelvis], axis=1)
    aside = _SIDES[:, None] * _ASIDE * height_m  # (2, 7)
    return np.asarray(axes.flat(flat * height_m) + aside[:, :, None] * axes.axes_px[1])


def _arm(limbs: Array, joints: Array, px: float, look: Look, tone: float) -> list[Shape]:
    cloth = shade(look.upper, tone)
    hand = Shape(disc(joints[2], 0.024 * px), shade(look.skin, tone))
    return [hand, Shape(limbs[0], cloth), Shape(limbs[1], cloth)]


def _leg(limbs: Array, look: Look, tone: float) -> list[Shape]:
    cloth = shade(look.skin if look.style == _STYLE_SKIRT else look.lower, tone)
    return [Shape(limbs[2], SHOE), Shape(limbs[3], cloth), Shape(limbs[4], cloth)]


def _trunk(axes: Axes, look: Look, joints: Array, pose: Pose, px: float) -> list[Shape]:
    """Skirt, coat tails or rucksack, and the jacket."""
    shapes = []
    shoulders, hips, knees = joints[:, 0], joints[:, 3], joints[:, 4]
    if look.style in (_STYLE_COAT, _STYLE_SKIRT):
        hem = hips + 0.85 * (knees - hips)
        skirt = hull(np.concatenate([disc(p, 0.055 * px) for p in (*hips, *hem)]))
        cloth = look.upper if look.style == _STYLE_COAT else look.lower
        shapes.append(Shape(skirt, shade(cloth, 0.92)))
    if look.style == _STYLE_RUCKSACK:
        middle = axes.flat((pose.chest - [0.095, 0.10]) * look.height_m)
        shapes.append(Shape(disc(middle, 0.065 * px, 1.6), shade(look.lower, 1.3)))
    corners = np.concatenate(
        [*(disc(p, 0.060 * px) for p in hips), *(disc(p, 0.050 * px) for p in shoulders)]
    )
    return [*shapes, Shape(hull(corners), look.upper)]


def _head(axes: Axes, look: Look, pose: Pose, px: float) -> list[Shape]:
    neck_skull = axes.flat(np.array([pose.chest, pose.head]) * look.height_m)
    skull = neck_skull[1]
    back = -0.016 * look.height_m * axes.axes_px[0]
    up = 0.014 * look.height_m * axes.axes_px[2]
    thick = np.array([0.03 * px])
    neck = Shape(capsules(neck_skull[:1], neck_skull[1:], thick, thick)[0], shade(look.skin, 0.85))
    hair = Shape(disc(skull + back + up, 0.056 * px, 1.15), look.hair)
    face = Shape(disc(skull - back - up * 0.7, 0.046 * px, 1.25), look.skin)
    if axes.away:
        return [neck, face, hair]
    fringe = Shape(disc(skull + back * 0.8 + up * 2.4, 0.046 * px, 0.7), look.hair)
    return [neck, hair, face, fringe]


def _holdall(axes: Axes, bottom_px: Array, look: Look) -> list[Shape]:
    """0.6 m long, 0.36 m high, a band round its middle and a handle."""

    def outline(*points_m: tuple[float, float]) -> Array:
        return np.asarray(np.array(points_m) @ axes.axes_px[::2] + bottom_px)

    side = outline(
        (-0.3, 0.02), (0.3, 0.02), (0.31, 0.28), (0.22, 0.36), (-0.22, 0.36), (-0.31, 0.28)
    )
    band = outline((-0.06, 0.02), (0.06, 0.02), (0.06, 0.36), (-0.06, 0.36))
    handle = outline((-0.12, 0.36), (-0.08, 0.45), (0.08, 0.45), (0.12, 0.36))
    cloth = (40, 35, 130) if sum(look.upper) > 330 else (60, 120, 175)
    line = max(1, round(0.04 * axes.scale_px))
    return [Shape(handle, shade(cloth, 0.5), line), Shape(side, cloth),
            Shape(band, shade(cloth, 0.6))]  # fmt: skip


def _bicycle(axes: Axes, colour: Colour, travelled_m: float) -> list[Shape]:
    """Two wheels with turning spokes, and the frame."""
    turn = np.linspace(0, 2 * pi, 17)[:-1]
    rim = np.column_stack([np.cos(turn), np.sin(turn)]) * WHEEL_M
    tyre, tube = (max(1, round(wide * axes.scale_px)) for wide in (0.05, 0.035))
    angle = -travelled_m / WHEEL_M
    spoke = np.array([cos(angle), sin(angle)]) * WHEEL_M
    shapes = []
    for ahead in (-AXLE_M, AXLE_M):
        hub = np.array([ahead, WHEEL_M])
        shapes.append(Shape(axes.flat(hub + rim), (28, 28, 30), tyre))
        for leg in (spoke, spoke[::-1] * [-1, 1]):
            shapes.append(Shape(axes.flat(np.array([hub - leg, hub + leg])), (120, 120, 120), 1))
    rear, crank, seat = (-AXLE_M, WHEEL_M), (0.0, BRACKET_M), (-0.2, 0.9)
    head, front, bar = (0.38, 0.85), (AXLE_M, WHEEL_M), (BAR_M[0] - 0.08, BAR_M[1])
    tubes = [(rear, crank, seat), (crank, head, seat), (head, front), (head, bar)]
    return shapes + [Shape(axes.flat(np.array(each)), colour, tube) for each in tubes]
