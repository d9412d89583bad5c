"""``vad-aggregator public``: the public videos that a federation's clusters are improved with."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from aggregator.commands.public_means import make_means
from aggregator.commands.report import answer, table
from aggregator.public.add import Preparation
from aggregator.public.asking import Budget
from aggregator.public.folder import Entry, PublicFolder, State
from aggregator.public.labels import Label, read_categories, read_labels
from aggregator.public.listing import camera_of, check_names, list_videos
from aggregator.public.reading import read_public
from edge.commands.report import shown
from edge.lock import sole_user
from edge.terminal import FAILED

HEADINGS = ("video", "state", "label", "category", "rounds", "caption or reason")
SHOWN_CHARS = 100


def run(options: argparse.Namespace) -> int:
    """Do what the second word of the command says."""
    return add(options) if options.action == "add" else show(options)


def add(options: argparse.Namespace) -> int:
    """Put all videos of a folder into the set; 1 where something is left to be done."""
    videos = list_videos(options.folder)
    labels = _labels(options)
    folder, budget = PublicFolder(options.out), Budget(options.requests * len(videos))
    with sole_user(options.out, otherwise="name another --out"):
        check_names(videos, folder.entries())
        means = make_means(options, folder, budget)
        classes = _classes(options, folder)
        folder.begin(classes)
        preparation = Preparation(folder, means, budget)
        entries = [
            preparation.add(
                path,
                camera=camera_of(path, options.cameras),
                label=labels.get(path.stem, Label()),
            )
            for path in shown(videos, "public videos", "video")
        ]
    objects = _objects(options.detector, classes)
    figures = _figures(entries) | {
        "folder": str(options.out),
        "head": means.watcher.head,
        "objects": objects,
        "requests": budget.spent,
        "labels_without_video": sorted(labels.keys() - {path.stem for path in videos}),
    }
    text = f"{_summary(entries)}\nobjects: {objects}\nrequests: {budget.spent}"
    answer(figures, as_json=options.format == "json", text=text)
    return FAILED if any(entry.state == "unfinished" for entry in entries) else 0


def show(options: argparse.Namespace) -> int:
    """List a set; reads it as distillation does, so that it says what that would say."""
    public = read_public(options.folder)
    entries = list(PublicFolder(options.folder).entries())
    figures = _figures(entries) | {
        "folder": str(options.folder),
        "classes": list(public.classes),
        "segments": sum(len(video.values) for video in public.videos),
        "widths": dict(zip(("values", "visual", "text"), public.widths, strict=True)),
        "videos": {
            video.name: {
                "abnormal": video.abnormal,
                "category": video.category,
                "caption": video.caption,
                "objects": dict(zip(public.classes, video.objects.tolist(), strict=True)),
                "segments": len(video.values),
            }
            for video in public.videos
        },
    }
    rows = [
        (
            entry.name,
            entry.state,
            entry.label,
            entry.category,
            entry.rounds,
            (entry.reason or entry.caption)[:SHOWN_CHARS],
        )
        for entry in entries
    ]
    text = f"{table(HEADINGS, rows)}\n{_summary(entries)}"
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _labels(options: argparse.Namespace) -> dict[str, Label]:
    known = read_categories(options.categories)
    return read_labels(options.labels, known) if options.labels else {}


def _classes(options: argparse.Namespace, folder: PublicFolder) -> tuple[str, ...]:
    """Those that are named; otherwise what the set has already."""
    if options.classes is None:
        return folder.classes() if folder.begun else ()
    named = (part.strip() for part in options.classes.split(","))
    return tuple(dict.fromkeys(part for part in named if part))


def _objects(detector: Path | None, classes: Sequence[str]) -> str:
    if not classes:
        return "not told by classes: videos are not selected by what they show (--classes)"
    if detector is None:
        return "motion tells no classes: name the --detector of the hosts"
    return f"by {', '.join(classes)}"


def _figures(entries: Sequence[Entry]) -> dict[str, Any]:
    ready = [entry for entry in entries if entry.state == "ready"]
    return {
        "ready": len(ready),
        "captions": sum(bool(entry.caption) for entry in ready),
        "described_again": sum(entry.rounds > 0 for entry in ready),
        "left_out": {
            state: {entry.name: entry.reason for entry in _of(entries, state)}
            for state in get_args(State)
            if state != "ready"
        },
    }


def _summary(entries: Sequence[Entry]) -> str:
    figures = _figures(entries)
    lines = [
        f"{figures['ready']} videos ready, {figures['captions']} with captions, "
        f"{figures['described_again']} described again"
    ]
    for state, found in figures["left_out"].items():
        lines += [f"{state}: {name}: {reason}" for name, reason in found.items()]
    if figures["left_out"]["unfinished"]:
        lines.append("some are unfinished: run the same command again, it goes on where it was")
    return "\n".join(lines)


def _of(entries: Iterable[Entry], state: State) -> list[Entry]:
    return [entry for entry in entries if entry.state == state]
