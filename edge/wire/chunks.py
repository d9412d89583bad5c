"""Blobs in chunks: what is too long for one message travels in pieces, in any order, resumable.

The receiver keeps one file per blob: its bytes, then one byte for each chunk, set once that chunk
is written. A killed process leaves a file that is right; one that a power cut left wrong is found
out by the hash at the end, and fetched again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

import numpy as np

from edge.errors import MalformedMessageError, StorageError
from edge.wire.rounds import MAX_BLOB_BYTES, Blob

CHUNK_BYTES = 100_000  # below the least packet limit in use: 128 KB, AWS IoT Core
MAX_CHUNKS = 100_000  # of a blob; a hostile header makes us remember no more
_HERE = b"\1"


def blob_of(payload: bytes, chunk_bytes: int = CHUNK_BYTES) -> Blob:
    """The header under which ``payload`` is announced; it has at least one byte."""
    digest = hashlib.sha256(payload).hexdigest()
    return Blob(id=digest, size_bytes=len(payload), chunk_bytes=chunk_bytes)


def touched_chunks(blob: Blob, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(start, end) of every chunk that overlaps the half-open ``ranges``, in order, once each.

    Ranges come from outside: what lies beyond the blob is left alone.
    """
    step = blob.chunk_bytes
    wanted: set[int] = set()
    for start, end in ranges:
        end = min(end, blob.size_bytes)
        if start < end:
            wanted.update(range(start - start % step, end, step))
    for start in sorted(wanted):
        yield start, min(start + step, blob.size_bytes)


def read_chunk(path: Path, start: int, end: int) -> bytes | None:
    """Bytes of a blob's file; None where the file is gone, or is shorter."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            chunk = file.read(end - start)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    return chunk if len(chunk) == end - start else None


class Assembly:
    """A blob that is put together on the disk; memory O(chunk) until ``payload``.

    What an earlier process received is there again. Used by one thread of one process.
    """

    def __init__(self, blob: Blob, directory: Path, *, limit_bytes: int = MAX_BLOB_BYTES) -> None:
        """Open or begin; MalformedMessageError for a blob beyond the limit, StorageError."""
        count = -(-blob.size_bytes // blob.chunk_bytes)
        if blob.size_bytes > limit_bytes or count > MAX_CHUNKS:
            raise MalformedMessageError(
                f"a blob of {blob.size_bytes} bytes in {count} chunks: at most {limit_bytes} bytes "
                f"and {MAX_CHUNKS} chunks here"
            )
        self._blob = blob
        self._path = directory / f"{blob.id}.{blob.chunk_bytes}"
        self._here = self._recall(count) or self._begin(count)
        self._absent = self._here.count(False)

    @property
    def complete(self) -> bool:
        """Whether every chunk is here; ``payload`` tells whether they are right."""
        return self._absent == 0

    def add(self, offset: int, chunk: bytes) -> bool:
        """Keep a chunk; whether it is new.

        MalformedMessageError where it is none of this blob's, StorageError where it cannot be kept.
        """
        index, misaligned = divmod(offset, self._blob.chunk_bytes)
        if misaligned or not 0 <= index < len(self._here):
            raise MalformedMessageError(f"no chunk of {self._blob.id} begins at byte {offset}")
        length = min(self._blob.chunk_bytes, self._blob.size_bytes - offset)
        if len(chunk) != length:
            raise MalformedMessageError(
                f"chunk at byte {offset} of {self._blob.id}: {len(chunk)} bytes, not {length}"
            )
        if self._here[index]:
            return False
        with self._opened("r+b") as file:
            file.seek(offset)
            file.write(chunk)
            file.flush()  # before its mark: whoever is killed in between has it not
            file.seek(self._blob.size_bytes + index)
            file.write(_HERE)
        self._here[index] = True
        self._absent -= 1
        return True

    def missing(self) -> list[tuple[int, int]]:
        """Half-open ranges of bytes that are not here: in order, as few as possible."""
        absent = np.concatenate([[False], ~np.array(self._here, bool), [False]])
        edges = np.flatnonzero(absent[1:] != absent[:-1]) * self._blob.chunk_bytes
        ends = np.minimum(edges, self._blob.size_bytes).tolist()
        return list(zip(ends[::2], ends[1::2], strict=True))

    def payload(self) -> bytes:
        """The whole blob.

        MalformedMessageError where a chunk is missing, or where the hash is wrong: then all chunks
        are missing again.
        """
        if not self.complete:
            raise MalformedMessageError(f"{self._blob.id} is not complete")
        with self._opened("rb") as file:
            payload = file.read(self._blob.size_bytes)
        if hashlib.sha256(payload).hexdigest() != self._blob.id:
            self._here = self._begin(len(self._here))
            self._absent = len(self._here)
            raise MalformedMessageError(f"{self._blob.id}: what arrived has another hash")
        return payload

    def discard(self) -> None:
        """Delete what is here; nothing can be added any more."""
        with suppress(OSError):  # a file that stays is no harm: it is recalled or overwritten
            self._path.unlink(missing_ok=True)

    def discard_others(self) -> None:
        """Delete what else is in the folder: pieces of blobs that nobody wants any more."""
        with suppress(OSError):  # as above
            for other in self._path.parent.iterdir():
                if other != self._path:
                    other.unlink()

    def _recall(self, count: int) -> list[bool] | None:
        """Which chunks an earlier process has left; None where there is no such file."""
        size = self._blob.size_bytes
        try:
            if self._path.stat().st_size != size + count:
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error
        with self._opened("rb") as file:
            file.seek(size)
            return [mark == _HERE[0] for mark in file.read(count)]

    def _begin(self, count: int) -> list[bool]:
        """An empty file of the full length; takes no room on the disk yet."""
        with self._opened("wb") as file:
            file.truncate(self._blob.size_bytes + count)
        return [False] * count

    @contextmanager
    def _opened(self, mode: Literal["rb", "r+b", "wb"]) -> Iterator[IO[bytes]]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open(mode) as file:
                yield file
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"cannot keep a chunk in {self._path}: {error.strerror or error}")
