"""Clips to hold networks against torch with, and to measure 8-bit ranges on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, DatasetError
from edge.features.embedding import Picture, View
from edge.ingest.synthetic import KINDS, Street, StreetOptions
from edge.model.backbone import BackboneSpec
from export.extract.videos import Video, list_videos
from export.extract.watch import Viewing
from export.footage import pictures
from export.imitate.gather import Shown, gather

Clip: TypeAlias = Sequence[Picture]  # T pictures of any size, (H, W, 3) BGR

GOLDEN_PICTURES, RANGE_PICTURES = 6, 48
GOLDEN_CLIPS, RANGE_CLIPS = 2, 6  # of networks that take several pictures at a time
MOST_VIDEOS = 12  # in which objects are followed: it takes longer than to take pictures out

PICTURES_HZ, CLIPS_HZ = 0.25, 10.0  # of a street: single pictures, and those of a clip
FIRST_S = 8.0  # of a street: by then people are about


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a network is judged by, and what its 8-bit ranges are measured on: never the same."""

    golden: Sequence[Clip]
    ranges: Sequence[Clip]


def choose(
    frames: int,
    *,
    golden: Path | None,
    calibration: Path | None,
    int8: bool,
    view: View = "picture",
) -> Chosen:
    """Clips of ``frames`` pictures out of footage, or of generated streets where none is named.

    If ``calibration`` alone is named, the golden clips are some of its own, taken out. Without
    ``int8`` there are no ranges. Raises DatasetError where footage is too short, ConfigError where
    it cannot be viewed so, and see ``export.footage.pictures``.
    """
    count, most = _counts(frames)
    if calibration and not golden:
        return _split(_seen(calibration, count + most, frames, view), count)
    judging = _seen(golden, count, frames, view) if golden else street_clips(count, frames, seed=1)
    return Chosen(judging, choose_ranges(frames, calibration, view) if int8 else ())


def choose_ranges(frames: int, calibration: Path | None, view: View) -> Sequence[Clip]:
    """What 8-bit ranges alone are measured on; see `choose`."""
    _, most = _counts(frames)
    if calibration is None:
        return street_clips(most, frames, seed=2)
    return _seen(calibration, most, frames, view)


def street_clips(count: int, frames: int, *, seed: int) -> list[Clip]:
    """Clips of ``frames`` successive pictures of generated streets, every kind in turn."""
    rate_hz = PICTURES_HZ if frames == 1 else CLIPS_HZ
    streets = [
        islice(
            Street(StreetOptions(kind=kind, seed=seed, scene_seed=seed, fps=rate_hz)).shots(),
            int(FIRST_S * rate_hz),
            None,
        )
        for kind in KINDS
    ]
    return [
        [shot.draw() for shot in islice(streets[number % len(streets)], frames)]
        for number in range(count)
    ]


def footage_clips(path: Path, most: int, frames: int) -> list[Clip]:
    """At most ``most`` clips of a video, an image or a folder of them.

    A clip's pictures follow one another in the footage, spread as widely as its length allows.
    Raises DatasetError where there is not one clip, and see ``export.footage.pictures``.
    """
    found = pictures(path, most=most * frames)
    if len(found) < frames:
        raise DatasetError(f"{path}: {len(found)} pictures; this network takes {frames} at a time")
    return [found[start : start + frames] for start in range(0, len(found) - frames + 1, frames)]


def object_clips(path: Path, most: int) -> list[Clip]:
    """At most ``most`` objects that are followed in videos, each cut out as a host cuts it.

    Of ``video/{train,test}`` only the former is looked at. Raises DatasetError where nothing moves,
    SourceError where a video cannot be read, and see ``export.extract.videos.list_videos``.
    """
    videos = [video for video in list_videos(path).clips if video.split == "train"]
    places = np.linspace(0, len(videos) - 1, min(len(videos), MOST_VIDEOS)).astype(int)
    share = -(-most // max(len(places), 1))
    found = [clip for place in places.tolist() for clip in _objects(videos[place], share)]
    if not found:
        raise DatasetError(f"{path}: nothing moves in it; name footage with objects to cut out")
    return found[:most]


def fitted(spec: BackboneSpec, clips: Sequence[Clip]) -> npt.NDArray[np.uint8]:
    """Clips in the network's own size, (G, T, H, W, 3)."""
    return np.stack([[spec.fit(picture) for picture in clip] for clip in clips])


def _counts(frames: int) -> tuple[int, int]:
    """How many clips judge, and how many give ranges."""
    return (GOLDEN_PICTURES, RANGE_PICTURES) if frames == 1 else (GOLDEN_CLIPS, RANGE_CLIPS)


def _seen(path: Path, most: int, frames: int, view: View) -> list[Clip]:
    if view == "picture":
        return footage_clips(path, most, frames)
    if frames > 1:
        raise ConfigError("--view objects: a network of clips sees the whole picture")
    return object_clips(path, most)


def _objects(video: Video, share: int) -> list[Clip]:
    shown = Shown("objects", Viewing(), share, shaken=False)
    return [[crop] for crop in gather(video.path, shown, detector=None)]


def _split(clips: list[Clip], count: int) -> Chosen:
    if len(clips) < 2:
        raise DatasetError("one clip of footage cannot calibrate and judge: name more of it")
    every = max(2, -(-len(clips) // count))
    return Chosen(clips[::every], [clip for at, clip in enumerate(clips) if at % every])
