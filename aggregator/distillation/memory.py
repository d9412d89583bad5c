"""What teachers have said, kept, so that none is trained twice: in memory, or in a folder.

A file is named by a fingerprint of all that its teacher depended on, so what is found is right.
Nothing in it is ever executed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from aggregator.distillation.options import TeacherOptions
from aggregator.distillation.teaching import Knowledge
from aggregator.public.videos import PublicVideo
from edge.atomic import write_atomically
from edge.training.checkpoint import task_of

log = logging.getLogger(__name__)

REVISION = 1  # raised when equal arguments teach otherwise
Z, ABNORMAL, LENGTHS, LOSS = "z", "abnormal", "lengths", "loss"


class Memory(Protocol):
    """Keeps knowledge by the fingerprint of its teacher."""

    def find(self, task: str) -> Knowledge | None:
        """What is kept; None: nothing."""
        ...

    def keep(self, task: str, knowledge: Knowledge) -> None:
        """Keep it; may raise StorageError."""
        ...


class InMemory:
    """Forgets with its process."""

    def __init__(self) -> None:
        self._known: dict[str, Knowledge] = {}

    def find(self, task: str) -> Knowledge | None:
        """See `Memory.find`."""
        return self._known.get(task)

    def keep(self, task: str, knowledge: Knowledge) -> None:
        """See `Memory.keep`."""
        self._known[task] = knowledge


class InFolder:
    """One file for each teacher; the ``most`` that were made last stay."""

    def __init__(self, folder: Path, *, most: int = 32) -> None:
        self._folder, self._most = folder, most

    def find(self, task: str) -> Knowledge | None:
        """See `Memory.find`; a file that cannot be read is said and passed over."""
        path = self._path(task)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
            bounds = np.cumsum(arrays[LENGTHS])[:-1]
            abnormal = np.split(arrays[ABNORMAL], bounds) if ABNORMAL in arrays else None
            return Knowledge(
                z=tuple(np.split(arrays[Z], bounds)),
                abnormal=tuple(abnormal) if abnormal else None,
                loss=float(arrays[LOSS]),
            )
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            log.warning("%s cannot be used (%s): its teacher is trained again", path, error)
            return None

    def keep(self, task: str, knowledge: Knowledge) -> None:
        """See `Memory.keep`."""
        arrays: dict[str, npt.NDArray[Any]] = {
            Z: np.concatenate(knowledge.z),
            LENGTHS: np.array([len(each) for each in knowledge.z], np.int64),
            LOSS: np.array(knowledge.loss),
        }
        if knowledge.abnormal is not None:
            arrays[ABNORMAL] = np.concatenate(knowledge.abnormal)
        write_atomically(self._path(task), save(arrays))
        made = sorted(self._folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
        for old in made[: -self._most]:
            old.unlink(missing_ok=True)

    def _path(self, task: str) -> Path:
        return self._folder / f"{task}.safetensors"


def fingerprint_of(
    videos: Sequence[PublicVideo], options: TeacherOptions, *, captions: bool, seed: int
) -> str:
    """Of all that ``teach`` is given; what a teacher does not read plays no part."""
    told = [(video.name, video.abnormal) for video in videos]
    arrays = [video.visual for video in videos]
    if captions:
        arrays += [video.text for video in videos]
    return task_of(f"{REVISION}{told}{options}{captions}{seed}", arrays)
