"""The lasting part of a street: its camera, strips of ground, lanes and street furniture.

Everything here follows from the kind and the scene seed; who walks there is another seed's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import radians
from typing import Literal, get_args

import numpy as np

from edge.errors import ConfigError
from edge.ingest.synthetic.camera import Camera

Kind = Literal["precinct", "road", "shop"]
Use = Literal["walk", "one_way", "drive", "service", "browse"]
Material = Literal["paving", "slabs", "asphalt", "tiles", "marked"]
PropKind = Literal["lamp", "tree", "bench", "bollard", "table"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Strip:
    """Ground of one material, all along the street."""

    near_m: float
    far_m: float
    material: Material


@dataclass(frozen=True, slots=True)
class Lane:
    """Where traffic of one sort moves; direction +1 is rightwards, 0 is both ways."""

    use: Use
    near_m: float
    far_m: float
    direction: int
    arrivals_hz: float  # walkers, browsers or cars per second

    @property
    def middle_m(self) -> float:
        """Its centre line."""
        return (self.near_m + self.far_m) / 2


@dataclass(frozen=True, slots=True)
class Prop:
    """A still thing that people pass in front of and behind."""

    kind: PropKind
    x_m: float
    z_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One camera's street without its people."""

    kind: Kind
    scene_seed: int
    camera: Camera
    strips: tuple[Strip, ...]
    lanes: tuple[Lane, ...]
    props: tuple[Prop, ...]
    wall_m: float  # z of the facades, or of the shop's back wall
    sun: tuple[float, float]  # shadow's reach on the ground (x, z) per metre of height

    def lanes_for(self, *uses: Use) -> tuple[Lane, ...]:
        """The lanes of these uses, nearest first."""
        return tuple(lane for lane in self.lanes if lane.use in uses)


def build_scene(kind: Kind, scene_seed: int, *, width_px: int, height_px: int) -> Scene:
    """The street that a kind and a seed name; ConfigError for a kind that does not exist."""
    if kind not in KINDS:
        raise ConfigError(f"no synthetic street of kind {kind!r}: choose from {', '.join(KINDS)}")
    rng = np.random.default_rng([scene_seed, KINDS.index(kind)])
    low, high, pitch = (3.1, 3.4, 14.0) if kind == "shop" else (4.5, 5.3, 12.0)
    camera = Camera.mounted(
        width_px=width_px,
        height_px=height_px,
        mount_m=rng.uniform(low, high),
        yaw_rad=radians(rng.uniform(-12, 12)),
        pitch_rad=radians(pitch + rng.uniform(-1, 1)),
    )
    flow = int(rng.choice([-1, 1]))
    layout = {"precinct": _precinct, "road": _road, "shop": _shop}[kind]
    strips, lanes, props, wall_m = layout(flow, rng)
    sun = (0.0, 0.0) if kind == "shop" else (rng.choice([-1, 1]) * rng.uniform(0.5, 0.9), 0.25)
    return Scene(kind, scene_seed, camera, strips, lanes, props, wall_m, sun)


Layout = tuple[tuple[Strip, ...], tuple[Lane, ...], tuple[Prop, ...], float]


def _precinct(flow: int, rng: np.random.Generator) -> Layout:
    strips = (
        Strip(0, 12, "paving"),
        Strip(12, 13.8, "marked"),  # arrows on the ground: everybody walks one way here
        Strip(13.8, 17, "slabs"),
        Strip(17, 22, "paving"),
    )
    lanes = (
        Lane("walk", 8.6, 10.9, 0, 0.13),
        Lane("one_way", 12.3, 12.9, flow, 0.12),
        Lane("service", 14.4, 16.6, 0, 0.0),  # wide enough for a car, where none should be
        Lane("walk", 17.4, 20.5, 0, 0.22),
    )
    trees = _row("tree", 14.1, 8.5, rng)
    return strips, lanes, (*trees, *_row("lamp", 17.0, 11, rng), *_row("bench", 21.4, 13, rng)), 22


def _road(flow: int, rng: np.random.Generator) -> Layout:
    strips = (
        Strip(0, 10.4, "slabs"),
        Strip(10.4, 17.6, "asphalt"),
        Strip(17.6, 22, "slabs"),
    )
    lanes = (
        Lane("walk", 8.3, 9.2, 0, 0.10),
        Lane("drive", 10.4, 14.0, flow, 0.16),
        Lane("drive", 14.0, 17.6, -flow, 0.16),
        Lane("walk", 18.7, 20.9, 0, 0.20),
    )
    props = (*_row("lamp", 17.9, 12, rng), *_row("bollard", 10.0, 2.5, rng))
    return strips, lanes, (*props, *_row("tree", 18.1, 12, rng)), 22


def _shop(flow: int, rng: np.random.Generator) -> Layout:
    strips = (Strip(0, 5.9, "tiles"), Strip(5.9, 7.3, "marked"), Strip(7.3, 15, "tiles"))
    lanes = (
        Lane("one_way", 6.1, 7.1, flow, 0.06),
        Lane("browse", 7.9, 8.8, 0, 0.05),
        Lane("browse", 11.6, 14.0, 0, 0.08),
    )
    return strips, lanes, _row("table", 10.2, 4.2, rng), 15


def _row(kind: PropKind, z_m: float, gap_m: float, rng: np.random.Generator) -> tuple[Prop, ...]:
    start = rng.uniform(0, gap_m)
    return tuple(Prop(kind, float(x), z_m) for x in np.arange(-30 + start, 30, gap_m))
