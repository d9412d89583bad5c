"""What is normal in a kind of street, and what is planted as an anomaly: paths for both.

Each maker returns a party, the actors that belong together, whose time begins at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from edge.ingest.synthetic.actors import Actor, Point, Route, Species
from edge.ingest.synthetic.looks import car_look, person_look
from edge.ingest.synthetic.scene import Kind, Lane, Scene, Use

Anomaly = Literal["running", "cycling", "vehicle", "loitering", "wrong_way", "dropped_object"]
Party = tuple[Actor, ...]

LINGER_S = 12.0  # who hangs about longer than this loiters; normal stops last 6 s at most
BAG_ALONE_S = (15.0, 25.0)  # how long a dropped bag lies before its owner fetches it
WALKING_MPS = (0.9, 1.6)
STROLLING_MPS = (0.5, 0.9)  # among shelves
RUNNING_MPS = (3.9, 4.8)
CYCLING_MPS = (4.0, 5.5)
CRAWLING_MPS = (4.0, 6.0)  # a car among people
DRIVING_MPS = 9.0  # the same for all in a lane, so that none drives through another

# What departs from normal depends on the kind: a car belongs on a road, and who stands about
# for minutes in a shop is a customer.
ANOMALIES: dict[Kind, tuple[Anomaly, ...]] = {
    "precinct": ("running", "cycling", "vehicle", "loitering", "wrong_way", "dropped_object"),
    "road": ("running", "cycling", "loitering", "wrong_way", "dropped_object"),
    "shop": ("running", "cycling", "wrong_way", "dropped_object"),
}
ON_FOOT: tuple[Use, ...] = ("walk", "browse")
MARGIN_M: dict[Species, float] = {"person": 0.7, "bicycle": 1.3, "car": 3.0, "bag": 0.7}


def crowd(scene: Scene, lane: Lane, rng: np.random.Generator) -> Party:
    """The next normal party of a lane."""
    if lane.use == "drive":
        return _traffic(scene, lane, rng)
    if lane.use == "browse":
        return _browser(scene, lane, rng)
    return _walkers(scene, lane, rng)


def anomaly(name: Anomaly, scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    """A planted party and the lane that it uses."""
    return _MAKERS[name](scene, rng)


def _way(scene: Scene, z_m: float, direction: int, species: Species) -> tuple[float, float]:
    """The x where something enters and where it leaves, both just outside the picture."""
    left, right = scene.camera.span_m(z_m, MARGIN_M[species])
    return (left, right) if direction > 0 else (right, left)


def _choose(lanes: tuple[Lane, ...], rng: np.random.Generator) -> Lane:
    return lanes[rng.integers(len(lanes))]


def _direction(lane: Lane, rng: np.random.Generator) -> int:
    return lane.direction or int(rng.choice([-1, 1]))


def _walkers(scene: Scene, lane: Lane, rng: np.random.Generator) -> Party:
    """One person, or two side by side, walking through; one in six stops for a moment."""
    direction = _direction(lane, rng)
    speed = float(np.clip(rng.normal(1.25, 0.17), *WALKING_MPS))
    if scene.kind == "shop":
        speed = rng.uniform(*STROLLING_MPS)
    z0, z1, z2 = np.clip(rng.uniform(lane.near_m, lane.far_m) + rng.normal(0, 0.5, 3),
                         lane.near_m, lane.far_m)  # fmt: skip
    enter, _ = _way(scene, z0, direction, "person")
    _, leave = _way(scene, z2, direction, "person")
    route = Route((enter, z0)).go((enter + (leave - enter) * rng.uniform(0.3, 0.7), z1),
                                  speed, "walking")  # fmt: skip
    if rng.random() < 1 / 6 and lane.use == "walk":
        route.stay(rng.uniform(2, 6), "standing")
    legs = tuple(route.go((leave, z2), speed, "walking").legs)
    first = Actor("person", person_look(rng), legs)
    if rng.random() > 0.2:
        return (first,)
    return first, replace(_beside(first, direction), look=person_look(rng))


def _beside(actor: Actor, direction: int) -> Actor:
    """A companion half a step behind and at arm's length."""
    back, aside = -0.35 * direction, 0.6

    def shifted(point: Point) -> Point:
        return point[0] + back, point[1] + aside

    legs = (replace(leg, start_m=shifted(leg.start_m), end_m=shifted(leg.end_m))
            for leg in actor.legs)  # fmt: skip
    return replace(actor, legs=tuple(legs))


