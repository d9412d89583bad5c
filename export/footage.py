"""Pictures out of footage that somebody points at: what 8-bit networks are calibrated on."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.commands.report import progress_bar
from edge.errors import ConfigError, DatasetError, SourceError
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.ingest.images import SUFFIXES as IMAGES
from edge.ingest.images import natural_key
from edge.ingest.source import analysis_size

VIDEOS = frozenset(
    {".avi", ".h264", ".h265", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"}
)
WIDEST_PX = 1280  # pictures are scaled down to it: bounds memory, and no network sees more

Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) BGR


def pictures(path: Path, *, most: int) -> list[Picture]:
    """At most ``most`` BGR pictures (H, W, 3), evenly spread over a file or a nested folder.

    Every file counts alike: an image gives one picture, a video its share, evenly spread over its
    length. Videos are decoded from end to end.

    Raises ConfigError where there is no such path, DatasetError where it holds no footage or a
    file of it cannot be read.
    """
    files = _files(path)
    shares = np.diff(np.linspace(0, most, len(files) + 1).astype(int))  # sums up to ``most``
    found: list[Picture] = []
    with progress_bar("reading footage", len(files), "file") as bar:
        for file, share in zip(files, shares.tolist(), strict=True):
            found.extend(_read(file, share))
            bar.update()
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"{path}: no such video, image or folder of them; check the path")
    files = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in IMAGES | VIDEOS
        and not file.name.startswith(".")
        and file.is_file()
    ]
    if not files:
        known = " ".join(sorted(IMAGES | VIDEOS))
        raise DatasetError(f"{path}: holds no video and no image ({known})")
    return sorted(files, key=lambda file: (file.parent, natural_key(file)))


def _read(file: Path, share: int) -> list[Picture]:
    if not share:
        return []
    return [_image(file)] if file.suffix.lower() in IMAGES else _video(file, share)


def _image(file: Path) -> Picture:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"{file}: cannot be read as an image; replace it or take it away")
    size = analysis_size(image.shape[1], image.shape[0], WIDEST_PX)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _video(file: Path, share: int) -> list[Picture]:
    """Every frame until there are too many, then every other, then every fourth, and so on."""
    kept: list[Picture] = []
    step = 1
    try:
        frames = read_frames(FileSource(file), camera=file.stem, max_width=WIDEST_PX)
        for number, frame in enumerate(frames, start=1):
            if number % step == 0:
                kept.append(frame.bgr())
            if len(kept) > share:
                kept, step = kept[1::2], step * 2
    except SourceError as error:
        raise DatasetError(f"{error}; or take it away") from error
    return kept
