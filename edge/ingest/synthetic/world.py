"""The street's timetable: who enters when, normal traffic and planted anomalies.

Each lane draws its own arrivals from its own generator, in order of time, and the anomalies
draw theirs: asking for other anomalies does not change the normal crowd.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge

import numpy as np

from edge.errors import ConfigError
from edge.ingest.synthetic.actors import Actor
from edge.ingest.synthetic.behaviour import ANOMALIES, Anomaly, Party, anomaly, crowd
from edge.ingest.synthetic.scene import Lane, Scene

WARM_UP_S = 45.0  # traffic begins before the film does: the first picture is not empty
LOOK_AHEAD_S = 30.0  # cars keep out of a lane in which one will come the wrong way
CAR_GAP_S = 1.6  # between two cars of a lane


@dataclass(frozen=True, slots=True)
class Planted:
    """One anomaly, given exactly."""

    action: Anomaly
    start_s: float  # when it begins to be anomalous: a loiterer arrives long before


@dataclass(frozen=True, slots=True)
class Schedule:
    """When anomalies happen: an exact list, or names and a rate."""

    planted: tuple[Planted, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()  # taken in turn, in shuffled rounds
    per_minute: float = 2.0
    normal_s: float = 0.0  # nobody of a drawn anomaly sets foot in the street before this


@dataclass(frozen=True, slots=True)
class _Entry:
    start_s: float
    party: Party
    lane: Lane

    @property
    def end_s(self) -> float:
        return max(actor.end_s for actor in self.party)


class World:
    """Who is in the street at a time that only goes forward."""

    def __init__(self, scene: Scene, schedule: Schedule, seed: int) -> None:
        _check(scene, schedule)
        self._scene = scene
        self._crowd = merge(
            *(_arrivals(scene, number, seed) for number in range(len(scene.lanes))),
            key=lambda entry: entry.start_s,
        )
        self._events = _events(scene, schedule, np.random.default_rng([seed, 1000]))
        self._next_event = next(self._events, None)
        self._next_crowd = next(self._crowd, None)
        self._due: deque[_Entry] = deque()  # events of the next LOOK_AHEAD_S
        self._reserved: list[_Entry] = []  # events that keep cars off their lane
        self._present: list[Actor] = []
        self._count = 0

    def at(self, time_s: float) -> list[Actor]:
        """The actors of this moment, those hidden or outside the picture among them."""
        self._look_ahead(time_s + LOOK_AHEAD_S)
        while self._crowd_start_s() <= time_s:
            self._admit_events(self._crowd_start_s())
            self._admit_crowd()
        self._admit_events(time_s)
        self._present = [actor for actor in self._present if actor.end_s > time_s]
        self._reserved = [entry for entry in self._reserved if entry.end_s > time_s]
        return [actor for actor in self._present if actor.start_s <= time_s]

    def _crowd_start_s(self) -> float:
        return self._next_crowd.start_s if self._next_crowd else float("inf")

    def _admit_crowd(self) -> None:
        entry = self._next_crowd
        if entry and not self._in_the_way(entry):
            self._admit(entry.party)
        self._next_crowd = next(self._crowd, None)

    def _admit_events(self, until_s: float) -> None:
        """In order of time with the crowd, so that ids do not depend on the frame rate."""
        while self._due and self._due[0].start_s <= until_s:
            self._admit(self._due.popleft().party)

    def _look_ahead(self, until_s: float) -> None:
        while self._next_event and self._next_event.start_s <= until_s:
            self._due.append(self._next_event)
            if self._next_event.lane.use == "drive":
                self._reserved.append(self._next_event)
            self._next_event = next(self._events, None)

    def _in_the_way(self, entry: _Entry) -> bool:
        return any(
            entry.lane is other.lane and entry.start_s < other.end_s and other.start_s < entry.end_s
            for other in self._reserved
        )

    def _admit(self, party: Party) -> None:
        for actor in party:
            self._present.append(replace(actor, object_id=self._count))
            self._count += 1


def _check(scene: Scene, schedule: Schedule) -> None:
    possible = ANOMALIES[scene.kind]
    asked = (*schedule.anomalies, *(planted.action for planted in schedule.planted))
    for name in asked:
        if name not in possible:
            raise ConfigError(
                f"{name!r} is no anomaly in a synthetic street of kind {scene.kind!r}: "
                f"choose from {', '.join(possible)}"
            )
    if schedule.anomalies and not schedule.per_minute > 0:
        raise ConfigError("the rate of synthetic anomalies (per minute) must be above 0")


def _arrivals(scene: Scene, number: int, seed: int) -> Iterator[_Entry]:
    """The endless normal parties of one lane."""
    lane = scene.lanes[number]
    if lane.arrivals_hz <= 0:
        return
    rng = np.random.default_rng([seed, number])
    gap_s = CAR_GAP_S if lane.use == "drive" else 0.0
    time_s = -WARM_UP_S
    while True:
        time_s += gap_s + rng.exponential(1 / lane.arrivals_hz - gap_s)
        party = tuple(actor.later(time_s) for actor in crowd(scene, lane, rng))
        yield _Entry(time_s, party, lane)


def _events(scene: Scene, schedule: Schedule, rng: np.random.Generator) -> Iterator[_Entry]:
    """Planted and drawn anomalies in the order in which their actors enter."""
    planted = [_exact(scene, each, rng) for each in schedule.planted]
    return merge(
        sorted(planted, key=lambda entry: entry.start_s),
        _drawn(scene, schedule, rng),
        key=lambda entry: entry.start_s,
    )


def _exact(scene: Scene, planted: Planted, rng: np.random.Generator) -> _Entry:
    party, lane = anomaly(planted.action, scene, rng)
    return _shifted(party, lane, planted.start_s - min(actor.anomalous_s for actor in party))


def _drawn(scene: Scene, schedule: Schedule, rng: np.random.Generator) -> Iterator[_Entry]:
    time_s = schedule.normal_s
    while schedule.anomalies:
        for number in rng.permutation(len(schedule.anomalies)):
            party, lane = anomaly(schedule.anomalies[number], scene, rng)
            time_s += 60 / schedule.per_minute * rng.uniform(0.2, 0.6)
            yield _shifted(party, lane, time_s)
            time_s += 60 / schedule.per_minute * rng.uniform(0.4, 0.8)


def _shifted(party: Party, lane: Lane, by_s: float) -> _Entry:
    return _Entry(by_s, tuple(actor.later(by_s) for actor in party), lane)
