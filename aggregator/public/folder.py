"""The public set on the disk.

::

    FOLDER/public.json               which classes objects are told by
    FOLDER/videos/NAME/video.json    what became of a video, and why; written last
    FOLDER/videos/NAME/*.safetensors its parts: ``seen`` (rows of features, objects), ``visual``
                                     (of the visual network), ``narrative`` (words, no arrays),
                                     ``text`` (of the text network)
    FOLDER/exchanges/                all that was asked and answered, so never asked again

Every part holds a key that names all that it depends on: a part of another key is made anew, and
nothing else. To take a video out of the set, delete its folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from aggregator.public.labels import Label
from edge.atomic import write_atomically
from edge.errors import DatasetError

FORMAT = "vad-public-1"
ABOUT, VIDEO = "public.json", "video.json"
VIDEOS, EXCHANGES = "videos", "exchanges"

State: TypeAlias = Literal["ready", "dropped", "unusable", "unfinished"]
"""Dropped: for good, unless something changes; unfinished: the next run tries again."""

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one video."""

    name: str
    source: str  # where it lies, or lay
    content: str  # sha256 of its bytes
    camera: str  # what is usual is learnt from all videos of a camera
    label: Label
    state: State
    reason: str = ""  # why it is not ready
    caption: str = ""  # calibrated where it was
    category: str = ""
    rounds: int = 0  # of describing again
    made_of: Mapping[str, Any] = field(default_factory=dict)  # the same for all of a set
    keys: Mapping[str, str] = field(default_factory=dict)  # of its parts

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """Raises LookupError or TypeError where it is none."""
        return cls(**dict(written) | {"label": Label(**written["label"])})


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Arrays of one video, and what is to be said of them."""

    arrays: Arrays
    about: Mapping[str, Any] = field(default_factory=dict)  # JSON


class PublicFolder:
    """Reads and writes one public set."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exchanges(self) -> Path:
        """Where questions and answers lie."""
        return self.path / EXCHANGES

    def begin(self, classes: tuple[str, ...]) -> None:
        """Say by which classes objects are told; raises StorageError."""
        about = {"format": FORMAT, "classes": list(classes)}
        write_atomically(self.path / ABOUT, json.dumps(about).encode())

    @property
    def begun(self) -> bool:
        """Whether there is a set."""
        return (self.path / ABOUT).exists()

    def classes(self) -> tuple[str, ...]:
        """Raises DatasetError where there is no public set."""
        try:
            about = json.loads((self.path / ABOUT).read_bytes())
            if about["format"] != FORMAT:
                raise ValueError(f"not of format {FORMAT}")
            return tuple(map(str, about["classes"]))
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{self.path}: no public set ({error}); make one: vad-aggregator public add"
            ) from error

    def entries(self) -> Iterator[Entry]:
        """What became of every video, by name; raises DatasetError where that cannot be read."""
        for path in sorted(self.path.glob(f"{VIDEOS}/*/{VIDEO}")):
            try:
                yield Entry.from_json(json.loads(path.read_bytes()))
            except (OSError, LookupError, TypeError, ValueError) as error:
                raise DatasetError(
                    f"{path}: damaged ({error}); delete its folder and add the video again"
                ) from error

    def put(self, entry: Entry) -> None:
        """Raises StorageError."""
        content = json.dumps(asdict(entry), indent=1)
        write_atomically(self._of(entry.name) / VIDEO, content.encode())

    def part(self, name: str, kind: str, key: str, make: Callable[[], Part]) -> Part:
        """The part of this key, made and kept where there is none; raises StorageError."""
        found = self.kept(name, kind, key)
        if found is not None:
            return found
        made = make()
        about = {"key": key, "about": json.dumps(made.about)}
        arrays = {title: np.ascontiguousarray(array) for title, array in made.arrays.items()}
        write_atomically(self._part(name, kind), save(arrays, metadata=about))
        return made

    def kept(self, name: str, kind: str, key: str) -> Part | None:
        """The part of this key; None: it is not there, or cannot be read."""
        try:
            with safe_open(self._part(name, kind), framework="numpy") as file:
                about = file.metadata() or {}
                if about.get("key") != key:
                    return None
                arrays = {title: file.get_tensor(title) for title in file.keys()}  # noqa: SIM118 - no mapping
            return Part(arrays, json.loads(about["about"]))
        except (OSError, SafetensorError, LookupError, ValueError):
            return None

    def _of(self, name: str) -> Path:
        return self.path / VIDEOS / name

    def _part(self, name: str, kind: str) -> Path:
        return self._of(name) / f"{kind}.safetensors"


def key_of(*facts: Any) -> str:
    """A name for all that something depends on, which is JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
