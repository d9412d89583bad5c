"""Street furniture that stands in front of people and behind them."""

from __future__ import annotations

import numpy as np

from edge.ingest.synthetic.actors import Colour
from edge.ingest.synthetic.camera import Array, Camera
from edge.ingest.synthetic.scene import Prop
from edge.ingest.synthetic.shapes import Shape, capsules, disc, shade

IRON: Colour = (58, 62, 60)
WOOD: Colour = (62, 92, 128)


def prop_shapes(camera: Camera, prop: Prop, rng: np.random.Generator) -> list[Shape]:
    """The shapes of one piece of furniture, back to front."""
    place = _Place(camera, prop)
    return {
        "lamp": _lamp, "tree": _tree, "bench": _bench, "bollard": _bollard, "table": _table,
    }[prop.kind](place, rng)  # fmt: skip


class _Place:
    """A spot in the street: metres right, up, away of it to pixels."""

    def __init__(self, camera: Camera, prop: Prop) -> None:
        self._camera, self._origin = camera, np.array([prop.x_m, 0.0, prop.z_m])
        foot, head = self.at([(0, 0, 0), (0, 1, 0)])
        self.scale_px = float(np.hypot(*(head - foot)))

    def at(self, points_m: list[tuple[float, float, float]]) -> Array:
        return self._camera.project(self._origin + np.array(points_m))

    def post(self, low_m: float, high_m: float, radius_m: float, colour: Colour) -> Shape:
        foot_head = self.at([(0, low_m, 0), (0, high_m, 0)])
        wide = np.array([radius_m * self.scale_px])
        return Shape(capsules(foot_head[:1], foot_head[1:], wide, wide * 0.8)[0], colour)

    def block(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: Colour
    ) -> list[Shape]:
        """A box: its ends, its top and its front."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        shapes = [
            Shape(self.at([(e, y0, z0), (e, y1, z0), (e, y1, z1), (e, y0, z1)]), shade(colour, 0.6))
            for e in (x0, x1)
        ]
        top = self.at([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)])
        front = self.at([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)])
        return [*shapes, Shape(top, shade(colour, 1.2)), Shape(front, shade(colour, 0.85))]


def _lamp(place: _Place, rng: np.random.Generator) -> list[Shape]:
    top = place.at([(0, 4.6, 0)])[0]
    return [
        place.post(0.0, 0.7, 0.11, shade(IRON, 0.8)),
        place.post(0.0, 4.5, 0.055, IRON),
        Shape(disc(top, 0.2 * place.scale_px, 1.3), (200, 228, 235)),
        Shape(disc(top - [0, 0.25 * place.scale_px], 0.2 * place.scale_px, 0.4), IRON),
    ]


def _tree(place: _Place, rng: np.random.Generator) -> list[Shape]:
    """A trunk in a low bed and a crown of leaves."""
    shapes = place.block((-0.55, 0.55), (0, 0.35), (-0.5, 0.5), (120, 128, 135))
    shapes.append(place.post(0.3, 3.4, 0.11, (52, 70, 88)))
    tall = rng.uniform(4.1, 4.8)
    tone = rng.uniform(0.85, 1.15)
    for number in range(46):
        depth = number / 46
        right, up = np.clip(rng.normal(0, 0.6, 2), -0.95, 0.95)
        spot = place.at([(float(right), tall + float(up), 0)])[0]
        leaf = shade((48, 104, 72), tone * (0.55 + 0.55 * depth + 0.12 * float(up)))
        radius = rng.uniform(0.22, 0.42) * place.scale_px
        shapes.append(Shape(disc(spot, radius, rng.uniform(0.7, 1.0)), leaf))
    return shapes


def _bench(place: _Place, rng: np.random.Generator) -> list[Shape]:
    tone = shade(WOOD, rng.uniform(0.8, 1.2))
    shapes = [
        shape
        for x in (-0.75, 0.65)
        for shape in place.block((x, x + 0.1), (0, 0.42), (-0.2, 0.2), IRON)
    ]
    shapes += place.block((-0.9, 0.9), (0.55, 0.9), (0.2, 0.25), tone)
    return shapes + place.block((-0.9, 0.9), (0.42, 0.48), (-0.22, 0.22), tone)


def _bollard(place: _Place, rng: np.random.Generator) -> list[Shape]:
    return [
        place.post(0.0, 0.85, 0.07, IRON),
        place.post(0.66, 0.76, 0.072, shade((205, 208, 210), rng.uniform(0.9, 1.0))),
    ]


def _table(place: _Place, rng: np.random.Generator) -> list[Shape]:
    """A display table with goods on it."""
    shapes = place.block((-1.0, 1.0), (0, 0.75), (-0.45, 0.45), (150, 165, 178))
    for x in np.arange(-0.85, 0.75, 0.28):
        colour = (
            int(rng.integers(60, 220)),
            int(rng.integers(60, 200)),
            int(rng.integers(60, 220)),
        )
        high = 0.75 + rng.uniform(0.08, 0.3)
        shapes += place.block((x, x + 0.2), (0.75, high), (-0.15, 0.15), colour)
    return shapes
