"""``vad-edge eval``: figures on a data set, the trivial baselines beside them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.analysis import LearningPlan
from edge.commands.report import answer, shown
from edge.compose import make_detector, make_perception
from edge.config import DetectorSection
from edge.domain.frame import Frame
from edge.errors import ConfigError
from edge.evaluation.clips import read_clips
from edge.evaluation.mot import evaluate_mot
from edge.evaluation.report import Report, ScoredClip
from edge.evaluation.synthetic import frames, labels
from edge.evaluation.timeline import draw_timeline, write_picture
from edge.evaluation.tracks import evaluate_tracks
from edge.evaluation.video import Footage, evaluate_video
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.ingest.synthetic.splits import street_splits
from edge.ingest.synthetic.street import Street, StreetOptions
from edge.model.artifact import load_artifact
from edge.model.words import load_words
from edge.perception.tracker import Tracker
from edge.scoring.model import ScoringOptions
from edge.scoring.student import StudentTerm
from edge.scoring.words import Words

MAX_ANALYSIS_HZ = 10.0  # of faster footage not every frame is looked at
MAX_WIDTH_PX = 640
PLAN = LearningPlan(period_s=float("inf"), alarms_per_day=2.0, options=ScoringOptions())


def run(options: argparse.Namespace) -> int:
    """Evaluate; pictures go to ``--plot``."""
    if options.root is None and options.dataset != "synthetic":
        raise ConfigError(f"eval --dataset {options.dataset} needs --root DIR: its folder")
    for name in ("student", "words"):
        if getattr(options, name) is not None and options.dataset in ("mot", "shanghaitech-tracks"):
            raise ConfigError(f"eval --{name} looks at footage, {options.dataset} has none")
    if options.no_motion and options.student is None and options.words is None:
        raise ConfigError("eval --no-motion needs --words or --student: who judges?")
    if options.dataset == "mot":
        figures = evaluate_mot(options.root, Tracker().update)
        text = f"MOTA {100 * figures.mota:.1f}, IDF1 {100 * figures.idf1:.1f}"
        answer({"dataset": "mot", **asdict(figures)}, as_json=options.format == "json", text=text)
        return 0
    report, scored = _evaluate(options)
    for clip in scored if options.plot else ():
        _plot(clip, report.frame_hz, options.plot / f"{options.dataset}-{clip.name}.png")
    answer(report.as_json(), as_json=options.format == "json", text=report.as_text())
    return 0


def _evaluate(options: argparse.Namespace) -> tuple[Report, list[ScoredClip]]:
    if options.dataset == "shanghaitech-tracks":
        return evaluate_tracks(options.root, progress=partial(shown, what="scoring", unit="camera"))
    train, test, left_out = _streets() if options.dataset == "synthetic" else _clips(options.root)
    section = DetectorSection.of_files(options.model, options.labels)
    student = StudentTerm.of(load_artifact(options.student)) if options.student else None
    words = Words(load_words(options.words)) if options.words else None
    scoring = ScoringOptions(motion=not options.no_motion)
    return evaluate_video(
        options.dataset,
        train,
        test,
        perception=make_perception(section, make_detector(section)),
        plan=replace(PLAN, options=scoring, student=student, words=words),
        analysis_hz=options.analysis_hz,
        left_out=left_out,
        progress=partial(shown, what="scoring", unit="clip"),
    )


def _clips(root: Path) -> tuple[list[Footage], list[Footage], list[str]]:
    dataset = read_clips(root)
    left_out = [
        *(f"{name}: no labels" for name in dataset.without_labels),
        *(f"{name}: labels without a clip" for name in dataset.without_clip),
    ]
    train, test = (
        [Footage(clip.name, partial(clip.frames, _open), clip.labels) for clip in clips]
        for clips in (dataset.train, dataset.test)
    )
    return train, test, left_out


def _open(path: Path) -> Iterator[Frame]:
    return read_frames(FileSource(path), camera=path.stem, max_width=MAX_WIDTH_PX)


def _streets() -> tuple[list[Footage], list[Footage], list[str]]:
    splits = street_splits(StreetOptions(fps=MAX_ANALYSIS_HZ))
    train, test = (
        [_street(name, Street(options)) for name, options in clips.items()]
        for clips in (splits.train, splits.test)
    )
    return train, test, []


def _street(name: str, street: Street) -> Footage:
    return Footage(name, partial(frames, street, name), labels(street))


def _plot(scored: ScoredClip, hz: float, path: Path) -> None:
    picture = draw_timeline(
        np.arange(len(scored.clip.labels)) / hz,
        scored.clip.scores,
        anomalous=scored.clip.labels,
        threshold=scored.threshold,
        title=f"{scored.camera} {scored.name}: anomaly score, decades of surprise",
    )
    write_picture(path, picture)
