"""What the aggregator and its distilling worker tell each other: one folder for each round.

::

    <data_dir>/distillation/<round>/
        in/<label>.safetensors    averaged model of each cluster; or
        in/model.safetensors      the one model, where there are no clusters
        in/task.json              written last: round, classes, and each cluster's objects
        out/<as in in/>           the improved models, all of them; the folder appears at once
        log                       what the worker said

Both sides may die at any moment: what is not complete is not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from aggregator.strategies.port import Cluster
from edge.atomic import refused, write_atomically
from edge.domain.weights import Weights, shapes_of
from edge.errors import MalformedMessageError, StorageError
from edge.wire.weights import decode_weights, encode_weights, fingerprint

ONE_MODEL = 0
"""Label of the model of a federation without clusters."""

IN, OUT, LOG = "in", "out", "log"
_TASK = "task.json"


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Models that are to be improved."""

    round: int  # whose result they are
    classes: tuple[str, ...]  # C names of the clusters' objects; (): nobody was asked
    models: tuple[Cluster, ...]  # without clusters one, ``ONE_MODEL``, that has no members
    clustered: bool


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    label: int
    fingerprint: str  # of the model
    members: tuple[str, ...]
    objects: tuple[float, ...] | None


class _Notes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    round: int
    classes: tuple[str, ...]
    clustered: bool
    models: tuple[_About, ...]


def task_of(
    number: int, classes: Sequence[str], model: Weights, clusters: Sequence[Cluster]
) -> Task:
    """Of a round's result."""
    everybodys = Cluster(ONE_MODEL, model, (), None)
    each = tuple(_without_extras(cluster, model) for cluster in clusters or (everybodys,))
    return Task(number, tuple(classes), each, bool(clusters))


def _without_extras(cluster: Cluster, model: Weights) -> Cluster:
    """The model alone, not what else a strategy tells its members."""
    return replace(cluster, model={name: cluster.model[name] for name in model})


def write_task(folder: Path, task: Task) -> None:
    """Into ``folder/in``; what is there of the same task already stays. StorageError."""
    told = _notes(task).model_dump_json().encode()
    notes = folder / IN / _TASK
    if notes.exists() and notes.read_bytes() == told:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for each in task.models:
        write_atomically(folder / IN / _file(each.label, task), encode_weights(each.model))
    write_atomically(notes, told)


def read_task(folder: Path) -> Task:
    """Of ``folder/in``; StorageError where it is not complete."""
    try:
        notes = _Notes.model_validate_json((folder / IN / _TASK).read_bytes())
        names = {one.label: _name(one.label, clustered=notes.clustered) for one in notes.models}
        weights = {
            label: decode_weights((folder / IN / name).read_bytes())
            for label, name in names.items()
        }
    except (OSError, ValidationError, MalformedMessageError) as error:
        raise StorageError(f"no task for distillation in {folder / IN}: {error}") from error
    models = tuple(_cluster(one, weights[one.label]) for one in notes.models)
    return Task(notes.round, notes.classes, models, notes.clustered)


def write_result(folder: Path, task: Task, improved: Mapping[int, Weights]) -> None:
    """Put the improved models, by label, into ``folder/out``, all at once; StorageError."""
    partial = folder / f".{OUT}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    for each in task.models:
        write_atomically(partial / _file(each.label, task), encode_weights(improved[each.label]))
    try:
        partial.rename(folder / OUT)
    except OSError as error:
        if not has_result(folder):  # else another process has made the same
            raise refused(folder / OUT, error) from error


def has_result(folder: Path) -> bool:
    """Whether ``write_result`` has been here."""
    return (folder / OUT).exists()


def read_result(folder: Path, task: Task) -> dict[int, Weights] | None:
    """The improved models by label; None where there are none yet.

    MalformedMessageError where they are not what was asked for, StorageError.
    """
    if not has_result(folder):
        return None
    try:
        return {
            each.label: decode_weights(
                (folder / OUT / _file(each.label, task)).read_bytes(), shapes_of(each.model)
            )
            for each in task.models
        }
    except OSError as error:
        raise StorageError(f"cannot read {folder / OUT}: {error.strerror or error}") from error


def _file(label: int, task: Task) -> str:
    return _name(label, clustered=task.clustered)


def _name(label: int, *, clustered: bool) -> str:
    return f"{label}.safetensors" if clustered else "model.safetensors"


def _notes(task: Task) -> _Notes:
    about = tuple(_about(each) for each in task.models)
    return _Notes(round=task.round, classes=task.classes, clustered=task.clustered, models=about)


def _about(each: Cluster) -> _About:
    objects = None if each.objects is None else tuple(map(float, each.objects))
    mark = fingerprint(each.model)
    return _About(label=each.label, fingerprint=mark, members=each.members, objects=objects)


def _cluster(about: _About, model: Weights) -> Cluster:
    objects = None if about.objects is None else np.array(about.objects, np.float32)
    return Cluster(about.label, model, about.members, objects)
