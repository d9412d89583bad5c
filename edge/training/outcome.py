"""What became of the latest training, on disk: the live process tells it, and counts from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from edge.atomic import write_atomically

Result = Literal["adopted", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one training."""

    time_s: float  # since the epoch
    result: Result  # refused: there is a new student, but the present one stays
    text: str  # for a person


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Replace the one before; raises StorageError."""
    write_atomically(path, json.dumps(asdict(outcome)).encode())


def load_outcome(path: Path) -> Outcome | None:
    """The latest; None where there is none that can be read: then a training is due."""
    try:
        outcome = Outcome(**json.loads(path.read_bytes()))
    except (OSError, TypeError, ValueError):
        return None
    sound = type(outcome.time_s) is float and outcome.result in get_args(Result)
    return outcome if sound and isinstance(outcome.text, str) else None
