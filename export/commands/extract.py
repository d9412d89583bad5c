"""``vad-export extract``: the segment features of a folder of videos, by several backbones."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.commands.report import answer, progress_bar, say
from edge.errors import ConfigError, DatasetError
from edge.model.folder import sha256
from edge.perception.motion import MOTION_LABELS
from export.commands.given import viewing
from export.extract.backends import extract
from export.extract.clip import Job, Outcome, Setup, workshop
from export.extract.describers import DESCRIPTORS, Describer
from export.extract.shelf import Shelf, check_neighbours
from export.extract.videos import Videos, list_videos


@dataclass(slots=True)
class _Tally:
    """What has become of the videos so far."""

    there: int = 0  # before, for all describers
    extracted: int = 0
    segments: int = 0


def run(options: argparse.Namespace) -> int:
    """Extract what is not there yet; answers with what is, and with what was left out."""
    videos = list_videos(options.videos)
    setup = _setup(options)
    shelves = _shelves(options.out, setup)
    for shelf in shelves.values():
        shelf.check(videos)
    for shelf in shelves.values():
        shelf.begin(videos.annotations)
    left_out = [*videos.left_out]
    tally = _extract(options, setup, shelves, videos, left_out)
    if not tally.there + tally.extracted:
        raise DatasetError(f"{options.videos}: no video gave a segment: {'; '.join(left_out)}")
    figures = {"out": str(options.out), **asdict(tally), "left_out": left_out}
    answer(figures, as_json=options.format == "json", text=_text(options.out, tally))
    return 0


def _setup(options: argparse.Namespace) -> Setup:
    describers: dict[str, Path | None] = {}
    for given in options.backbones:
        folder = None if given == DESCRIPTORS else Path(given)
        name = DESCRIPTORS if folder is None else folder.resolve().name
        if name in describers:
            raise ConfigError(f"--backbones: two of the name {name}; their folders would be one")
        describers[name] = folder
    return Setup(tuple(describers.items()), options.view, viewing(options))


def _shelves(out: Path, setup: Setup) -> dict[str, Shelf]:
    """One for each describer; refuses, before anything is written, what would mix."""
    footage = asdict(setup.viewing.sampling)
    shop = workshop(setup)
    check_neighbours(out, footage, list(shop.describers))
    objects = {"objects": _objects(setup)}
    return {
        name: Shelf(out / name, describer.kind, _facts(describer, footage, objects))
        for name, describer in shop.describers.items()
    }


def _facts(
    describer: Describer, footage: Mapping[str, Any], objects: Mapping[str, Any]
) -> dict[str, Any]:
    return {"footage": footage, **describer.facts(), **(objects if describer.follows else {})}


def _objects(setup: Setup) -> dict[str, Any]:
    """What is followed."""
    path, detector = setup.viewing.detector, workshop(setup).detector
    if path is None or detector is None:
        return {"detector": "motion", "labels": list(MOTION_LABELS)}
    return {"detector": sha256(path.read_bytes()), "labels": list(detector.labels)}


def _extract(
    options: argparse.Namespace,
    setup: Setup,
    shelves: Mapping[str, Shelf],
    videos: Videos,
    left_out: list[str],
) -> _Tally:
    jobs = _jobs(shelves, videos)
    tally = _Tally(there=len(videos.clips) - len(jobs))
    workers = min(options.workers or os.cpu_count() or 1, max(len(jobs), 1))
    with progress_bar("extracting", len(videos.clips), "video") as bar:
        bar.update(tally.there)
        for outcome in extract(setup, jobs, backend=options.backend, workers=workers):
            if outcome.left_out is not None:
                left_out.append(f"{outcome.video}: {outcome.left_out}")
                say(f"left out {left_out[-1]}")
            else:
                _put(shelves, outcome)
                tally.extracted += 1
                tally.segments += len(next(iter(outcome.rows.values())))
            bar.update()
    return tally


def _jobs(shelves: Mapping[str, Shelf], videos: Videos) -> Sequence[Job]:
    lacking = {
        video: tuple(name for name, shelf in shelves.items() if not shelf.holds(video))
        for video in videos.clips
    }
    return [Job(video, names) for video, names in lacking.items() if names]


def _put(shelves: Mapping[str, Shelf], outcome: Outcome) -> None:
    for name, rows in outcome.rows.items():
        shelves[name].put(outcome.video, rows, outcome.segment_frames)


def _text(out: Path, tally: _Tally) -> str:
    return (
        f"{out}: {tally.segments} segments of {tally.extracted} videos; "
        f"{tally.there} were there before"
    )
