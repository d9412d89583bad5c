"""Clips to hold networks against torch with, and to measure 8-bit ranges on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.errors import DatasetError
from edge.features.embedding import Picture
from edge.ingest.synthetic import KINDS, Street, StreetOptions
from edge.model.backbone import BackboneSpec
from export.footage import pictures

Clip: TypeAlias = Sequence[Picture]  # T pictures of any size, (H, W, 3) BGR

GOLDEN_PICTURES, RANGE_PICTURES = 6, 48
GOLDEN_CLIPS, RANGE_CLIPS = 2, 6  # of networks that take several pictures at a time

PICTURES_HZ, CLIPS_HZ = 0.25, 10.0  # of a street: single pictures, and those of a clip
FIRST_S = 8.0  # of a street: by then people are about


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a network is judged by, and what its 8-bit ranges are measured on: never the same."""

    golden: Sequence[Clip]
    ranges: Sequence[Clip]


def choose(frames: int, *, golden: Path | None, calibration: Path | None, int8: bool) -> Chosen:
    """Clips of ``frames`` pictures out of footage, or of generated streets where none is named.

    If ``calibration`` alone is named, the golden clips are some of its own, taken out. Without
    ``int8`` there are no ranges. Raises DatasetError where footage is too short, and see
    ``export.footage.pictures``.
    """
    single = frames == 1
    count, most = (GOLDEN_PICTURES, RANGE_PICTURES) if single else (GOLDEN_CLIPS, RANGE_CLIPS)
    if calibration and not golden:
        return _split(footage_clips(calibration, count + most, frames), count)
    judging = (
        footage_clips(golden, count, frames) if golden else street_clips(count, frames, seed=1)
    )
    if not int8:
        return Chosen(judging, ())
    if calibration:
        return Chosen(judging, footage_clips(calibration, most, frames))
    return Chosen(judging, street_clips(most, frames, seed=2))


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


def fitted(spec: BackboneSpec, clips: Sequence[Clip]) -> npt.NDArray[np.uint8]:
    """Clips in the network's own size, (G, T, H, W, 3)."""
    return np.stack([[spec.fit(picture) for picture in clip] for clip in clips])


def _split(clips: list[Clip], count: int) -> Chosen:
    if len(clips) < 2:
        raise DatasetError("one clip of footage cannot calibrate and judge: name more of it")
    every = max(2, -(-len(clips) // count))
    return Chosen(clips[::every], [clip for at, clip in enumerate(clips) if at % every])
