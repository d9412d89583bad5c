"""What several backbones see of the same clips: one feature folder each, joined by clip.

::

    ROOT/BACKBONE/...    a folder as ``edge.evaluation.feature_folder`` documents it

A clip is used where every backbone has it with as many segments. Training clips need a video
label: ``annotations/train_video_labels.json`` of the first backbone's folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.errors import DatasetError
from edge.evaluation.feature_folder import (
    VIDEO_LABELS,
    Array,
    FeatureFolder,
    Progress,
    read_features,
)
from edge.evaluation.figures import Labels

Views: TypeAlias = tuple[Array, ...]
"""One clip as each backbone sees it: T times (m, d_t)."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedClip:
    """A clip that judges, and is never learnt from."""

    views: Views
    labels: Labels  # (frames,)
    starts: npt.NDArray[np.intp]  # (m,) first frame of each segment


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSet:
    """What of the folders fits together."""

    backbones: tuple[str, ...]
    train: Mapping[str, Views]
    abnormal: Mapping[str, bool]  # of every clip in ``train``
    test: Mapping[str, JudgedClip]
    left_out: tuple[str, ...]  # and why

    @property
    def widths(self) -> tuple[int, ...]:
        """d_t of each backbone."""
        return tuple(view.shape[1] for view in next(iter(self.train.values())))

    def of(self, *backbones: str) -> FeatureSet:
        """The same clips as these backbones see them, in this order."""
        places = [self.backbones.index(backbone) for backbone in backbones]

        def chosen(views: Views) -> Views:
            return tuple(views[place] for place in places)

        test = {n: replace(clip, views=chosen(clip.views)) for n, clip in self.test.items()}
        train = {n: chosen(views) for n, views in self.train.items()}
        return FeatureSet(tuple(backbones), train, self.abnormal, test, self.left_out)

    def digest(self) -> str:
        """Changes with everything that is learnt from."""
        digest = hashlib.sha256()
        for name in sorted(self.train):
            digest.update(f"{name} {self.abnormal[name]}".encode())
            for view in self.train[name]:
                digest.update(f"{view.shape}".encode())
                digest.update(np.ascontiguousarray(view).data)
        return digest.hexdigest()


def read_backbones(
    root: Path, backbones: Sequence[str], *, progress: Progress = iter, judged: bool = True
) -> FeatureSet:
    """Read the folders; ``progress`` may wrap each folder's files.

    Unless ``judged``, there need be no test clips. Raises DatasetError where a folder is not as
    documented, the backbones have no clip in common, or the training clips are not both normal and
    abnormal ones.
    """
    if len(set(backbones)) < len(backbones) or not backbones:
        raise DatasetError(f"backbones {', '.join(backbones) or '(none)'}: name each one once")
    folders = {
        name: read_features(root / name, progress=progress, judged=judged) for name in backbones
    }
    _check_alike(root, folders)
    first = folders[backbones[0]]
    left_out = [f"{name}: {why}" for name, folder in folders.items() for why in folder.left_out]
    train = _joined({name: f.train for name, f in folders.items()}, "train", left_out)
    test = _joined({name: f.test for name, f in folders.items()}, "test", left_out)
    unlabelled = [name for name in train if name not in first.abnormal]
    left_out += [f"train/{name}: no video label" for name in unlabelled]
    train = {name: views for name, views in train.items() if name in first.abnormal}
    abnormal = {name: first.abnormal[name] for name in train}
    if (judged and not test) or len(set(abnormal.values())) < 2:
        tested = f"{len(test)} test clips, " if judged else ""
        raise DatasetError(
            f"{root}: {tested}{sum(abnormal.values())} abnormal and "
            f"{len(abnormal) - sum(abnormal.values())} normal training clips in common: each "
            f"must be at least 1; {VIDEO_LABELS} says which are abnormal; {'; '.join(left_out[:5])}"
        )
    clips = {
        name: JudgedClip(views, np.asarray(first.labels[name], bool), first.starts(name))
        for name, views in test.items()
    }
    return FeatureSet(tuple(backbones), train, abnormal, clips, tuple(left_out))


def _check_alike(root: Path, folders: Mapping[str, FeatureFolder]) -> None:
    """Refuse folders of other segments or other labels."""
    (name, first), *others = folders.items()
    for other, folder in others:
        if folder.segment_frames != first.segment_frames:
            raise DatasetError(
                f"{root}: segments of {name} have {first.segment_frames} frames, of {other} "
                f"{folder.segment_frames}: extract both from the same segments"
            )
        shared = folder.labels.keys() & first.labels.keys()
        if differing := [n for n in shared if list(folder.labels[n]) != list(first.labels[n])]:
            raise DatasetError(f"{root}: {name} and {other} label {min(differing)} differently")
        known = folder.abnormal.keys() & first.abnormal.keys()
        if differing := [n for n in known if folder.abnormal[n] != first.abnormal[n]]:
            raise DatasetError(f"{root}: {name} and {other} label {min(differing)} differently")


def _joined(
    clips: Mapping[str, Mapping[str, Array]], split: str, left_out: list[str]
) -> dict[str, Views]:
    """Clips that every backbone has, with as many segments; the others are listed."""
    joined = {}
    for name in sorted({name for folder in clips.values() for name in folder}):
        lacking = [backbone for backbone, folder in clips.items() if name not in folder]
        views = tuple(folder[name] for folder in clips.values() if name in folder)
        if lacking:
            unseen = f"not seen by {', '.join(lacking)} (too short, or not extracted)"
            left_out.append(f"{split}/{name}: {unseen}")
        elif len({len(view) for view in views}) > 1:
            counts = ", ".join(str(len(view)) for view in views)
            left_out.append(f"{split}/{name}: {counts} segments of the same clip")
        else:
            joined[name] = views
    return joined
