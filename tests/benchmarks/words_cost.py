"""What a word model costs beside everything else that a camera's frame takes, in one run."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.analysis import Judge, LearningPlan, Pupil
from edge.config import WordsSection
from edge.domain.frame import Frame
from edge.evaluation.synthetic import frames
from edge.features.actions import ActionSight
from edge.ingest.synthetic import Street, StreetOptions
from edge.model.words import WordModel, load_words
from edge.perception.perception import Perception
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.words import Words

SCENE, SECONDS, LEARN_S, HZ = 199, 24.0, 12.0, 5.0  # a camera is analysed at 5 Hz by default
CROPS, ROUNDS = 8, 5
BUDGET_PER_S = WordsSection.model_fields["embeddings_per_s"].default

Row = dict[str, Any]


def cost(folder: Path) -> Row:
    """ms of a crop and of an object segment; ms of a frame and cameras per core, by budget.

    Decoding is not in it. ``none``: without words; ``budget``: with as many looks a second as a
    host has by default; ``all``: with as many as there is something to see.
    """
    words = Words(load_words(folder))
    footage = list(_street())
    learnt_from = footage[: int(LEARN_S * HZ)]
    found: Row = _network(words.model)
    for name, used, looks in (
        ("none", None, 0.0),
        ("budget", words, BUDGET_PER_S),
        ("all", words, math.inf),
    ):
        sight = used.sight(looks) if used else None
        model = _learnt(learnt_from, used, sight)
        found[name] = _judged(footage[len(learnt_from) :], model, sight)
    return found


def _street() -> list[Frame]:
    options = StreetOptions(scene_seed=SCENE, seed=SCENE, fps=HZ, duration_s=SECONDS)
    return list(frames(Street(options), "street"))


def _learnt(footage: list[Frame], words: Words | None, sight: ActionSight | None) -> CameraModel:
    plan = LearningPlan(math.inf, 2.0, ScoringOptions(), words=words)
    perception, pupil = Perception(), Pupil("street", plan, sight=sight)
    for frame in footage:
        pupil.watch(perception.observe([frame])[0])
    return pupil.graduate()


def _judged(footage: list[Frame], model: CameraModel, sight: ActionSight | None) -> Row:
    perception = Perception()
    judge = Judge(model, labels=perception.labels, sight=sight)
    before = sight.looks("street") if sight else None
    began_s = time.process_time()
    for frame in footage:
        judge.score(perception.observe([frame])[0])
    ms = 1e3 * (time.process_time() - began_s) / len(footage)
    row: Row = {"ms_per_frame": ms, "cameras_per_core": 1e3 / (ms * HZ)}
    if sight and before:
        looks = sight.looks("street")
        seconds = len(footage) / HZ
        row["looks_per_s"] = (looks.embeddings - before.embeddings) / seconds
        row["dropped_per_s"] = (looks.dropped - before.dropped) / seconds
    return row


def _network(model: WordModel) -> Row:
    picture = np.random.default_rng(0).integers(0, 255, (90, 40, 3), np.uint8)
    segments = np.random.default_rng(1).normal(size=(CROPS, model.frames, model.width))
    crops = np.stack([model.prepare(picture)] * CROPS)[:, None]
    embed_ms = min(_timed(lambda: model.embed(crops)) for _ in range(ROUNDS)) / CROPS
    segments = segments.astype(np.float32)
    act_ms = min(_timed(lambda: model.act(segments)) for _ in range(ROUNDS)) / CROPS
    whole_ms = model.frames * embed_ms + act_ms
    return {"ms_per_crop": embed_ms, "ms_per_act": act_ms, "ms_per_segment": whole_ms}


def _timed(run: Any) -> float:
    began_s = time.process_time()
    run()
    return 1e3 * (time.process_time() - began_s)
