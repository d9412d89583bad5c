"""Teach a student on its host: local epochs as a federated strategy wants them.

One loop for every head and strategy. Equal arguments give equal weights, also when the process was
killed in between and went on from its checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import predict
from edge.training.checkpoint import load_checkpoint, save_checkpoint
from edge.training.course import Course
from edge.training.lessons import Lesson
from edge.training.plan import LocalPlan

__all__ = ["LocalPlan", "Progress", "Trained", "predict", "train_locally"]


@dataclass(frozen=True, slots=True)
class Progress:
    """An epoch is done."""

    epoch: int  # epochs that are done
    epochs: int  # of the plan
    loss: float  # mean of this epoch's batches


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A student after local training."""

    weights: Weights
    num_examples: int  # segments of the lesson
    steps: int  # batches in all
    loss: float  # mean of the last whole epoch; NaN if none was completed
    complete: bool  # False: it was stopped before the plan's end


def train_locally(
    spec: StudentSpec,
    start: Weights,
    lesson: Lesson,
    plan: LocalPlan,
    *,
    seed: int,
    correction: Weights | None = None,
    centroids: Weights | None = None,
    progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 0.0,
) -> Trained:
    """Train from ``start`` by ``plan``; deterministic for a seed.

    ``correction`` is SCAFFOLD's c - c_k for the shared weights, ``centroids`` what ``alignment``
    draws features to (``edge.training.feature_alignment``). ``should_stop`` is asked before
    every batch. ``checkpoint`` is written after the last epoch, and after others no more often than
    ``checkpoint_every_s``; it is resumed if it is of this very task. The caller deletes it once
    the result is safe.

    Raises TrainingError where the loss leaves the finite numbers or the lesson does not fit the
    student, ModelError where ``start`` does not, StorageError where the checkpoint cannot be kept.
    """
    _check(spec, lesson, plan, correction)
    examples = lesson.examples(spec.window)
    with torch.random.fork_rng(devices=[]):  # dropout and noise draw from the global generator
        torch.manual_seed(seed)
        course = Course(spec, start, examples, plan, correction, centroids)
        task = course.task(seed) if checkpoint else ""
        if checkpoint and (found := load_checkpoint(checkpoint, task)):
            course.resume(found)
        complete, saved_s = True, time.monotonic()
        while complete and course.epoch < plan.all_epochs:
            complete = course.run_epoch(should_stop or _never)
            due = time.monotonic() >= saved_s + checkpoint_every_s
            if complete and checkpoint and (due or course.epoch == plan.all_epochs):
                save_checkpoint(checkpoint, course.checkpoint(task))
                saved_s = time.monotonic()
            if complete and progress:
                progress(Progress(course.epoch, plan.all_epochs, course.loss))
    weights = course.finite_weights()
    return Trained(weights, lesson.num_examples, course.steps, course.loss, complete)


def _check(spec: StudentSpec, lesson: Lesson, plan: LocalPlan, correction: Weights | None) -> None:
    if lesson.inputs != spec.inputs:
        raise TrainingError(
            f"the student takes {spec.inputs} features, footage has {lesson.inputs}"
        )
    if correction is not None and (plan.optimiser != "sgd" or plan.momentum):
        raise TrainingError("SCAFFOLD corrects plain gradient descent: sgd without momentum")


def _never() -> bool:
    return False
