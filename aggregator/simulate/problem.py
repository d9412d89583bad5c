"""What is simulated: who learns from what, and how the outcome is judged.

A *scenario* is a data set in one setting; for a seed it poses a *problem*: participants with their
footage, and a *bench* that turns everybody's model into figures. Only numbers are in it, so that
it travels between processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from aggregator.public.videos import PublicSet
from edge.domain.weights import Shares, Weights

Array: TypeAlias = npt.NDArray[np.float32]
Counts: TypeAlias = npt.NDArray[np.int64]
Head: TypeAlias = Literal["clap", "density"]
Figures: TypeAlias = Mapping[str, float]
"""Name to share in [0, 1]; NaN where a figure is not defined."""

OWN_AUC = "auc_of/"
"""Before a participant's name: the causal AUC over the frames of its own test clips."""

Score: TypeAlias = Callable[[Weights, Array], Array]
"""A model's anomaly scores of a clip's segments: (m, d) → (m,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """One training clip as its owner sees it."""

    name: str
    values: Array  # (m, d) one row per segment, standardised or as the backbone gave it
    abnormal: bool | None = None  # what its label says; None: nobody labelled it
    objects: Counts | None = None  # (C,) of the problem's classes; None: nobody counted


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """A host with its own footage, in a fixed order."""

    name: str
    videos: tuple[Video, ...]

    @property
    def objects(self) -> Shares | None:
        """Of each class among the objects in its footage, (C,); None where nobody counted."""
        counts = [video.objects for video in self.videos if video.objects is not None]
        return shares_of(counts) if counts else None


class Bench(Protocol):
    """The judge: knows the test clips and whose they are."""

    def figures(self, models: Mapping[str, Weights], score: Score) -> Figures:
        """Judge one model per participant; figures are causal unless their name says otherwise."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What one seed has to solve."""

    head: Head
    width: int  # d
    participants: tuple[Participant, ...]
    bench: Bench
    classes: tuple[str, ...] = ()  # C names of what participants count
    hidden_kinds: Mapping[str, str] = field(default_factory=dict)
    """Of each participant, to judge clusters by; empty: unknown. No method sees it."""


class Scenario(Protocol):
    """A data set in one setting."""

    @property
    def left_out(self) -> Sequence[str]:
        """What of the data set is not used, and why."""
        ...

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """Deal the footage to the participants.

        ``labelled_share`` of the participants keep the labels of their videos.
        """
        ...

    def public(self) -> PublicSet | None:
        """Videos that the aggregator has; None: none."""
        ...


def pooled(participants: Sequence[Participant], name: str = "everybody") -> Participant:
    """One participant with everybody's footage: what centralised training sees."""
    return Participant(name, tuple(video for each in participants for video in each.videos))


def labels_of_some(
    participants: Sequence[Participant], share: float, seed: int
) -> tuple[Participant, ...]:
    """Hide the labels of all but ``share`` of the participants, drawn by ``seed``."""
    order = np.random.default_rng([seed, 1]).permutation(len(participants))
    labelled = set(order[: round(share * len(participants))].tolist())
    return tuple(
        each if index in labelled else _without_labels(each)
        for index, each in enumerate(participants)
    )


def _without_labels(participant: Participant) -> Participant:
    hidden = tuple(replace(video, abnormal=None) for video in participant.videos)
    return replace(participant, videos=hidden)


def shares_of(counts: Sequence[Counts]) -> Shares:
    """One distribution from several counts of the same C classes, each (C,); zeros for none."""
    total = np.sum(counts, axis=0)
    return np.asarray(total / max(total.sum(), 1), np.float32)
