"""Generated streets as one camera measures them: seen once, learnt and scored in many ways.

Drawing, following and embedding take nearly all of the time, and do not depend on what a camera
has learnt. So clips are measured once, with a word model, and models that differ in their terms or
in their scene are fitted on and held against the same measured frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.analysis import Extractor
from edge.domain.features import Features
from edge.domain.tracks import Tracks
from edge.domain.truth import FrameTruth, ObjectTruth
from edge.evaluation.synthetic import frames
from edge.evaluation.video import PAUSE_S
from edge.ingest.synthetic import Street, StreetOptions
from edge.perception.perception import Perception
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.levels import Guide
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer
from edge.scoring.words import Words

Terms: TypeAlias = Literal["motion", "words", "fused"]
TERMS: tuple[Terms, ...] = ("motion", "words", "fused")

Scores: TypeAlias = npt.NDArray[np.float64]

BUDGET = 2.0  # alarms a day


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One frame as it was measured."""

    time_s: float
    groups: tuple[Features, ...]
    tracks: Tracks
    truth: FrameTruth
    size_px: tuple[int, int]


def measured(clips: Iterable[StreetOptions], words: Words) -> Iterator[list[Seen]]:
    """Each clip through one camera's eyes; they follow each other with pauses between."""
    perception, extractor = Perception(), Extractor()
    extractor.provide(None, words)
    start_s = 0.0
    for options in clips:
        street, seen = Street(options), []
        for frame, truth in zip(frames(street, "street"), street.truths(), strict=True):
            at_s = start_s + truth.time_s
            percept = perception.observe([replace(frame, time_s=at_s)])[0]
            groups = extractor.measure(percept).all
            size_px = frame.width, frame.height
            seen.append(Seen(at_s, groups, percept.tracks, truth, size_px))
        start_s = seen[-1].time_s + PAUSE_S
        yield seen


def learn(clips: Iterable[Sequence[Seen]], words: Words, terms: Terms) -> CameraModel:
    """What a camera learns of normal clips when it goes by these terms."""
    footage = NormalFootage()
    for seen in (each for clip in clips for each in clip):
        width, height = seen.size_px
        footage.add(_chosen(seen, words, terms), time_s=seen.time_s, width=width, height=height)
    return learn_camera(
        footage,
        camera="street",
        alarms_per_day=BUDGET,
        created_s=0.0,
        options=ScoringOptions(motion=terms != "words"),
        words=None if terms == "motion" else words,
    )


def scores(model: CameraModel, clip: Sequence[Seen], *, guide: Guide | None = None) -> Scores:
    """The causal score of each frame of a clip, (T,), decades of surprise."""
    scorer = CameraScorer(model, labels=(), guide=guide)
    versions = set(model.spec_versions)
    found = np.zeros(len(clip))
    for index, seen in enumerate(clip):
        width, height = seen.size_px
        groups = [group for group in seen.groups if group.spec.spec_version in versions]
        found[index] = scorer.observe(
            groups, seen.tracks, index=index, time_s=seen.time_s, width=width, height=height
        ).score
    return found


def labels(clip: Sequence[Seen]) -> npt.NDArray[np.bool_]:
    """Whether each frame is anomalous, (T,)."""
    return np.array([seen.truth.anomalous for seen in clip])


def doing(each: ObjectTruth) -> str:
    """What an object does, in one word: that of its species where it has wheels."""
    return {"bicycle": "cycling", "car": "driving"}.get(each.species, each.action)


def passes(clip: Sequence[Seen], act: str, *, without: str = "") -> list[npt.NDArray[np.intp]]:
    """The frames of each object that does it, where no anomaly of another kind is in sight.

    Nor anybody who does what ``without`` names: a frame's score is that of the loudest in it.
    """
    found: dict[int, list[int]] = {}
    for index, seen in enumerate(clip):
        acts = {doing(each) for each in seen.truth.objects if each.anomalous}
        if acts - {act} or without in map(doing, seen.truth.objects):
            continue
        for each in seen.truth.objects:
            if doing(each) == act:
                found.setdefault(each.object_id, []).append(index)
    return [np.array(frames_of) for frames_of in found.values()]


def _chosen(seen: Seen, words: Words, terms: Terms) -> list[Features]:
    chosen = {"words": (True,), "motion": (False,), "fused": (True, False)}[terms]
    return [group for group in seen.groups if (group.spec == words.features) in chosen]
