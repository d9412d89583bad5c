"""What a student costs on this machine: the best of rounds in which all are timed in turn.

The best, for whatever else the machine does only adds; where it does much, at one place of each
round, it adds ten times a network's own time to the median. Times of two exports are comparable
within one run only; that is why they are taken in one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.model.artifact import Artifact, Eyes
from export.extract.watch import ANALYSIS_HZ

PICTURE_PX, OBJECT_PX = (360, 640), (128, 64)  # height and width: a frame as analysed, a person
ROUNDS, WARM_UP = 30, 3

Task: TypeAlias = Callable[[], object]
Progress: TypeAlias = Callable[[Sequence[int]], Iterable[int]]
_Key: TypeAlias = tuple[int, str]  # which artifact, which part


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds on one thread; without a backbone only the student's."""

    prepare_ms: float  # of one picture
    backbone_ms: float  # for one picture, or one clip of a video network
    student_ms: float  # for its whole window
    segment_ms: float  # of a scene segment in all
    cameras_per_core: float  # at ANALYSIS_HZ, decoding and following not counted

    @classmethod
    def of(cls, artifact: Artifact, times: Mapping[str, float], objects: int) -> Cost:
        """From the times of its tasks in ms."""
        prepare, backbone, student = (times.get(task, 0.0) for task in TASKS)
        pictures, runs = _looks(artifact.eyes, objects)
        segment_ms = pictures * prepare + runs * backbone + student
        lasts_ms = 1000 * SCENE_SEGMENT_FRAMES / ANALYSIS_HZ
        return cls(prepare, backbone, student, segment_ms, lasts_ms / segment_ms)


TASKS = ("prepare", "backbone", "student")


def measure(
    artifacts: Sequence[Artifact],
    *,
    objects: int,
    rounds: int = ROUNDS,
    progress: Progress = iter,
) -> list[Cost]:
    """The cost of each; ``objects`` are followed in each frame that is looked at."""
    tasks = {
        (number, name): task
        for number, artifact in enumerate(artifacts)
        for name, task in _tasks(artifact).items()
    }
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as the sessions of the networks have one
    try:
        took = _took_ms(tasks, progress(range(WARM_UP + rounds)))
    finally:
        cv2.setNumThreads(before)
    return [
        Cost.of(
            artifact,
            {name: min(ms) for (at, name), ms in took.items() if at == number},
            objects,
        )
        for number, artifact in enumerate(artifacts)
    ]


def _took_ms(tasks: Mapping[_Key, Task], rounds: Iterable[int]) -> Mapping[_Key, list[float]]:
    took: dict[_Key, list[float]] = {key: [] for key in tasks}
    for number in rounds:
        for key, task in tasks.items():
            began_s = time.perf_counter()
            task()
            if number >= WARM_UP:
                took[key].append(1000 * (time.perf_counter() - began_s))
    return took


def _tasks(artifact: Artifact) -> dict[str, Task]:
    rng = np.random.default_rng(0)
    spec, session = artifact.spec, artifact.session()
    window = rng.standard_normal((1, spec.window, spec.inputs)).astype(np.float32)
    tasks: dict[str, Task] = {"student": lambda: session.scores(window)}
    if artifact.eyes is not None:
        backbone, look = artifact.eyes.backbone, artifact.eyes.look
        size = OBJECT_PX if look.view == "objects" else PICTURE_PX
        picture = rng.integers(0, 256, (*size, 3), np.uint8)
        clip = np.stack([backbone.prepare(picture)] * backbone.frames)[None]
        tasks["prepare"] = lambda: backbone.prepare(picture)
        tasks["backbone"] = lambda: backbone.embed(clip)
    return tasks


def _looks(eyes: Eyes | None, objects: int) -> tuple[int, int]:
    """Pictures that are prepared, and runs of the backbone, for one segment."""
    if eyes is None:
        return 0, 0
    pictures = eyes.look.frames * (objects if eyes.look.view == "objects" else 1)
    return pictures, pictures if eyes.backbone.frames == 1 else 1
