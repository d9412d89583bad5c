"""One training of a host, from its beginning to its end over any number of killed processes.

The store goes on growing: what ended after the training began is left for the next one, the clip in
hand too, or a resumed training would be of another lesson than its checkpoint.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge.atomic import write_atomically
from edge.errors import StorageError

LONGEST_S = 7 * 86_400.0  # a training that was begun so long ago is begun anew
NOTES = "session.json"


@dataclass(frozen=True, slots=True)
class Session:
    """Its folder holds the checkpoints."""

    folder: Path
    until_s: float  # since the epoch: clips that ended later do not count

    @classmethod
    def resumed(cls, folder: Path, *, now_s: float) -> Session:
        """The one that was interrupted, or a new one; raises StorageError."""
        try:
            until_s = float(json.loads((folder / NOTES).read_bytes())["until_s"])
        except (OSError, LookupError, TypeError, ValueError):
            until_s = -LONGEST_S
        if not 0 <= now_s - until_s <= LONGEST_S:
            until_s = now_s
            shutil.rmtree(folder, ignore_errors=True)  # what cannot go is overwritten
            write_atomically(folder / NOTES, json.dumps({"until_s": until_s}).encode())
        return cls(folder, until_s)

    def finish(self) -> None:
        """The next training begins anew; raises StorageError where this one cannot be removed."""
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise StorageError(f"cannot remove {self.folder}: {error.strerror}") from error
