"""The street as footage: frames with their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from math import inf

from edge.domain.truth import FrameTruth
from edge.errors import ConfigError
from edge.ingest.synthetic.behaviour import Anomaly
from edge.ingest.synthetic.draw import Painter, Sprite, sprite
from edge.ingest.synthetic.scene import Kind, build_scene
from edge.ingest.synthetic.shapes import Image
from edge.ingest.synthetic.truth import visible_objects
from edge.ingest.synthetic.world import Planted, Schedule, World

MIN_SIZE_PX = 64


@dataclass(frozen=True, slots=True)
class StreetOptions:
    """One street. The same options give the same frames, bit for bit, on one platform."""

    kind: Kind = "precinct"
    seed: int = 0  # the people and what they do
    scene_seed: int = 0  # the place: camera, ground, houses, furniture
    width_px: int = 640
    height_px: int = 360
    fps: float = 10.0
    duration_s: float | None = None  # None: without end
    anomalies: tuple[Anomaly, ...] = ()  # drawn at a rate, in shuffled rounds
    anomalies_per_minute: float = 2.0
    normal_s: float = 0.0  # before this, no drawn anomaly enters the street
    planted: tuple[Planted, ...] = ()  # exactly these, besides the drawn ones


class Shot:
    """One frame, which is drawn only when somebody asks for the picture."""

    def __init__(self, street: Street, truth: FrameTruth, sprites: list[Sprite]) -> None:
        self.truth = truth
        self._street = street
        self._sprites = sprites

    def draw(self) -> Image:
        """The picture, (H, W, 3) BGR, the same at each call."""
        return self._street.painter.frame(self._sprites, self.truth.index, self.truth.time_s)


class Street:
    """Iterate for (picture (H, W, 3) BGR, truth) as fast as possible; each pass starts anew.

    Raises ConfigError for a kind that does not exist, an anomaly that is none in its kind, a
    negative seed, and a picture or frame rate that is too small.
    """

    def __init__(self, options: StreetOptions) -> None:
        if min(options.seed, options.scene_seed) < 0:
            raise ConfigError("the seeds of a synthetic street must not be negative")
        small = min(options.width_px, options.height_px) < MIN_SIZE_PX
        if small or not 0 < options.fps < inf:
            raise ConfigError(
                f"a synthetic street of {options.width_px} × {options.height_px} pixels at "
                f"{options.fps:g} fps: it needs {MIN_SIZE_PX} pixels each way and an fps above 0"
            )
        self.options = options
        self.scene = build_scene(
            options.kind, options.scene_seed, width_px=options.width_px, height_px=options.height_px
        )
        self._schedule = Schedule(
            planted=options.planted,
            anomalies=options.anomalies,
            per_minute=options.anomalies_per_minute,
            normal_s=options.normal_s,
        )
        World(self.scene, self._schedule, options.seed)  # says now what is wrong with it

    @cached_property
    def painter(self) -> Painter:
        """Holds the backdrop, which takes a quarter of a second to paint."""
        return Painter(self.scene, self.options.seed)

    def __iter__(self) -> Iterator[tuple[Image, FrameTruth]]:
        return ((shot.draw(), shot.truth) for shot in self.shots())

    def shots(self) -> Iterator[Shot]:
        """The frames, not yet drawn; a frame's time is its index over the frame rate."""
        options = self.options
        world = World(self.scene, self._schedule, options.seed)
        for index in count():
            time_s = index / options.fps
            if options.duration_s is not None and time_s >= options.duration_s:
                return
            sprites = [sprite(self.scene, actor, time_s) for actor in world.at(time_s)]
            truth = FrameTruth(
                index, time_s, visible_objects(sprites, options.width_px, options.height_px)
            )
            yield Shot(self, truth, sprites)

    def truths(self) -> Iterator[FrameTruth]:
        """The truth of each frame alone."""
        return (shot.truth for shot in self.shots())
