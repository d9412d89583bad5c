"""Where training stands, on disk: it goes on after kill -9 and ends as if nothing had happened.

One file: arrays as safetensors, the rest as JSON in its header; nothing in it is ever executed.
Written atomically. A checkpoint names the ``task`` that it belongs to: another is never resumed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edge.atomic import write_atomically

log = logging.getLogger(__name__)

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

FORMAT = "vad-training-1"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What is needed to go on after an epoch."""

    task: str  # fingerprint of specification, plan, seed, start and lesson
    epoch: int  # epochs that are done
    steps: int  # batches that are done
    loss: float  # mean of the last epoch
    arrays: Arrays  # weights, the optimiser's state and the generator's, by name


def task_of(description: str, arrays: Iterable[npt.NDArray[Any]]) -> str:
    """A fingerprint that changes with anything that training depends on."""
    digest = hashlib.sha256(description.encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file; raises StorageError, and then the one before it is still there."""
    facts = {name: getattr(checkpoint, name) for name in ("task", "epoch", "steps", "loss")}
    arrays = {name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()}
    payload = save(arrays, metadata={"format": FORMAT, "facts": json.dumps(facts)})
    write_atomically(path, payload)


def load_checkpoint(path: Path, task: str) -> Checkpoint | None:
    """Where this task stands; None where nothing usable is stored, which is then said."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            facts = json.loads(metadata["facts"])
            if metadata["format"] != FORMAT or facts["task"] != task:
                log.info("%s belongs to another training; beginning anew", path)
                return None
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
        epoch, steps, loss = int(facts["epoch"]), int(facts["steps"]), float(facts["loss"])
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        log.warning("%s cannot be resumed (%s); beginning anew", path, error)
        return None
    return Checkpoint(task, epoch, steps, loss, arrays)
