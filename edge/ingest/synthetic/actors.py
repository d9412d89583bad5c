"""Who is in the street and where each is at any time: paths in closed form.

An actor's path is a chain of straight legs. Where it stands is a function of time alone, so a
camera of any frame rate films the same street.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import Literal

Action = Literal[
    "walking",
    "standing",
    "browsing",
    "running",
    "cycling",
    "driving",
    "loitering",
    "wrong_way",
    "dropping",
    "left",
]
Species = Literal["person", "bicycle", "car", "bag"]
Colour = tuple[int, int, int]  # blue, green, red
Point = tuple[float, float]  # x, z in metres


@dataclass(frozen=True, slots=True)
class Look:
    """Size and colours, drawn once per actor; each species takes what it needs of it."""

    height_m: float
    upper: Colour  # clothes above the belt, a car's paint, a bag's cloth
    lower: Colour
    skin: Colour
    hair: Colour
    style: int  # 0 jacket, 1 coat, 2 skirt, 3 rucksack; of cars 0 hatchback, 1 saloon, 2 van
    phase_rad: float  # of the first step: people are not in step


@dataclass(frozen=True, slots=True)
class Leg:
    """One straight stretch, or a stay where start and end are the same place."""

    start_s: float
    end_s: float
    start_m: Point
    end_m: Point
    facing: Point  # unit vector
    action: Action
    anomalous: bool = False

    @property
    def length_m(self) -> float:
        """Metres from end to end."""
        return hypot(self.end_m[0] - self.start_m[0], self.end_m[1] - self.start_m[1])


@dataclass(frozen=True, slots=True)
class State:
    """An actor at one instant."""

    x_m: float
    z_m: float
    facing: Point
    travelled_m: float  # since its path began: the phase of its steps and wheels
    speed_mps: float
    effort: float  # 0 still … 1 in full stride: limbs do not snap at a stop
    action: Action
    action_s: float  # since this leg began
    anomalous: bool
    carrying: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a cyclist on a bicycle, a car or a left bag."""

    species: Species
    look: Look
    legs: tuple[Leg, ...]  # without gaps in time
    carries_until_s: float = float("-inf")  # a bag in the hand before this time
    carries_from_s: float = float("inf")  # and again after this one
    object_id: int = -1  # given when it enters the street

    @property
    def start_s(self) -> float:
        """When its path begins."""
        return self.legs[0].start_s

    @property
    def end_s(self) -> float:
        """When it is gone."""
        return self.legs[-1].end_s

    @property
    def anomalous_s(self) -> float:
        """When it first does what is not normal here; infinity for a normal actor."""
        return min((leg.start_s for leg in self.legs if leg.anomalous), default=float("inf"))

    def at(self, time_s: float) -> State:
        """Its state at a time of its life, ``start_s ≤ time_s < end_s``."""
        number = sum(time_s >= leg.end_s for leg in self.legs)
        leg = self.legs[number]
        travelled_m = sum(before.length_m for before in self.legs[:number])
        done = (time_s - leg.start_s) / (leg.end_s - leg.start_s)
        return State(
            x_m=leg.start_m[0] + done * (leg.end_m[0] - leg.start_m[0]),
            z_m=leg.start_m[1] + done * (leg.end_m[1] - leg.start_m[1]),
            facing=leg.facing,
            travelled_m=travelled_m + done * leg.length_m,
            speed_mps=leg.length_m / (leg.end_s - leg.start_s),
            effort=self._effort(number, time_s),
            action=leg.action,
            action_s=time_s - leg.start_s,
            anomalous=leg.anomalous,
            carrying=time_s < self.carries_until_s or time_s >= self.carries_from_s,
        )

    def later(self, by_s: float) -> Actor:
        """The same life, begun ``by_s`` later."""
        legs = tuple(
            replace(leg, start_s=leg.start_s + by_s, end_s=leg.end_s + by_s) for leg in self.legs
        )
        return replace(
            self,
            legs=legs,
            carries_until_s=self.carries_until_s + by_s,
            carries_from_s=self.carries_from_s + by_s,
        )

    def _effort(self, number: int, time_s: float) -> float:
        """Swing in or out over 0.3 s where a leg touches a stay."""
        leg = self.legs[number]
        if leg.length_m == 0:
            return 0.0
        effort = 1.0
        if number and self.legs[number - 1].length_m == 0:
            effort = min(effort, (time_s - leg.start_s) / 0.3)
        if number + 1 < len(self.legs) and self.legs[number + 1].length_m == 0:
            effort = min(effort, (leg.end_s - time_s) / 0.3)
        return effort


class Route:
    """Builds a chain of legs from time 0."""

    def __init__(self, start_m: Point) -> None:
        self.legs: list[Leg] = []
        self.time_s = 0.0
        self._here = start_m
        self._facing = (1.0, 0.0)

    def go(
        self, to_m: Point, speed_mps: float, action: Action, *, anomalous: bool = False
    ) -> Route:
        """Move in a straight line."""
        dx, dz = to_m[0] - self._here[0], to_m[1] - self._here[1]
        length_m = hypot(dx, dz)
        self._facing = (dx / length_m, dz / length_m)
        return self._add(to_m, length_m / speed_mps, action, anomalous)

    def stay(
        self,
        seconds: float,
        action: Action,
        *,
        facing: Point | None = None,
        anomalous: bool = False,
    ) -> Route:
        """Remain on the spot, turned as before or as told."""
        self._facing = facing or self._facing
        return self._add(self._here, seconds, action, anomalous)

    def _add(self, to_m: Point, seconds: float, action: Action, anomalous: bool) -> Route:
        end_s = self.time_s + seconds
        self.legs.append(Leg(self.time_s, end_s, self._here, to_m, self._facing, action, anomalous))
        self.time_s, self._here = end_s, to_m
        return self
