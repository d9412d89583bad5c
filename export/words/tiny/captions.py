"""What people might write about an object of a street: sentences by the thousand, by act.

A caption is a phrase in a template, perhaps with a place. Phrases are somebody and what they do, or
a noun that says both. ``STRANGERS`` tell of what no street shows: the towers learn that they
describe nothing that they know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.words.tiny.acts import Act

_PEOPLE = (
    "a person", "someone", "somebody", "a man", "a woman", "a human", "one person", "the person",
    "a young man", "a young woman", "an old man", "an old woman", "a boy", "a girl", "a child",
    "a kid", "an adult", "a customer", "a visitor", "a lady", "a guy", "a stranger", "people",
)  # fmt: skip
_CARS = (
    "a car", "a vehicle", "a van", "an automobile", "a motor vehicle", "the car", "cars", "a taxi",
    "a red car", "a white van", "a delivery van", "vehicles",
)  # fmt: skip
_BAGS = (
    "a bag", "a suitcase", "luggage", "a backpack", "a parcel", "a holdall", "an object",
    "a black bag", "the bag", "baggage", "an item", "a package",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Grammar:
    """Somebody who does something, or one noun for both."""

    somebody: Sequence[str]
    does: Sequence[str]
    nouns: Sequence[str]


_GRAMMARS: Mapping[Act, _Grammar] = {
    "walking": _Grammar(
        _PEOPLE,
        ("walking", "strolling", "on foot", "walking by", "walks", "strolls", "wandering", "walk",
         "going for a walk", "walking along", "walking slowly", "passing on foot", "walking past",
         "taking a stroll", "who walks", "wanders", "marching", "walking home"),
        ("a pedestrian", "a walker", "pedestrians", "a passer-by", "a pedestrian walking",
         "walkers", "passers-by"),
    ),
    "running": _Grammar(
        _PEOPLE,
        ("running", "jogging", "sprinting", "runs", "jogs", "running fast", "rushing", "sprints",
         "hurrying", "racing", "run", "running away", "running past", "who runs", "dashing",
         "fleeing", "on the run", "going for a run", "chasing"),
        ("a runner", "a jogger", "runners", "joggers", "a sprinter", "a running person"),
    ),
    "cycling": _Grammar(
        _PEOPLE,
        ("riding a bicycle", "riding a bike", "cycling", "on a bicycle", "on a bike", "biking",
         "rides a bicycle", "rides a bike", "cycles", "pedalling", "on a cycle", "ride a bike",
         "who rides a bicycle", "pedaling a bicycle", "riding on a bike", "on two wheels",
         "bicycling", "riding bicycles"),
        ("a cyclist", "a bicycle", "a bike", "cyclists", "a bicycle rider", "bicycles", "a biker",
         "a rider on a bicycle", "bikes", "a bike rider", "a cyclist riding a bike"),
    ),
    "driving": _Grammar(
        _CARS,
        ("driving", "driving past", "passing", "drives", "driving by", "moving", "rolling by",
         "going along", "drive", "that drives", "driving slowly", "in motion"),
        ("a car", "a vehicle", "cars", "traffic", "motor traffic", "a person driving a car",
         "someone in a car", "a driver in a car", "somebody driving a vehicle", "a moving car",
         "driving a car", "automobiles", "a truck", "motorists"),
    ),
    "standing": _Grammar(
        _PEOPLE,
        ("standing", "standing still", "standing around", "loitering", "waiting", "lingering",
         "hanging about", "hanging around", "looking at shelves", "browsing", "idling", "stands",
         "not moving", "staying in one place", "loiters", "stands still", "who stands", "stand",
         "standing about", "standing in one spot", "waits", "resting", "motionless"),
        ("a loiterer", "a bystander", "loiterers", "a waiting person", "a standing person",
         "bystanders"),
    ),
    "stooping": _Grammar(
        _PEOPLE,
        ("bending down", "stooping", "putting down a bag", "picking up a bag", "bending over",
         "crouching", "dropping a bag", "leaning down", "picking something up", "stoops",
         "putting something down", "bends down", "placing a bag", "laying down a bag",
         "dropping something", "lowering a bag"),
        ("a stooping person", "a crouching person"),
    ),
    "lying": _Grammar(
        _BAGS,
        ("lying on the ground", "left behind", "on the floor", "on the ground", "left alone",
         "lying around", "without an owner", "lying there", "unattended", "abandoned",
         "left on the ground", "lying on the floor", "that nobody carries", "dropped"),
        ("a bag", "an unattended bag", "an abandoned bag", "abandoned luggage", "a lost bag",
         "an abandoned object", "a left bag", "unattended luggage", "a suitcase", "bags"),
    ),
    "nothing": _Grammar(
        ("nothing", "nobody", "only a shadow", "just the ground", "an empty street"),
        ("", "here", "there", "to be seen", "at all", "moving", "in sight"),
        ("a shadow", "the ground", "an empty street", "an empty place", "nothing", "nobody",
         "background", "the pavement", "a wall", "an empty floor", "no person", "no object"),
    ),
}  # fmt: skip

_TEMPLATES = (
    "{}", "{}", "{}", "{}", "a video of {}", "a photo of {}", "a picture of {}", "there is {}",
    "this is {}", "footage of {}", "we see {}", "an image of {}", "{} is seen", "here is {}",
    "{} in a video", "the camera shows {}", "a clip of {}", "{} seen from above", "you can see {}",
    "it is {}", "{} can be seen", "surveillance footage of {}", "{} in front of the camera",
)  # fmt: skip
_PLACES = (
    "on the street", "on the pavement", "in the precinct", "on the road", "in the shop", "outside",
    "in the picture", "past the camera", "here", "in town", "in the street", "on the sidewalk",
    "in the mall", "along the street", "in the background", "at the kerb", "through the picture",
    "in this place", "on the left", "on the right", "near the wall", "between the trees",
)  # fmt: skip
PLACED = 0.35  # of all captions

STRANGERS = (
    "a dog barking", "a cat", "a fire", "smoke", "a person swimming", "playing the guitar",
    "a horse", "a bird flying", "an aeroplane", "a person sleeping", "cooking food", "a fight",
    "two people fighting", "a person climbing a fence", "rain", "snow", "a boat on the water",
    "a person dancing", "somebody singing", "a tree", "a person eating", "reading a book",
    "a person with a gun", "a skateboard", "a person skateboarding", "a scooter", "a wheelchair",
    "a pram", "a person throwing a ball", "playing football", "a train", "flowers", "a computer",
    "somebody painting a wall", "an explosion", "a robot", "a person jumping", "a person falling",
    "",
)  # fmt: skip

UNSEEN: Mapping[Act, tuple[str, ...]] = {
    "walking": ("someone walks along on foot", "pedestrian traffic", "old people who go on foot"),
    "running": ("one man sprints past", "a kid that is running", "joggers run through"),
    "cycling": ("a woman who cycles", "people on bicycles", "bike riders", "this cyclist rides by"),
    "driving": ("the van drives on", "a taxi in the road", "one car passes"),
    "standing": ("people are waiting around", "he just stands there", "a man lingers"),
    "stooping": ("the woman picks up the bag", "he bends to the ground", "a kid crouches down"),
    "lying": ("somebody left a bag behind", "one package alone on the floor", "lost luggage"),
    "nothing": ("there is nothing here", "the place is empty", "only background"),
}
"""Sentences that no caption has, of words that nearly all stand in captions."""


def caption(act: Act, rng: np.random.Generator) -> str:
    """One of the many ways to say it."""
    grammar = _GRAMMARS[act]
    if rng.random() < 0.3:
        phrase = _pick(grammar.nouns, rng)
    else:
        phrase = f"{_pick(grammar.somebody, rng)} {_pick(grammar.does, rng)}".strip()
        if rng.random() < 0.15:
            phrase = _pick(grammar.does, rng) or phrase  # "riding a bicycle"
    if rng.random() < PLACED:
        place = _pick(_PLACES, rng)
        phrase = f"{place} {phrase}" if rng.random() < 0.2 else f"{phrase} {place}"
    return _pick(_TEMPLATES, rng).format(phrase)


def stranger(rng: np.random.Generator) -> str:
    """Something that the streets do not show."""
    return _pick(_TEMPLATES, rng).format(_pick(STRANGERS, rng))


def title(act: Act) -> str:
    """The plainest caption of an act: its prompt, and what a model is judged by."""
    grammar = _GRAMMARS[act]
    return f"{grammar.somebody[0]} {grammar.does[0]}".strip()


def words() -> list[str]:
    """All words that captions are made of, and those of strangers, sorted."""
    parts: list[str] = [*_TEMPLATES, *_PLACES, *STRANGERS]
    for grammar in _GRAMMARS.values():
        parts += [*grammar.somebody, *grammar.does, *grammar.nouns]
    return sorted({word for part in parts for word in split(part)})


def split(text: str) -> Iterable[str]:
    """Words and marks as the tokenizer splits them."""
    return re.findall(r"\w+|[^\w\s{}]+", text.lower())


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
