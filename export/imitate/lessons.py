"""What the teacher said of which pictures, clip by clip on disk: it is asked once.

::

    WORK/lessons.json              what the lessons depend on: others are never mixed in
    WORK/lessons/NAME.safetensors  pixels (bytes), sizes (k, 2), embeddings (k, d)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.atomic import write_atomically
from edge.domain.boxes import Floats
from edge.errors import DatasetError
from edge.features.embedding import Embedder, Picture

AT_ONCE = 16  # pictures in the teacher's hands


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Pictures and the teacher's embeddings of them."""

    pictures: Sequence[Picture]  # k of any size, BGR
    embeddings: Floats  # (k, d)

    def __len__(self) -> int:
        return len(self.pictures)

    @classmethod
    def joined(cls, lessons: Iterable[Lesson]) -> Lesson:
        """Several as one; at least one."""
        all_of = list(lessons)
        pictures = [picture for lesson in all_of for picture in lesson.pictures]
        return cls(pictures, np.concatenate([lesson.embeddings for lesson in all_of]))


def taught(pictures: Sequence[Picture], teacher: Embedder) -> Lesson:
    """Ask the teacher; raises ModelError where it does not run."""
    found = [np.zeros((0, teacher.width), np.float32)]
    for begin in range(0, len(pictures), AT_ONCE):
        part = pictures[begin : begin + AT_ONCE]
        found.append(teacher.embed(np.stack([teacher.prepare(p) for p in part])[:, None]))
    return Lesson(pictures, np.concatenate(found))


class Lessons:
    """The lessons in a work folder."""

    def __init__(self, work: Path, settings: Mapping[str, Any]) -> None:
        """``settings`` (JSON) are all that the lessons depend on.

        Raises DatasetError where there are lessons of other settings, StorageError where the
        folder cannot be written.
        """
        self._folder = work / "lessons"
        path, content = work / "lessons.json", json.dumps(settings, indent=1).encode()
        if path.exists() and path.read_bytes() != content:
            raise DatasetError(
                f"{work}: holds lessons of another teacher, footage, seed or number of pictures "
                f"({path}): name another --work, or take it away"
            )
        write_atomically(path, content)

    def find(self, name: str) -> Lesson | None:
        """What is there of a clip; raises DatasetError where it cannot be read."""
        path = self._path(name)
        try:
            arrays = load(path.read_bytes())
            sizes, pixels = arrays["sizes"], arrays["pixels"]
            ends = np.cumsum(sizes.prod(axis=1) * 3)
            parts = np.split(pixels, ends[:-1]) if len(sizes) else []
            pictures = [
                part.reshape(*size, 3) for part, size in zip(parts, sizes.tolist(), strict=True)
            ]
            return Lesson(pictures, arrays["embeddings"])
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, LookupError, ValueError) as error:
            raise DatasetError(f"{path}: cannot be read ({error}); take it away") from error

    def keep(self, name: str, lesson: Lesson) -> None:
        """Raises StorageError, and then nothing of it is there."""
        pixels = [np.zeros(0, np.uint8), *(picture.ravel() for picture in lesson.pictures)]
        arrays: dict[str, npt.NDArray[Any]] = {
            "pixels": np.concatenate(pixels),
            "sizes": np.array([p.shape[:2] for p in lesson.pictures], np.int64).reshape(-1, 2),
            "embeddings": lesson.embeddings,
        }
        write_atomically(self._path(name), save(arrays))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
