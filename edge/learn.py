"""``vad-edge learn``: the composition root of the learning process.

The one place on a camera host where torch is loaded. It meets the live process in two folders
alone: features come one way, generations go the other. Without a federation it trains once and
ends; in one it stays, trains as the rounds ask, and adopts what comes back (``edge.member``).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edge.atomic import write_atomically
from edge.compose import (
    enabled_cameras,
    learning_path,
    learning_plan,
    make_generations,
    outcome_path,
)
from edge.config import EdgeConfig
from edge.domain.weights import Weights
from edge.errors import (
    StorageError,
    VadError,
)
from edge.host_footage import Footage, read_footage, running_models
from edge.model.spec import Head, StudentSpec
from edge.scoring.student import INPUTS
from edge.training.outcome import Outcome, Result, save_outcome
from edge.training.session import Session
from edge.training.study import export, first_weights, new_spec, study
from edge.tryout import TrialRules, Tried, try_out
from edge.wire.weights import encode_weights

OnProgress = Callable[[float, float], None]
"""Hears the share that is done, in (0, 1], and the loss."""


@dataclass(frozen=True, slots=True)
class Report:
    """The end of one training."""

    adopted: bool
    generation: str | None
    reason: str
    left_out: Mapping[str, str]  # cameras that go on without this student, and why
    trials: list[dict[str, Any]]  # what was counted on each camera
    num_examples: int
    loss: float | None
    seconds: float

    @property
    def text(self) -> str:
        """For a person."""
        what = f"generation {self.generation} judges" if self.adopted else "the present model stays"
        without = "".join(f"\n  without {why}" for why in self.left_out.values())
        return f"{what}: {self.reason}{without}"


def prepare() -> None:
    """One thread: the live process needs the others."""
    torch.set_num_threads(1)


def learn_alone(
    config: EdgeConfig, *, stop: threading.Event, on_progress: OnProgress
) -> Report | None:
    """Train on what is stored, try the student, adopt it or not; None: it was stopped.

    What was stopped or killed goes on where its checkpoint stands, when called again. Raises
    NotLearntError where the footage shows too little, and other VadErrors as they come.
    """
    began_s = time.monotonic()
    session = Session.resumed(learning_path(config) / "session", now_s=time.time())
    try:
        report = _learn(config, session, stop, on_progress, began_s)
    except StorageError:
        raise  # it goes on where it stands when the disk takes more
    except VadError as error:
        session.finish()
        note(config, "failed", str(error))
        raise
    if report is not None:
        session.finish()
        note(config, "adopted" if report.adopted else "refused", report.text)
    return report


def _learn(
    config: EdgeConfig,
    session: Session,
    stop: threading.Event,
    on_progress: OnProgress,
    began_s: float,
) -> Report | None:
    section = config.learning.student
    footage = read_footage(config, section.head, until_s=session.until_s)
    taught = study(
        new_spec(section.head, hidden=section.hidden),
        footage.teacher,
        steps=section.steps,
        folder=session.folder,
        should_stop=stop.is_set,
        on_progress=on_progress,
    )
    if not taught.complete:
        return None
    tried = adopt(config, footage, taught.spec, taught.weights, {"until_s": session.until_s})
    return report_of(
        tried,
        footage,
        num_examples=taught.num_examples,
        loss=taught.loss,
        seconds=time.monotonic() - began_s,
    )


def adopt(
    config: EdgeConfig,
    footage: Footage,
    spec: StudentSpec,
    weights: Weights,
    provenance: Mapping[str, str | int | float],
) -> Tried:
    """Try a trained student on this host's cameras."""
    facts = {"host": config.host, "time_s": time.time(), **provenance}
    artifact = export(spec, weights, footage.teacher.lesson(), facts)
    generations = make_generations(config)
    rules = TrialRules(
        plans={name: learning_plan(config, camera) for name, camera in enabled_cameras(config)},
        cooldown_s=config.alerts.cooldown_s,
        least_s=config.learning.student.tried_on_s,
    )
    running = running_models(config, generations)
    return try_out(artifact, footage.materials, running, generations, rules=rules)


def report_of(
    tried: Tried, footage: Footage, *, num_examples: int, loss: float | None, seconds: float
) -> Report:
    """All there is to tell."""
    return Report(
        adopted=tried.version is not None,
        generation=tried.version,
        reason=tried.verdict.reason,
        left_out={**footage.left_out, **tried.left_out},
        trials=tried.verdict.as_json()["figures"],
        num_examples=num_examples,
        loss=loss,
        seconds=seconds,
    )


def note(config: EdgeConfig, result: Result, text: str) -> None:
    """Let the live process know."""
    save_outcome(outcome_path(config), Outcome(time.time(), result, text))


def first_model(path: Path, head: Head, *, hidden: int) -> dict[str, Any]:
    """Write the model that a federation begins with, for ``model:`` of aggregator.yaml."""
    spec = new_spec(head, hidden=hidden)
    versions = [group.spec_version for group in INPUTS[head]]
    weights = first_weights(spec)
    about = {"student": json.dumps(spec.as_json()), "spec_versions": json.dumps(versions)}
    write_atomically(path, encode_weights(weights, metadata=about))
    return {
        "path": str(path),
        "head": head,
        "parameters": sum(array.size for array in weights.values()),
        "spec_versions": versions,
    }
