"""Files that are there whole or not at all, whatever is killed while they are written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from edge.errors import StorageError

PARTIAL = ".partial"
"""Ends the hidden name of a file that is being written; left behind only by a killed process."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is on the disk before it can be seen.

    Raises StorageError, and then what was there before still is.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # what went wrong is said below
            partial.unlink(missing_ok=True)
        raise refused(path, error) from error


def refused(path: Path, error: OSError) -> StorageError:
    """What to tell somebody whose disk does not take a file or folder."""
    return StorageError(
        f"cannot write {path}: {error.strerror or error}; "
        "free the disk, or mend the folder's permissions"
    )
