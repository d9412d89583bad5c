"""Sizes and colours of people and cars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.ingest.synthetic.actors import Colour, Look

_SKIN: tuple[Colour, ...] = ((170, 195, 230), (130, 165, 210), (85, 120, 170), (55, 80, 115))
_HAIR: tuple[Colour, ...] = ((25, 30, 35), (30, 50, 80), (70, 110, 150), (120, 125, 130))
_CLOTH: tuple[Colour, ...] = (
    (40, 40, 45), (110, 60, 35), (60, 60, 170), (70, 110, 60), (200, 200, 205),
    (150, 120, 60), (60, 150, 205), (140, 70, 130), (95, 90, 85), (35, 90, 190),
)  # fmt: skip
_TROUSERS: tuple[Colour, ...] = ((45, 40, 38), (110, 75, 50), (80, 80, 85), (75, 105, 135))
_PAINT: tuple[Colour, ...] = (
    (45, 45, 50), (190, 190, 195), (45, 45, 165), (140, 80, 40), (120, 120, 115), (230, 230, 230),
)  # fmt: skip


def person_look(rng: np.random.Generator) -> Look:
    """Somebody's size and clothes."""
    return Look(
        height_m=float(rng.uniform(1.58, 1.88)),
        upper=_pick(_CLOTH, rng),
        lower=_pick(_TROUSERS, rng),
        skin=_pick(_SKIN, rng),
        hair=_pick(_HAIR, rng),
        style=int(rng.integers(4)),
        phase_rad=float(rng.uniform(0, 2 * np.pi)),
    )


def _pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    blue, green, red = (
        int(np.clip(channel + rng.normal(0, 8), 10, 240))
        for channel in colours[rng.integers(len(colours))]
    )
    return blue, green, red


def car_look(rng: np.random.Generator) -> Look:
    """A car's paint and body."""
    look = replace(person_look(rng), upper=_pick(_PAINT, rng), style=int(rng.integers(3)))
    return replace(look, height_m=(1.48, 1.42, 2.0)[look.style])
