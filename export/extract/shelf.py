"""Where extracted features are kept: a feature folder, and the record of how they were made.

::

    FOLDER/extract.json                 how all of them were made
    FOLDER/footage/SPLIT/NAME.sha256    of which footage a clip's were made: `Video.fingerprint`
    FOLDER/...                          a folder as ``edge.evaluation.feature_folder`` documents it

``extract.json`` stands before the first features do. Whoever would add features made otherwise is
refused, and so is a neighbour that was extracted from footage seen otherwise: their segments would
not be the same. A clip is there when its features are, for files appear whole; other footage of
its name is refused, and so are other labels.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.atomic import write_atomically
from edge.domain.boxes import Floats
from edge.errors import DatasetError
from edge.evaluation.feature_folder import Kind
from export.extract.videos import Video, Videos

FORMAT = "vad-extract-1"
RECORD, DATASET = "extract.json", "dataset.json"


class Shelf:
    """The features of one describer."""

    def __init__(self, folder: Path, kind: Kind, facts: Mapping[str, Any]) -> None:
        """``facts`` (JSON) are all that its values depend on; nothing is written yet.

        Raises DatasetError where the folder holds features of other facts.
        """
        self._folder = folder
        self._kind = kind
        self._record = record = {"format": FORMAT, **facts}
        present = read_record(folder)
        if present is None and (folder / "features").exists():
            raise DatasetError(f"{folder}: no {RECORD} says how its features were made; move them")
        if present is not None and present != record:
            raise DatasetError(
                f"{folder}: its features were made otherwise: {_differences(present, record)}. Two "
                "kinds are never mixed: name another --out, or take the folder away"
            )

    def check(self, videos: Videos) -> None:
        """Raise DatasetError where other footage or other labels are here under these names."""
        for path in videos.annotations:
            kept = _read(self._labels(path)) or {}
            if not kept.items() <= (_read(path) or {}).items():
                raise DatasetError(
                    f"{self._labels(path)}: says something else than {path}: for another data set "
                    f"name another --out; if they are corrected, take {self._labels(path)} away"
                )
        for video in filter(self.holds, videos.clips):
            mark = self._mark(video)
            if not mark.exists() or mark.read_bytes() != video.fingerprint().encode():
                raise DatasetError(
                    f"{self._path(video)}: was made of other footage than {video.path}: for "
                    f"another data set name another --out; to extract {video} anew, take the "
                    "former away"
                )

    def begin(self, annotations: Iterable[Path]) -> None:
        """Write the record and copy the label files.

        Raises DatasetError where one cannot be read, StorageError where one cannot be written.
        """
        write_atomically(self._folder / RECORD, _json(self._record))
        for path in annotations:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
            write_atomically(self._labels(path), content)

    def holds(self, video: Video) -> bool:
        """Whether the features of a video are there."""
        return self._path(video).exists()

    def put(self, video: Video, rows: Floats, segment_frames: int | None) -> None:
        """Keep (m, d) of one video; raises StorageError, and then nothing of it is there."""
        self._declare(segment_frames)
        write_atomically(self._mark(video), video.fingerprint().encode())
        buffer = io.BytesIO()
        np.save(buffer, rows)
        write_atomically(self._path(video), buffer.getvalue())

    def _path(self, video: Video) -> Path:
        return self._folder / "features" / video.split / f"{video.name}.npy"

    def _mark(self, video: Video) -> Path:
        return self._folder / "footage" / video.split / f"{video.name}.sha256"

    def _labels(self, given: Path) -> Path:
        return self._folder / "annotations" / given.name

    def _declare(self, segment_frames: int | None) -> None:
        """Say how long segments are, before the first that may be longer is there."""
        path = self._folder / DATASET
        before = _read(path)
        if before is not None and before.get("segment_frames") != segment_frames:
            segment_frames = None  # it varies from clip to clip
        length = {} if segment_frames is None else {"segment_frames": segment_frames}
        declared = {"kind": self._kind, **length}
        if declared != before:
            write_atomically(path, _json(declared))


def read_record(folder: Path) -> dict[str, Any] | None:
    """How the features of a folder were made, as it was written; None where nothing says so.

    Raises DatasetError where it cannot be read.
    """
    return _read(folder / RECORD)


def check_neighbours(out: Path, footage: Mapping[str, Any], mine: Sequence[str]) -> None:
    """Raise DatasetError where other features in ``out`` are of other ``footage`` settings."""
    for path in sorted(out.glob(f"*/{RECORD}")):
        name = path.parent.name
        seen = (read_record(path.parent) or {}).get("footage")
        if name not in mine and seen != footage:
            raise DatasetError(
                f"{path.parent}: made of footage seen as {seen}, not {footage}: its segments would "
                "not be the same; name another --out"
            )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        written = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON ({error}); take it away") from error
    if not isinstance(written, dict):
        raise DatasetError(f"{path}: must be a JSON object; take it away")
    return written


def _differences(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    names = [name for name in {**present, **wanted} if present.get(name) != wanted.get(name)]
    return "; ".join(f"{name} {present.get(name)}, not {wanted.get(name)}" for name in names)


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode() + b"\n"
