"""Twelve generated streets of three kinds: a federation in which who is alike is known.

Nobody tells the method the kind; it serves to judge clusters alone. Scenes, footage and amounts
were fixed before the first figure; there is little of it, three minutes of normal days each.
Setting ``normal`` trains the density head on object segments of normal clips, ``unlabelled`` and
``partial`` the detector on scene segments of clips some of which hold anomalies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aggregator.public.videos import NORMAL, PublicSet
from aggregator.simulate.objects import JudgedCamera, ObjectBench
from aggregator.simulate.problem import (
    Array,
    Bench,
    Head,
    Participant,
    Problem,
    Video,
    labels_of_some,
)
from aggregator.simulate.public_clips import public_set
from aggregator.simulate.segments import Panel, SegmentBench
from aggregator.simulate.street_captions import caption
from aggregator.simulate.street_clips import CLASSES, RATE_HZ, Scale, StreetClip
from edge.ingest.synthetic import ANOMALIES, KINDS, Kind, StreetOptions

Progress: TypeAlias = Callable[[Sequence["Place"]], Iterable["Place"]]

CLIP_S, PUBLIC_CLIP_S = 60.0, 30.0
NORMAL_CLIPS = 3  # to train on, each
ABNORMAL_CLIPS = 3  # to train on too, where a setting has anomalies
TEST_CLIPS = 3
PUBLIC_AMOUNTS = (2, 2, 0)  # clips of each public place: normal, with anomalies, to test
ANOMALIES_PER_MINUTE = 4.0
CALM_S = 5.0  # at the beginning of a clip with anomalies
NORMAL_SEED, ABNORMAL_SEED, TEST_SEED = 0, 100, 500  # first ones of a place: no two clips share any


@dataclass(frozen=True, slots=True)
class Place:
    """One camera."""

    name: str
    kind: Kind
    scene_seed: int
    clip_s: float = CLIP_S

    def clips(self, count: int, first_seed: int) -> list[StreetClip]:
        """So many clips of it, with anomalies unless ``first_seed`` is the normal ones'."""
        anomalies = () if first_seed == NORMAL_SEED else ANOMALIES[self.kind]
        return [
            StreetClip.watched(
                f"{self.name}-{seed:03}",
                StreetOptions(
                    kind=self.kind,
                    seed=1000 * self.scene_seed + seed,
                    scene_seed=self.scene_seed,
                    fps=RATE_HZ,
                    duration_s=self.clip_s,
                    anomalies=anomalies,
                    anomalies_per_minute=ANOMALIES_PER_MINUTE,
                    normal_s=CALM_S,
                ),
            )
            for seed in range(first_seed, first_seed + count)
        ]


STREETS = tuple(Place(f"street-{n + 1:02}", KINDS[n % len(KINDS)], 300 + n) for n in range(12))
"""The participants' cameras; their names say nothing of their kind."""

PUBLIC = tuple(
    Place(f"public-{n + 1}", KINDS[n % len(KINDS)], 400 + n, PUBLIC_CLIP_S) for n in range(9)
)
"""Where the public footage is from."""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A place's clips."""

    place: Place
    normal: Sequence[StreetClip]
    abnormal: Sequence[StreetClip]
    test: Sequence[StreetClip]

    @classmethod
    def of(cls, place: Place, normal: int, abnormal: int, test: int) -> Footage:
        """So many clips of each sort."""
        return cls(
            place,
            place.clips(normal, NORMAL_SEED),
            place.clips(abnormal, ABNORMAL_SEED),
            place.clips(test, TEST_SEED),
        )

    @property
    def to_train_on(self) -> Sequence[StreetClip]:
        """All but the test clips."""
        return [*self.normal, *self.abnormal]

    def participant(self, see: Callable[[StreetClip], Array]) -> Participant:
        """What it trains on, and what objects are in that."""
        return Participant(self.place.name, tuple(_video(clip, see) for clip in self.to_train_on))

    def camera(self, scale: Scale) -> JudgedCamera:
        """Its test clips, object by object."""
        return JudgedCamera(
            participant=self.place.name,
            normal=scale.seen(self.normal),
            test=scale.seen(self.test),
            labels=tuple(clip.labels for clip in self.test),
            stride=1,
        )

    def panel(self, scale: Scale) -> Panel:
        """Its test clips, segment by segment."""
        clips = tuple(clip.described.test(clip.name, scale.segments) for clip in self.test)
        return Panel(self.place.name, clips)


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """The scenario; every seed poses the same footage, only students and labels differ."""

    head: Head
    participants: tuple[Participant, ...]
    bench: Bench
    kinds: Mapping[str, str]  # hidden
    public_set: PublicSet
    left_out: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        *,
        normal: bool,
        streets: Sequence[Place] = STREETS,
        public: Sequence[Place] = PUBLIC,
        progress: Progress = iter,
    ) -> Streets:
        """Generate all clips; ``progress`` may wrap the places."""
        amounts = (NORMAL_CLIPS, 0 if normal else ABNORMAL_CLIPS, TEST_CLIPS)
        made = [
            Footage.of(place, *(amounts if place in streets else PUBLIC_AMOUNTS))
            for place in progress([*streets, *public])
        ]
        mine, theirs = made[: len(streets)], made[len(streets) :]
        scale = Scale.of([clip for each in theirs for clip in each.normal])
        see = scale.rows if normal else scale.apart
        return cls(
            head="density" if normal else "clap",
            participants=tuple(each.participant(see) for each in mine),
            bench=ObjectBench(tuple(each.camera(scale) for each in mine))
            if normal
            else SegmentBench(tuple(each.panel(scale) for each in mine), at_home=True),
            kinds={each.place.name: each.place.kind for each in mine},
            public_set=_public([clip for each in theirs for clip in each.to_train_on], see),
        )

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """Everybody's footage, its objects, and the hidden kinds."""
        return Problem(
            head=self.head,
            width=self.participants[0].videos[0].values.shape[1],
            participants=labels_of_some(self.participants, labelled_share, seed),
            bench=self.bench,
            classes=CLASSES,
            hidden_kinds=self.kinds,
        )

    def public(self) -> PublicSet:
        """Clips of other places, with labels and captions."""
        return self.public_set


def _video(clip: StreetClip, see: Callable[[StreetClip], Array]) -> Video:
    return Video(clip.name, see(clip), clip.abnormal, clip.objects)


def _public(clips: Sequence[StreetClip], see: Callable[[StreetClip], Array]) -> PublicSet:
    videos = [_video(clip, see) for clip in clips]
    categories = [clip.anomalies[0] if clip.abnormal else NORMAL for clip in clips]
    return public_set(CLASSES, videos, [caption(clip) for clip in clips], categories)
