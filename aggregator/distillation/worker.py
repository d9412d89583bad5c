"""One round's distillation as a task in a folder: models in, improved models out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aggregator.distil_folder import Task, read_task, write_result
from aggregator.distillation.improve import Improved, Improver
from aggregator.distillation.memory import InFolder
from aggregator.distillation.options import Ased
from aggregator.public.videos import PublicSet
from edge.errors import ConfigError
from edge.model.spec import StudentSpec

log = logging.getLogger(__name__)


def carry_out(
    work: Path,
    spec: StudentSpec,
    public: PublicSet,
    options: Ased,
    *,
    captions: bool,
    seed: int,
    teachers: Path,
    on_cluster: Callable[[Improved], object] = lambda _: None,
) -> list[Improved]:
    """Improve the models of ``work/in`` and put them into ``work/out``, all at once.

    What teachers say is kept in the folder ``teachers``. Equal arguments give equal weights.
    Raises ConfigError where the public set is not of this federation, StorageError where there is
    no task or the result cannot be kept, ModelError and TrainingError where distillation fails.
    """
    task = read_task(work)
    check(task, spec, public, captions=captions)
    improver = Improver(
        spec, options, public, captions=captions, seed=seed, memory=InFolder(teachers)
    )
    told = bool(public.classes)
    models = {each.label: (each.model, each.objects if told else None) for each in task.models}
    done = []
    for each in improver.improved(models, task.round):
        log.info("round %d: %s", task.round, each.text)
        on_cluster(each)
        done.append(each)
    write_result(work, task, {each.label: each.weights for each in done})
    return done


def check(task: Task, spec: StudentSpec, public: PublicSet, *, captions: bool) -> None:
    """Refuse what cannot be distilled from; ConfigError."""
    values, _, text = public.widths
    if not public.videos:
        raise ConfigError("distillation: the public set is empty: add videos to it")
    if values != spec.inputs:
        raise ConfigError(
            f"distillation: public videos have {values} features, the federation's student takes "
            f"{spec.inputs}: make the public set for its head"
        )
    if captions and not (text and any(np.any(video.text) for video in public.videos)):
        raise ConfigError(
            "distillation: no public video has a caption: add some, or set captions: false"
        )
    counted = any(each.objects is not None for each in task.models)
    if counted and not public.classes:
        log.warning("the public set counts no objects: every cluster is taught by all videos")
    elif counted and public.classes != task.classes:
        raise ConfigError(
            f"distillation: participants count {', '.join(task.classes)}, the public set "
            f"{', '.join(public.classes)}: make it with the same classes"
        )