def _browser(scene: Scene, lane: Lane, rng: np.random.Generator) -> Party:
    """Somebody who strolls from shelf to shelf and looks at each for a while."""
    direction = _direction(lane, rng)
    z = rng.uniform(lane.near_m, lane.far_m)
    enter, leave = _way(scene, z, direction, "person")
    route = Route((enter, z))
    stops = np.sort(rng.uniform(0.15, 0.85, rng.integers(1, 4)))
    for share in stops:
        place = (enter + (leave - enter) * share, rng.uniform(lane.near_m, lane.far_m))
        route.go(place, rng.uniform(*STROLLING_MPS), "walking")
        route.stay(rng.uniform(5, 20), "browsing", facing=(0.3 * direction, 0.954))
    route.go((leave, z), rng.uniform(*STROLLING_MPS), "walking")
    return (Actor("person", person_look(rng), tuple(route.legs)),)


def _traffic(scene: Scene, lane: Lane, rng: np.random.Generator) -> Party:
    """A car in its lane, now and then a bicycle by the kerb."""
    if rng.random() < 0.15:
        kerb = lane.near_m + 0.5 if lane.middle_m < 14 else lane.far_m - 0.5
        return _rider(scene, kerb, lane.direction, rng, anomalous=False)
    z = lane.middle_m + rng.normal(0, 0.08)
    enter, leave = _way(scene, z, lane.direction, "car")
    route = Route((enter, z)).go((leave, z), DRIVING_MPS * rng.uniform(0.97, 1.03), "driving")
    return (Actor("car", car_look(rng), tuple(route.legs)),)


def _rider(
    scene: Scene, z_m: float, direction: int, rng: np.random.Generator, *, anomalous: bool
) -> Party:
    enter, leave = _way(scene, z_m, direction, "bicycle")
    route = Route((enter, z_m))
    route.go((leave, z_m), rng.uniform(*CYCLING_MPS), "cycling", anomalous=anomalous)
    return (Actor("bicycle", person_look(rng), tuple(route.legs)),)


