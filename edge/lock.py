"""One process per data folder."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import StorageError

log = logging.getLogger(__name__)

LOCK_NAME = "lock"
ANOTHER_FOLDER = "give this one a data_dir and a host name of its own"


@contextmanager
def sole_user(folder: Path, *, otherwise: str = ANOTHER_FOLDER) -> Iterator[None]:
    """Make the folder if need be and keep other processes out of it meanwhile.

    ``otherwise`` is what an operator can do instead of stopping the process that holds it.

    The kernel lets go when the process ends, however it ends. Raises StorageError where the
    folder cannot be written and where another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(
            f"data_dir {folder} cannot be written: {error.strerror}; mend its permissions, free "
            "the disk, or set data_dir to another folder"
        ) from None
    try:
        _acquire(lock, folder, otherwise)
        yield
    finally:
        os.close(lock)


def _acquire(lock: int, folder: Path, otherwise: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
        raise StorageError(
            f"data_dir {folder} is in use by another vad-edge (process {holder}): stop that one, "
            f"or {otherwise}"
        ) from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:  # a full disk must not keep a camera host from watching
        log.error("data_dir %s cannot be written: %s; free the disk", folder, error.strerror)
