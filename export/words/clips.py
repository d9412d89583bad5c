"""Action clips, one folder for each action: of every clip its largest object, cut out and embedded.

SVAD, section 3.2: a detector cuts action clips to whoever acts, since a camera host will see single
objects too. What was embedded is kept on disk: whoever is interrupted goes on.

::

    ROOT/ACTION/CLIP.mp4                 the action's name is the folder's, _ for a space
    WORK/clips.json                      what the tubes depend on: others are never mixed in
    WORK/clips/ACTION/CLIP.safetensors   tubes (k, n, d), L2-normalised
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.atomic import write_atomically
from edge.domain.boxes import Floats, areas
from edge.errors import DatasetError, SourceError
from edge.features.actions import EMBEDDINGS_HZ
from edge.features.embedding import Picture, crops
from edge.model.words import WordModel, normalised
from edge.perception.detector import Detector
from export.extract.watch import Viewing, Watch
from export.footage import VIDEOS

MOST_TUBES = 4  # of a clip, evenly spread over it


@dataclass(frozen=True, slots=True)
class ActionClip:
    """One file."""

    action: str
    path: Path


@dataclass(slots=True, eq=False)
class _Track:
    """What is remembered of an object while its clip runs."""

    size: float = 0.0  # pixels, over all frames
    next_s: float = float("-inf")
    crops: list[Picture] = field(default_factory=list)  # at EMBEDDINGS_HZ, as a host takes them


def list_clips(root: Path) -> list[ActionClip]:
    """All clips by action and name; raises DatasetError where there are no two actions."""
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; it needs one folder of clips for each action")
    found = [
        ActionClip(folder.name.replace("_", " "), path)
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in VIDEOS and not path.name.startswith(".")
    ]
    if len({clip.action for clip in found}) < 2:
        raise DatasetError(f"{root}: needs two folders of clips at least, named by their actions")
    return found


class Tubes:
    """The embedded tubes of clips, in a work folder."""

    def __init__(self, work: Path, model: WordModel, viewing: Viewing) -> None:
        """Raises DatasetError where there are tubes of another model or viewing, StorageError."""
        self._folder, self._model, self._viewing = work / "clips", model, viewing
        self._detector = viewing.load_detector()
        path, content = work / "clips.json", json.dumps(_settings(model, viewing)).encode()
        if path.exists() and path.read_bytes() != content:
            raise DatasetError(
                f"{work}: holds tubes of another word model or viewing ({path}): name another "
                "--work, or take it away"
            )
        write_atomically(path, content)

    def of(self, clip: ActionClip) -> Floats:
        """(k, n, d) of a clip, k = 0 where nobody is followed in it.

        Raises SourceError where the video, DatasetError where what is stored cannot be read.
        """
        path = self._folder / clip.action / f"{clip.path.name}.safetensors"
        if not path.exists():
            tubes = cut(clip.path, self._viewing, self._detector, self._model.frames)
            found = embed(self._model, tubes)
            write_atomically(path, save({"tubes": found}))
        try:
            return np.asarray(load(path.read_bytes())["tubes"], np.float32)
        except (OSError, SafetensorError, LookupError) as error:
            raise DatasetError(f"{path}: cannot be read ({error}); take it away") from error


def cut(
    path: Path, viewing: Viewing, detector: Detector | None, frames: int
) -> list[list[Picture]]:
    """At most ``MOST_TUBES`` tubes of ``frames`` crops of the largest object of a video."""
    tracks: dict[int, _Track] = {}
    for seen in Watch(path, viewing, detector=detector):
        assert seen.percept is not None
        found, bgr = seen.percept.tracks, seen.frame.bgr()
        for number, box in zip(found.track_id.tolist(), found.boxes_xyxy, strict=True):
            track = tracks.setdefault(number, _Track())
            track.size += float(areas(box[None])[0])
            if seen.frame.time_s >= track.next_s and (pictures := crops(bgr, box[None])):
                track.next_s = max(track.next_s + 1 / EMBEDDINGS_HZ, seen.frame.time_s)
                track.crops.append(np.ascontiguousarray(pictures[0]))
    largest = max(tracks.values(), key=lambda track: track.size, default=_Track())
    return _spread(largest.crops, frames)


def embed(model: WordModel, tubes: Sequence[Sequence[Picture]]) -> Floats:
    """Tubes of crops (k, n) → (k, n, d) L2-normalised."""
    if not tubes:
        return np.zeros((0, model.frames, model.width), np.float32)
    prepared = (np.stack([model.prepare(crop) for crop in tube])[:, None] for tube in tubes)
    return normalised(np.stack([model.embed(each) for each in prepared]))


def read_all(
    clips: Sequence[ActionClip], tubes: Tubes, told: Callable[[str | None], object]
) -> dict[ActionClip, Floats]:
    """The tubes of every clip that shows somebody; ``told`` hears why one is left out, or None."""
    found: dict[ActionClip, Floats] = {}
    for clip in clips:
        reason = None
        try:
            if len(those := tubes.of(clip)):
                found[clip] = those
            else:
                reason = f"left out {clip.path}: nobody is followed in it"
        except SourceError as error:
            reason = f"left out {error}"
        told(reason)
    return found


def _spread(crops_of: Sequence[Picture], frames: int) -> list[list[Picture]]:
    """Windows of ``frames``; a short track has its oldest crop repeated, as on a host."""
    if not crops_of:
        return []
    padded = [crops_of[0]] * max(frames - len(crops_of), 0) + list(crops_of)
    last = len(padded) - frames
    starts = np.unique(np.linspace(0, last, min(MOST_TUBES, last // frames * 2 + 1)).astype(int))
    return [padded[start : start + frames] for start in starts.tolist()]


def _settings(model: WordModel, viewing: Viewing) -> dict[str, Any]:
    return {
        "backbone": model.backbone.version,
        "frames": model.frames,
        "hz": [viewing.analysis_hz, EMBEDDINGS_HZ],
        "width_px": viewing.max_width_px,
        "detector": str(viewing.detector),
        "most": MOST_TUBES,
    }