def _running(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    lane = _choose(scene.lanes_for(*ON_FOOT), rng)
    z = rng.uniform(lane.near_m, lane.far_m)
    enter, leave = _way(scene, z, _direction(lane, rng), "person")
    route = Route((enter, z)).go((leave, z), rng.uniform(*RUNNING_MPS), "running", anomalous=True)
    return (Actor("person", person_look(rng), tuple(route.legs)),), lane


def _cycling(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    """On foot-ways; on a road's carriageway a bicycle is normal."""
    lane = _choose(scene.lanes_for(*ON_FOOT), rng)
    z = rng.uniform(lane.near_m, lane.far_m)
    return _rider(scene, z, _direction(lane, rng), rng, anomalous=True), lane


def _vehicle(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    lane = scene.lanes_for("service")[0]
    z = lane.middle_m + rng.normal(0, 0.15)
    enter, leave = _way(scene, z, _direction(lane, rng), "car")
    route = Route((enter, z)).go((leave, z), rng.uniform(*CRAWLING_MPS), "driving", anomalous=True)
    return (Actor("car", car_look(rng), tuple(route.legs)),), lane


def _wrong_way(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    """Against a one-way lane: a car on a road, a walker elsewhere."""
    lane = _choose(scene.lanes_for("one_way", "drive"), rng)
    species: Species = "car" if lane.use == "drive" else "person"
    look = car_look(rng) if species == "car" else person_look(rng)
    speed = DRIVING_MPS * rng.uniform(0.6, 0.9) if species == "car" else rng.uniform(1.1, 1.5)
    z = lane.middle_m
    enter, leave = _way(scene, z, -lane.direction, species)
    route = Route((enter, z)).go((leave, z), speed, "wrong_way", anomalous=True)
    return (Actor(species, look, tuple(route.legs)),), lane


def _loitering(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    """Walks in, hangs about a spot, shuffles; an anomaly once ``LINGER_S`` are over."""
    lane = _choose(scene.lanes_for("walk"), rng)
    direction, speed = _direction(lane, rng), rng.uniform(1.0, 1.4)
    z = lane.middle_m
    enter, leave = _way(scene, z, direction, "person")
    spot = (enter + (leave - enter) * rng.uniform(0.35, 0.65), z)
    route = Route((enter, z)).go(spot, speed, "walking")
    _hang_about(route, spot, LINGER_S, rng, anomalous=False)
    _hang_about(route, spot, rng.uniform(20, 35), rng, anomalous=True)
    route.go((leave, z), speed, "walking")
    return (Actor("person", person_look(rng), tuple(route.legs)),), lane


def _hang_about(
    route: Route, spot: Point, seconds: float, rng: np.random.Generator, *, anomalous: bool
) -> None:
    """Stand and shuffle around a spot for exactly ``seconds``."""
    end_s = route.time_s + seconds
    while end_s - route.time_s > 8:
        turn = (float(rng.choice([-0.8, 0.8])), -0.6)
        route.stay(rng.uniform(2, 4), "loitering", facing=turn, anomalous=anomalous)
        near = (spot[0] + rng.uniform(-0.9, 0.9), spot[1] + rng.uniform(-0.3, 0.3))
        route.go(near, 0.55, "loitering", anomalous=anomalous)
    route.stay(end_s - route.time_s, "loitering", anomalous=anomalous)


def _dropped_object(scene: Scene, rng: np.random.Generator) -> tuple[Party, Lane]:
    """Somebody puts a bag down and goes; the bag is the anomaly until its owner fetches it."""
    lane = _choose(scene.lanes_for(*ON_FOOT), rng)
    direction, speed, z = _direction(lane, rng), rng.uniform(1.0, 1.4), lane.middle_m
    enter, leave = _way(scene, z, direction, "person")
    spot = (enter + (leave - enter) * rng.uniform(0.4, 0.6), z)
    route = Route((enter, z)).go(spot, speed, "walking")
    route.stay(1.5, "dropping", anomalous=True)
    left_s = route.time_s - 0.6  # stooped: the hand opens
    away = max(rng.uniform(*BAG_ALONE_S) - 2 * abs(leave - spot[0]) / speed, 1.0)
    route.go((leave, z), speed, "walking").stay(away, "standing")
    beyond = (spot[0] + 1.5 * direction, z)  # the bag lies between the two spots
    route.go(beyond, speed, "walking").stay(1.5, "dropping")
    fetched_s = route.time_s - 0.6
    route.go((enter, z), speed, "walking")
    look = person_look(rng)
    owner = Actor("person", look, tuple(route.legs), left_s, fetched_s)
    place = (spot[0] + 0.75 * direction, z - 0.1)
    lying = Route(place).stay(fetched_s - left_s, "left", anomalous=True).legs
    return (owner, Actor("bag", replace(look, height_m=0.4), tuple(lying)).later(left_s)), lane


_MAKERS: dict[Anomaly, Callable[[Scene, np.random.Generator], tuple[Party, Lane]]] = {
    "running": _running,
    "cycling": _cycling,
    "vehicle": _vehicle,
    "loitering": _loitering,
    "wrong_way": _wrong_way,
    "dropped_object": _dropped_object,
}
