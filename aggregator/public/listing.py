"""Which videos there are, which camera each is of, and whether its name is still free."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from aggregator.public.folder import Entry
from edge.errors import ConfigError, DatasetError

VIDEOS = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".h264", ".h265", ".m4v", ".mjpeg", ".mkv", ".mov"),
        *(".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)

Cameras: TypeAlias = Literal["folder", "video"]


def list_videos(root: Path) -> list[Path]:
    """All videos in and under a folder, or the one that is named; none is opened.

    Raises ConfigError where there is no such path, DatasetError where it holds no video or two of
    one name.
    """
    if root.is_file():
        return [root.resolve()]
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder of videos; check the path")
    found: dict[str, Path] = {}
    for path in sorted(root.resolve().rglob("*")):
        if path.suffix.lower() not in VIDEOS or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise DatasetError(f"{path}: {found[path.stem]} has the same name; rename one")
        found[path.stem] = path
    if not found:
        raise DatasetError(f"{root}: holds no video ({' '.join(sorted(VIDEOS))})")
    return list(found.values())


def camera_of(path: Path, cameras: Cameras) -> str:
    """The camera that a video is of: the folder it lies in, or the video by itself."""
    return str(path.parent if cameras == "folder" else path)


def check_names(videos: Sequence[Path], present: Iterable[Entry]) -> None:
    """Raise DatasetError where another video of the same name is in the set, from elsewhere."""
    taken = {entry.name: entry for entry in present}
    for path in videos:
        known = taken.get(path.stem)
        if known is None or known.source == str(path) or not Path(known.source).exists():
            continue
        if known.content != digest(path):
            raise DatasetError(f"{path}: {known.source} of the same name is in the set; rename one")


def digest(path: Path) -> str:
    """sha256 of a file's bytes; raises DatasetError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
