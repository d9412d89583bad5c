"""From actors to pixels: backdrop, shadows, sprites by depth, light and sensor noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sin

import cv2
import numpy as np
import numpy.typing as npt

from edge.ingest.synthetic import figures, vehicles
from edge.ingest.synthetic.actors import Actor, State
from edge.ingest.synthetic.backdrop import paint_backdrop
from edge.ingest.synthetic.camera import Array
from edge.ingest.synthetic.props import prop_shapes
from edge.ingest.synthetic.scene import Scene
from edge.ingest.synthetic.shapes import Image, Shape, bounds, hull, paint

SHADOW = 0.42  # light that a shadow takes away
NOISE_STD = 2.2  # grey levels
NOISE_SHIFT_PX = 61  # tiles of noise are laid at random offsets up to this
DRIFTS = ((0.045, 97.0), (0.02, 23.0))  # lighting: relative strength and period in seconds


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An actor as shapes in the picture."""

    actor: Actor
    state: State
    shapes: list[Shape]
    box_xyxy: Array  # (4,) pixels, not clipped
    depth_m: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cover:
    """A piece of furniture that hides what is behind it."""

    depth_m: float
    rows: slice
    columns: slice
    pixels: Image
    mask: npt.NDArray[np.bool_]  # (h, w, 1)


def sprite(scene: Scene, actor: Actor, time_s: float) -> Sprite:
    """How an actor looks at a time of its life."""
    state = actor.at(time_s)
    draw = {
        "person": figures.person, "bicycle": figures.cyclist, "bag": figures.bag,
        "car": vehicles.car,
    }[actor.species]  # fmt: skip
    shapes = draw(scene.camera, actor, state)
    depth = scene.camera.depth_m(state.x_m, state.z_m)
    return Sprite(actor, state, shapes, bounds(shapes), depth)


class Painter:
    """Draws frames of one scene; the backdrop is painted once."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        rng = np.random.default_rng([scene.scene_seed, 8])
        self.backdrop, self._covers = _furnished(scene, rng)
        self._seed = seed
        self._brighter, self._darker = _noise_tiles(self.backdrop.shape, seed)

    def frame(self, sprites: list[Sprite], index: int, time_s: float) -> Image:
        """The finished picture (H, W, 3) BGR."""
        picture = self.backdrop.copy()
        for each in sprites:
            self._shadow(picture, each)
        self.place(picture, sprites)
        return self._exposed(picture, index, time_s)

    def place(self, picture: Image, sprites: list[Sprite]) -> None:
        """Draw sprites and the furniture before them, far ones first, without shadows."""
        things: list[Sprite | _Cover] = [*sprites, *self._covers]
        for thing in sorted(things, key=lambda thing: -thing.depth_m):
            if isinstance(thing, Sprite):
                paint(picture, thing.shapes)
            else:
                np.copyto(picture[thing.rows, thing.columns], thing.pixels, where=thing.mask)

    def _shadow(self, picture: Image, each: Sprite) -> None:
        outline = _shadow_outline(self._scene, each)
        x1, y1, x2, y2 = np.rint(bounds([Shape(outline, (0, 0, 0))]))
        rows = slice(max(int(y1) - 3, 0), max(int(y2) + 3, 0))
        columns = slice(max(int(x1) - 3, 0), max(int(x2) + 3, 0))
        part = picture[rows, columns]
        if not part.size:
            return
        mask = np.full(part.shape[:2], 255, np.uint8)
        dark = round(255 * (1 - SHADOW))
        paint(mask, [Shape(outline - (columns.start, rows.start), (dark, dark, dark))])
        soft = cv2.cvtColor(cv2.blur(mask, (3, 3)), cv2.COLOR_GRAY2BGR)
        part[:] = cv2.multiply(part, soft, scale=1 / 255)

    def _exposed(self, picture: Image, index: int, time_s: float) -> Image:
        gain = 1.0 + sum(
            strength * sin(2 * pi * time_s / period + self._seed) for strength, period in DRIFTS
        )
        picture = np.asarray(cv2.convertScaleAbs(picture, alpha=gain), np.uint8)
        height, width = picture.shape[:2]
        rng = np.random.default_rng([self._seed, index])
        for tile, apply in ((self._brighter, cv2.add), (self._darker, cv2.subtract)):
            y, x = rng.integers(0, NOISE_SHIFT_PX, 2)
            apply(picture, tile[y : y + height, x : x + width], dst=picture)
        return picture


def _furnished(scene: Scene, rng: np.random.Generator) -> tuple[Image, list[_Cover]]:
    picture = paint_backdrop(scene)
    drawn: list[tuple[float, list[Shape]]] = []
    for prop in sorted(scene.props, key=lambda prop: -prop.z_m):
        shapes = prop_shapes(scene.camera, prop, rng)
        x1, _, x2, _ = bounds(shapes)
        if x2 > 0 and x1 < scene.camera.width_px:
            drawn.append((scene.camera.depth_m(prop.x_m, prop.z_m), shapes))
            paint(picture, shapes)
    return picture, [_cover(picture, depth_m, shapes) for depth_m, shapes in drawn]


def _cover(picture: Image, depth_m: float, shapes: list[Shape]) -> _Cover:
    mask = np.zeros(picture.shape[:2], np.uint8)
    paint(mask, [Shape(shape.points_px, (255, 255, 255)) for shape in shapes])
    x, y, wide, high = cv2.boundingRect(mask)
    rows, columns = slice(y, y + high), slice(x, x + wide)
    solid = mask[rows, columns, None] > 127
    return _Cover(depth_m, rows, columns, picture[rows, columns].copy(), solid)


def _shadow_outline(scene: Scene, each: Sprite) -> Array:
    """The ground in an object's shade, in pixels, (n, 2)."""
    state, height_m = each.state, each.actor.look.height_m
    if each.actor.species == "car":
        ground = vehicles.footprint(state)
    else:
        turn = np.linspace(0, 2 * pi, 9)[:-1]
        wide = {"person": 0.22, "bicycle": 0.55, "bag": 0.3}[each.actor.species]
        ground = np.column_stack([wide * np.cos(turn), 0.2 * np.sin(turn)])
        ground += np.array([state.x_m, state.z_m])
    reach = 0.8 * height_m * np.array(scene.sun)
    both = np.concatenate([ground, ground + reach])
    points = np.column_stack([both[:, 0], np.zeros(len(both)), both[:, 1]])
    return hull(scene.camera.project(points))


def _noise_tiles(shape: tuple[int, ...], seed: int) -> tuple[Image, Image]:
    """Two tiles, of what noise adds and of what it takes: saturating 8-bit sums are the fastest."""
    rng = np.random.default_rng([seed, 9])
    size = (shape[0] + NOISE_SHIFT_PX, shape[1] + NOISE_SHIFT_PX)
    grey = rng.normal(0, NOISE_STD, (*size, 1)) + rng.normal(0, NOISE_STD / 2, (*size, 3))
    tile = np.rint(np.abs(grey) * np.sqrt(0.5)).astype(np.uint8)
    return tile, np.asarray(np.roll(tile, size[1] // 2, axis=1), np.uint8)
