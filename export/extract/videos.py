"""Which videos there are: a data set of clips, or whatever lies in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from edge.errors import ConfigError, DatasetError
from edge.evaluation.clips import LABELS, Clip, read_clips
from edge.evaluation.feature_folder import VIDEO_LABELS
from edge.model.folder import sha256
from export.footage import VIDEOS

Split: TypeAlias = Literal["train", "test"]

END_BYTES = 1 << 16  # of either end of a video


@dataclass(frozen=True, slots=True)
class Video:
    """One clip of footage; names are unique within a split."""

    name: str
    split: Split
    path: Path
    frames: int | None = None  # that its labels speak of; None: nobody labelled it

    def fingerprint(self) -> str:
        """Another one for other footage: of its length, beginning and end; wherever it lies.

        Raises DatasetError where it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                length = file.seek(0, os.SEEK_END)
                ends = [_part(file, 0), _part(file, max(length - END_BYTES, 0))]
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror})") from error
        return sha256(b"".join([str(length).encode(), *ends]))

    def __str__(self) -> str:
        return f"{self.split}/{self.name}"


@dataclass(frozen=True, slots=True)
class Videos:
    """All that can be looked at."""

    clips: tuple[Video, ...]
    annotations: tuple[Path, ...] = ()  # files that go with them
    left_out: tuple[str, ...] = ()  # and why


def list_videos(root: Path) -> Videos:
    """A data set of clips (``edge.evaluation.clips``), or all videos in and under a folder.

    Without a folder ``video/test`` in it, everything is training footage; so is a single file.
    Which of it is abnormal, ``annotations/train_video_labels.json`` may say. No video is opened.
    Raises ConfigError where there is no such path, DatasetError where it is not laid out as
    documented.
    """
    if root.is_file():
        return Videos((Video(root.stem, "train", root),))
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder of videos; check the path")
    return _data_set(root) if (root / "video" / "test").is_dir() else _folder(root)


def _data_set(root: Path) -> Videos:
    found = read_clips(root)
    return Videos(
        clips=(*_clips("train", found.train), *_clips("test", found.test)),
        annotations=_present(root, LABELS, VIDEO_LABELS),
        left_out=(
            *(f"test/{name}: no frame labels" for name in found.without_labels),
            *(f"test/{name}: labels without a clip" for name in found.without_clip),
        ),
    )


def _clips(split: Split, clips: Iterable[Clip]) -> list[Video]:
    return [
        Video(clip.name, split, clip.path, None if clip.labels is None else len(clip.labels))
        for clip in clips
    ]


def _folder(root: Path) -> Videos:
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in VIDEOS or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise DatasetError(f"{path}: {found[path.stem]} has the same name; rename one")
        found[path.stem] = path
    if not found:
        raise DatasetError(f"{root}: holds no video ({' '.join(sorted(VIDEOS))})")
    clips = tuple(Video(name, "train", path) for name, path in found.items())
    return Videos(clips, _present(root, VIDEO_LABELS))


def _present(root: Path, *names: Path) -> tuple[Path, ...]:
    return tuple(root / name for name in names if (root / name).is_file())


def _part(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(END_BYTES)
