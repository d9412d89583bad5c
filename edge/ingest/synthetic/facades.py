"""Walls painted flat: house fronts with windows, shop fronts and awnings; or a shop's shelves."""

from __future__ import annotations

import cv2
import numpy as np

from edge.ingest.synthetic.actors import Colour
from edge.ingest.synthetic.scene import Kind
from edge.ingest.synthetic.shapes import Image, shade

SKY: Colour = (232, 218, 200)
STREET_HEIGHT_M = 13.0
SHOP_HEIGHT_M = 3.6
GROUND_FLOOR_M, FLOOR_M = 3.7, 3.0

_PLASTER: tuple[Colour, ...] = (
    (95, 115, 165), (165, 190, 210), (150, 165, 175), (120, 150, 185), (175, 180, 165),
    (130, 140, 150), (190, 200, 208),
)  # fmt: skip
_SIGNS: tuple[Colour, ...] = (
    (60, 60, 150), (110, 75, 40), (60, 100, 60), (50, 50, 55), (40, 120, 180), (120, 50, 100),
)  # fmt: skip


class Wall:
    """A flat picture addressed in metres, x from the middle and y from the foot up."""

    def __init__(self, half_width_m: float, height_m: float, pixels_per_m: int) -> None:
        self._scale, self._half, self._height = pixels_per_m, half_width_m, height_m
        size = (round(height_m * pixels_per_m), round(2 * half_width_m * pixels_per_m), 3)
        self.picture: Image = np.zeros(size, np.uint8)

    def box(self, x_m: float, y_m: float, wide_m: float, high_m: float, colour: Colour) -> None:
        """Fill a rectangle given by its lower left corner."""
        left, right = self._column(x_m), self._column(x_m + wide_m)
        top, bottom = self._row(y_m + high_m), self._row(y_m)
        self.picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = colour

    def polygon(self, points_m: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        pixels = [(self._column(x), self._row(y)) for x, y in points_m]
        cv2.fillPoly(self.picture, [np.array(pixels, np.int32)], colour)

    def roughen(self, spread: float, rng: np.random.Generator) -> None:
        """Give all surfaces some grain."""
        grain = rng.normal(1, spread, self.picture.shape[:2])[:, :, None]
        self.picture = np.asarray(np.clip(self.picture * grain, 0, 255), np.uint8)

    def _column(self, x_m: float) -> int:
        return round((x_m + self._half) * self._scale)

    def _row(self, y_m: float) -> int:
        return round((self._height - y_m) * self._scale)


def wall_texture(
    kind: Kind, half_width_m: float, pixels_per_m: int, rng: np.random.Generator
) -> tuple[Image, float]:
    """The wall behind a street or a shop, and its height in metres."""
    height_m = SHOP_HEIGHT_M if kind == "shop" else STREET_HEIGHT_M
    wall = Wall(half_width_m, height_m, pixels_per_m)
    x = -half_width_m
    while x < half_width_m:
        wide = rng.uniform(2.2, 3.4) if kind == "shop" else rng.uniform(6.5, 10.5)
        if kind == "shop":
            _shelf(wall, x, wide, rng)
        else:
            _house(wall, x, wide, rng)
        x += wide
    wall.roughen(0.02, rng)
    return wall.picture, height_m


def _house(wall: Wall, x: float, wide: float, rng: np.random.Generator) -> None:
    plaster = _PLASTER[rng.integers(len(_PLASTER))]
    wall.box(x, 0, wide, STREET_HEIGHT_M, plaster)
    wall.box(x, 0, 0.12, STREET_HEIGHT_M, shade(plaster, 0.72))
    count = max(2, int(wide / rng.uniform(2.0, 2.8)))
    gap = wide / count
    for y in np.arange(GROUND_FLOOR_M + 0.9, STREET_HEIGHT_M - 1.5, FLOOR_M):
        wall.box(x, y - 0.95, wide, 0.12, shade(plaster, 0.85))
        for number in range(count):
            _window(wall, x + (number + 0.5) * gap - 0.5, float(y), shade(plaster, 1.15), rng)
    _shop_front(wall, x, wide, plaster, rng)


def _window(wall: Wall, x: float, y: float, frame: Colour, rng: np.random.Generator) -> None:
    glass = shade((150, 125, 100), rng.uniform(0.45, 0.95))
    wall.box(x - 0.1, y - 0.1, 1.2, 1.7, frame)
    wall.box(x, y, 1.0, 1.5, glass)
    wall.polygon([(x, y + 1.5), (x + 0.7, y + 1.5), (x, y + 0.5)], shade(glass, 1.25))
    if rng.random() < 0.4:  # curtains
        wall.box(x, y, 0.22, 1.5, (190, 200, 205))
        wall.box(x + 0.78, y, 0.22, 1.5, (190, 200, 205))
    wall.box(x + 0.47, y, 0.06, 1.5, frame)
    wall.box(x - 0.15, y - 0.18, 1.3, 0.1, shade(frame, 0.8))


def _shop_front(
    wall: Wall, x: float, wide: float, plaster: Colour, rng: np.random.Generator
) -> None:
    sign = _SIGNS[rng.integers(len(_SIGNS))]
    wall.box(x + 0.2, 0, wide - 0.4, 3.4, shade(sign, 0.7))
    wall.box(x + 0.2, 0, wide - 0.4, 0.45, shade(plaster, 0.6))
    door = x + rng.choice([0.5, wide - 1.7])
    panes = [(x + 0.4, door - 0.2), (door + 1.4, x + wide - 0.4)]
    for left, right in panes:
        if right - left > 0.6:
            _display(wall, left, right - left, rng)
    wall.box(door, 0, 1.2, 2.4, shade(sign, 0.45))
    wall.box(door + 0.15, 0.5, 0.9, 1.75, (105, 95, 80))
    wall.box(x + 0.2, 2.85, wide - 0.4, 0.6, sign)
    letter = x + wide * 0.3
    while letter < x + wide * 0.68:  # lettering, too small to read
        size = rng.uniform(0.12, 0.3)
        wall.box(letter, 3.02, size, rng.uniform(0.2, 0.28), (225, 230, 235))
        letter += size + 0.09
    if rng.random() < 0.55:
        _awning(wall, x + 0.3, wide - 0.6, sign)


def _display(wall: Wall, x: float, wide: float, rng: np.random.Generator) -> None:
    """A lit window with things in it."""
    wall.box(x, 0.5, wide, 2.1, (135, 150, 155))
    for _ in range(int(wide * 3)):
        colour = shade(_SIGNS[rng.integers(len(_SIGNS))], rng.uniform(0.9, 1.8))
        size = rng.uniform(0.15, 0.4)
        wall.box(x + rng.uniform(0, max(wide - size, 0.01)), 0.5 + rng.choice([0.0, 0.7]),
                 size, rng.uniform(0.2, 0.6), colour)  # fmt: skip
    wall.polygon([(x, 2.6), (x + wide * 0.35, 2.6), (x, 1.4)], (185, 190, 190))


def _awning(wall: Wall, x: float, wide: float, colour: Colour) -> None:
    count = max(4, int(wide / 0.5))
    step = wide / count
    for number in range(count):
        tone = (222, 226, 228) if number % 2 else shade(colour, 1.4)
        left = x + number * step
        wall.polygon([(left, 2.9), (left + step, 2.9), (left + step, 2.3), (left + step / 2, 2.2),
                      (left, 2.3)], tone)  # fmt: skip
    wall.box(x, 2.12, wide, 0.06, (70, 70, 70))


def _shelf(wall: Wall, x: float, wide: float, rng: np.random.Generator) -> None:
    """One bay of goods, five boards high, under a strip of wall and a light."""
    wall.box(x, 0, wide, SHOP_HEIGHT_M, (196, 205, 210))
    wall.box(x, SHOP_HEIGHT_M - 0.2, wide, 0.2, (240, 245, 245))
    wall.box(x + 0.05, 0, wide - 0.1, 2.2, (96, 100, 104))
    kinds = [shade(_SIGNS[rng.integers(len(_SIGNS))], rng.uniform(1.0, 2.2)) for _ in range(4)]
    for board in np.arange(0.12, 2.0, 0.42):
        at = x + 0.12
        while at < x + wide - 0.3:
            size = rng.uniform(0.08, 0.2)
            colour = shade(kinds[int(rng.integers(4))], rng.uniform(0.85, 1.15))
            wall.box(at, board, size, rng.uniform(0.2, 0.34), colour)
            at += size + 0.02
        wall.box(x + 0.05, board - 0.05, wide - 0.1, 0.05, (170, 178, 182))
    wall.box(x, 0, 0.07, 2.3, (60, 62, 66))
    banner = _SIGNS[rng.integers(len(_SIGNS))]
    wall.box(x + 0.3, 2.45, wide - 0.6, 0.5, shade(banner, 1.3))
    wall.box(x + 0.6, 2.62, wide - 1.2, 0.14, (225, 230, 235))
