"""Cars: a profile drawn out across the width, seen by the camera from any side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.ingest.synthetic.actors import Actor, Colour, State
from edge.ingest.synthetic.camera import Array, Camera
from edge.ingest.synthetic.shapes import Shape, shade

WIDTH_M = 1.76
WHEEL_M = 0.32
GLASS: Colour = (95, 78, 62)
Outline = Sequence[tuple[float, float]]  # forward, up in metres

# From the rear bumper over the roof to the front bumper; second, the cabin's windows.
_HATCH: Outline = [(-1.95, 0.3), (-2.0, 0.75), (-1.9, 0.95), (-1.45, 1.44), (-0.2, 1.48),
                   (0.75, 0.98), (1.75, 0.84), (2.0, 0.62), (1.98, 0.3)]  # fmt: skip
_SALOON: Outline = [(-2.2, 0.3), (-2.25, 0.8), (-2.15, 0.98), (-1.45, 1.02), (-0.9, 1.40),
                    (0.1, 1.42), (0.9, 0.98), (1.95, 0.82), (2.2, 0.6), (2.18, 0.3)]  # fmt: skip
_VAN: Outline = [(-2.3, 0.3), (-2.35, 1.0), (-2.25, 1.95), (-1.9, 2.0), (0.9, 1.98),
                 (1.6, 1.25), (2.2, 1.05), (2.35, 0.7), (2.32, 0.3)]  # fmt: skip
_PROFILES = (_HATCH, _SALOON, _VAN)
_WINDOWS: tuple[tuple[Outline, ...], ...] = (
    ([(-1.62, 1.0), (-1.32, 1.37), (-0.62, 1.4), (-0.62, 0.98)],
     [(-0.54, 0.98), (-0.54, 1.4), (-0.2, 1.4), (0.52, 1.0)]),
    ([(-1.22, 1.02), (-0.82, 1.33), (-0.42, 1.35), (-0.42, 1.0)],
     [(-0.34, 1.0), (-0.34, 1.35), (0.08, 1.35), (0.7, 1.0)]),
    ([(0.45, 1.28), (0.45, 1.85), (0.88, 1.85), (1.38, 1.3)],),
)  # fmt: skip
_AXLES_M = ((-1.25, 1.22), (-1.4, 1.38), (-1.5, 1.5))
_GLAZED = ((2, 4), (3, 5), (4,))  # profile segments that are windows, by their first point
_LAMPS: tuple[tuple[Outline, Colour], ...] = (
    ([(1.75, 0.62), (1.75, 0.76), (1.95, 0.7), (1.99, 0.58)], (215, 240, 250)),
    ([(-1.96, 0.7), (-1.94, 0.9), (-1.8, 0.9), (-1.82, 0.7)], (40, 40, 200)),
)


def car(camera: Camera, actor: Actor, state: State) -> list[Shape]:
    """A car that drives along the street, left or right."""
    body = _Body(camera, state)
    style, paint = actor.look.style, actor.look.upper
    profile = _PROFILES[style]
    near_m, far_m = state.z_m - WIDTH_M / 2, state.z_m + WIDTH_M / 2
    near = body.at(profile, near_m)
    shapes = _wheels(body, far_m, style)
    shapes += _surfaces(near, body.at(profile, far_m), style, paint)
    shapes.append(Shape(near, paint))
    sill = [(-1.9, 0.3), (-1.9, 0.45), (1.9, 0.45), (1.9, 0.3)]
    shapes.append(Shape(body.at(sill, near_m), shade(paint, 0.6)))
    shapes += [Shape(body.at(window, near_m), GLASS) for window in _WINDOWS[style]]
    reach = profile[-2][0] - 2.0  # longer bodies carry their lamps further out
    for lamp, colour in _LAMPS:
        moved = [(x + reach * np.sign(x), y) for x, y in lamp]
        shapes.append(Shape(body.at(moved, near_m), colour))
    return shapes + _wheels(body, near_m - 0.01, style)


def footprint(state: State) -> Array:
    """Corners (4, 2), x and z, of the ground that a car covers."""
    across = WIDTH_M / 2
    corners = np.array([(-2.0, -across), (2.0, -across), (2.0, across), (-2.0, across)])
    return np.asarray(corners + np.array([state.x_m, state.z_m]))


class _Body:
    """Outlines in the upright planes of a car, to pixels."""

    def __init__(self, camera: Camera, state: State) -> None:
        self._camera = camera
        self._x_m = state.x_m
        self._ahead = 1.0 if state.facing[0] > 0 else -1.0

    def at(self, outline: Outline, z_m: float) -> Array:
        """Points forward and up at a depth, (n, 2) pixels."""
        flat = np.array(outline)
        x_m = self._x_m + self._ahead * flat[:, 0]
        return self._camera.project(np.column_stack([x_m, flat[:, 1], np.full(len(flat), z_m)]))


def _surfaces(near: Array, far: Array, style: int, paint: Colour) -> list[Shape]:
    """What lies between the two sides and looks at the camera: lid, panes, roof, an end."""
    profile = np.array(_PROFILES[style])
    strips = np.stack([near[:-1], near[1:], far[1:], far[:-1]], axis=1)  # (n, 4, 2)
    diagonals = strips[:, 2] - strips[:, 0], strips[:, 3] - strips[:, 1]
    area = diagonals[0][:, 0] * diagonals[1][:, 1] - diagonals[0][:, 1] * diagonals[1][:, 0]
    step = np.diff(profile, axis=0)
    up = np.abs(step[:, 0]) / np.hypot(*step.T)  # 1: faces the sky
    facing = area * area[up.argmax()] > 0  # the camera is above: it sees the roof
    shapes = []
    for first in np.flatnonzero(facing):
        glazed = first in _GLAZED[style]
        base, tone = (GLASS, 0.8) if glazed else (paint, 0.72)
        shapes.append(Shape(strips[first], shade(base, tone + 0.5 * float(up[first]))))
    return shapes


def _wheels(body: _Body, z_m: float, style: int) -> list[Shape]:
    turn = np.linspace(0, 2 * np.pi, 17)[:-1]
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    shapes = []
    for axle in _AXLES_M[style]:
        for radius, colour in ((WHEEL_M, (28, 28, 30)), (0.55 * WHEEL_M, (150, 150, 152))):
            rim = circle * radius + (axle, WHEEL_M)
            shapes.append(Shape(body.at(list(map(tuple, rim)), z_m), colour))
    return shapes
