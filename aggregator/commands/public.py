"""``vad-aggregator public``: the public videos that a federation's clusters are improved with."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
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
from edge.errors import DatasetError
from edge.lock import sole_user
from edge.terminal import FAILED

HEADINGS = ("video", "state", "label", "category", "rounds", "caption or reason")
SHOWN_CHARS = 100
SHOWN_NAMES = 10  # of what has no video


def run(options: argparse.Namespace) -> int:
    """Do what the second word of the command says."""
    return add(options) if options.action == "add" else show(options)


def add(options: argparse.Namespace) -> int:
    """Put all videos of a folder into the set; 1 where something is left to be done.

    Raises DatasetError where none of them is ready.
    """
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
    astray = _astray({"labels": labels, "captions": means.describing.written}, videos)
    figures = _figures(entries) | {
        "folder": str(options.out),
        "head": means.watcher.head,
        "objects": objects,
        "requests": budget.spent,
        **{f"{what}_without_video": names for what, names in astray.items()},
    }
    lines = [_summary(entries), f"objects: {objects}", f"requests: {budget.spent}"]
    lines += [_bounded(what, names) for what, names in astray.items() if names]
    answer(figures, as_json=options.format == "json", text="\n".join(lines))
    if not figures["ready"]:
        raise DatasetError(_nothing(options.out, entries))
    return FAILED if _of(entries, "unfinished") else 0


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


def _astray(written: Mapping[str, Iterable[str]], videos: Iterable[Path]) -> dict[str, list[str]]:
    """Names in each file that no video has."""
    known = {path.stem for path in videos}
    return {what: sorted(set(names) - known) for what, names in written.items()}


def _bounded(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    listed = ", ".join(names[:SHOWN_NAMES])
    return (
        f"{what} without a video: {len(names)} (names are those of the files, without their "
        f"ending): {listed}{more}"
    )


def _nothing(out: Path, entries: Sequence[Entry]) -> str:
    """What to do where no video is ready."""
    counts = {state: len(_of(entries, state)) for state in get_args(State)}
    left_out = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return (
        f"{out}: no video of {len(entries)} is ready, so nothing was added ({left_out}); "
        f"{entries[0].name}: {entries[0].reason}; mend what the reasons name and run the same "
        "command again: it repeats nothing that is done"
    )


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
