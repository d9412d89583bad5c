"""Clip data sets: normal clips to learn from, labelled clips to be tested on.

The layout, so that anybody's footage fits::

    ROOT/video/train/NAME.{mkv,avi,mp4}       nothing but normal footage
    ROOT/video/test/NAME.{mkv,avi,mp4}
    ROOT/annotations/test_frame_labels.json   {"NAME": [0, 1, ...]}, one number per frame

A clip without labels, or labels without a clip, are left out and listed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.domain.frame import Frame
from edge.errors import DatasetError

SUFFIXES = (".mkv", ".avi", ".mp4")
LABELS = Path("annotations", "test_frame_labels.json")
LAYOUT = f"expected video/train and video/test with NAME{{{','.join(SUFFIXES)}}}, and {LABELS}"

OpenClip = Callable[[Path], Iterator[Frame]]
Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip; ``labels`` is None where nobody says, as for a normal clip of the train split."""

    name: str
    path: Path
    labels: Labels | None = None  # (T,) whether each frame is abnormal

    def frames(self, open_clip: OpenClip) -> Iterator[Frame]:
        """Its frames in order, read by ``open_clip``.

        Raises DatasetError at the end, or at the first frame too many, when there are not as many
        frames as labels: from then on no label would stand for its frame.
        """
        count = 0
        for frame in open_clip(self.path):
            count += 1
            if self.labels is not None and count > len(self.labels):
                raise self._mismatch(f"more than {len(self.labels)}")
            yield frame
        if self.labels is not None and count != len(self.labels):
            raise self._mismatch(str(count))

    def _mismatch(self, frames: str) -> DatasetError:
        labels = 0 if self.labels is None else len(self.labels)
        return DatasetError(
            f"{self.path}: {frames} frames, but {labels} labels in {LABELS}: "
            "label every frame, or take the clip or its labels away to leave it out"
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClipDataset:
    """The clips of one data set, by name."""

    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    without_labels: tuple[str, ...]  # names of test clips that are left out
    without_clip: tuple[str, ...]  # names that only have labels


def read_clips(root: Path) -> ClipDataset:
    """List a data set's clips; no video is opened.

    Raises DatasetError when the folder is not laid out as documented.
    """
    train, test = _videos(root, "train"), _videos(root, "test")
    labels = read_labels(root / LABELS, LAYOUT)
    both = [name for name in test if name in labels]
    if not both:
        raise DatasetError(f"{root}: no test clip has labels of its name; {LAYOUT}")
    return ClipDataset(
        train=tuple(Clip(name, path) for name, path in train.items()),
        test=tuple(Clip(name, test[name], labels[name]) for name in both),
        without_labels=tuple(name for name in test if name not in labels),
        without_clip=tuple(sorted(name for name in labels if name not in test)),
    )


def _videos(root: Path, split: str) -> dict[str, Path]:
    """The videos of a split by name, sorted by name."""
    folder = root / "video" / split
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; {LAYOUT}")
    videos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in videos:
            raise DatasetError(f"{path}: {videos[path.stem].name} has the same name; rename one")
        videos[path.stem] = path
    if not videos:
        raise DatasetError(f"{folder}: no clip in it; {LAYOUT}")
    return videos


def read_labels(path: Path, layout: str) -> dict[str, Labels]:
    """Frame labels by clip; raises DatasetError, which tells the ``layout`` that was expected."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); {layout}") from error
    except ValueError as error:
        raise DatasetError(f"{path}: no JSON ({error}); {layout}") from error
    if not isinstance(written, dict):
        raise DatasetError(f'{path}: must be an object {{"NAME": [0, 1, ...]}}')
    return {name: _frame_labels(path, name, values) for name, values in written.items()}


def _frame_labels(path: Path, name: str, values: Any) -> Labels:
    if not isinstance(values, list) or any(value not in (0, 1) for value in values):
        raise DatasetError(f"{path}: {name} must be a list of 0 (normal) and 1 (abnormal)")
    return np.array(values, np.bool_)
