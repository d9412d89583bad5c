"""``vad-edge fit``: learn what is normal for one camera, from footage or from its stream."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

from edge.analysis import LearningPlan, Pupil
from edge.commands.report import answer, progress_bar
from edge.compose import (
    learning_plan,
    make_detector,
    make_feed,
    make_perception,
    make_source,
    make_student,
    make_words,
    model_path,
)
from edge.config import CameraSection, load_config
from edge.domain.frame import Frame
from edge.errors import ConfigError, SourceUnavailableError
from edge.ingest.feed import read_frames
from edge.ingest.latest import Mailroom
from edge.ingest.masks import PrivacyMasks
from edge.perception.perception import Perception
from edge.scoring.model import CameraModel
from edge.scoring.store import save_camera_model

HOLE_S = 60.0  # between footage files: longer than any track
PATIENCE_S = 60.0  # with a camera that has not delivered anything yet


def run(options: argparse.Namespace) -> int:
    """Learn, save, and say what the threshold rests on."""
    config = load_config(options.config)
    camera = config.cameras.get(options.camera)
    if camera is None:
        known = ", ".join(config.cameras)
        raise ConfigError(f"{options.config}: no camera {options.camera!r}; it has: {known}")
    plan = learning_plan(config, camera, make_student(config), make_words(config))
    seconds = options.seconds or (plan.period_s if not options.footage else float("inf"))
    perception = make_perception(config.detector, make_detector(config.detector))
    frames = _frames(options.camera, camera, options.footage)
    model = learn(frames, perception, options.camera, plan, seconds=seconds)
    path = model_path(config, options.camera)
    save_camera_model(path, model)
    answer(_figures(model, path), as_json=options.format == "json", text=_text(model, path))
    return 0


def learn(
    frames: Iterator[Frame],
    perception: Perception,
    camera: str,
    plan: LearningPlan,
    *,
    seconds: float,
) -> CameraModel:
    """Watch at most ``seconds`` of footage and graduate; raises NotLearntError."""
    pupil = Pupil(camera, plan)
    total = None if seconds == float("inf") else seconds
    with progress_bar(f"learning {camera}", total, "s") as progress:
        for frame in frames:
            pupil.watch(perception.observe([frame])[0])
            progress.update(min(pupil.seconds, seconds) - progress.n)
            if pupil.seconds >= seconds:
                break
    return pupil.graduate()


def _frames(name: str, camera: CameraSection, files: list[Path] | None) -> Iterator[Frame]:
    """All frames of the files one after the other, or of the camera."""
    if files:
        return _footage(name, camera, [str(file) for file in files])
    if make_source(camera, paced=False).live:
        return _stream(name, camera)
    return _footage(name, camera, [camera.source])


def _stream(name: str, camera: CameraSection, *, patience_s: float = PATIENCE_S) -> Iterator[Frame]:
    """What the camera sends while it is healthy, over as many connections as that takes.

    Raises SourceUnavailableError when nothing comes within ``patience_s``, and when it has ended.
    """
    mailroom = Mailroom()
    feed = make_feed(name, camera, mailroom.add())
    end_s = time.monotonic() + patience_s
    feed.start()
    try:
        while not feed.snapshot().ended:
            for frame in mailroom.take(limit=1, timeout_s=min(patience_s, 1.0)):
                end_s = math.inf  # it is there: from now on it is waited for
                yield frame
            if time.monotonic() >= end_s:
                seen = feed.snapshot()
                why = seen.error or f"it is {seen.state}"
                raise SourceUnavailableError(f"camera {name}: nothing in {patience_s:.0f} s: {why}")
    finally:
        feed.stop()
    why = feed.snapshot().error or "its footage has ended"
    raise SourceUnavailableError(f"camera {name}: {why}")


def _footage(name: str, camera: CameraSection, addresses: list[str]) -> Iterator[Frame]:
    start_s = 0.0
    for address in addresses:
        section = camera.model_copy(update={"source": address, "loop": False})
        for frame in read_frames(
            make_source(section, paced=False),
            camera=name,
            analysis_hz=camera.analysis_hz,
            max_width=camera.max_width,
            masks=PrivacyMasks(camera.masks),
            start_s=start_s,
        ):
            start_s = frame.time_s
            yield frame
        start_s += HOLE_S


def _figures(model: CameraModel, path: Path) -> dict[str, object]:
    budget = model.budget
    return {
        "camera": model.camera,
        "footage_s": budget.footage_s,
        "alarms_per_day": budget.alarms_per_day,
        "threshold": budget.threshold,
        "threshold_low": budget.low,
        "threshold_high": budget.high,
        "peaks": budget.peaks,
        "path": str(path),
    }


def _text(model: CameraModel, path: Path) -> str:
    return f"camera {model.camera}: threshold {model.budget}\nsaved in {path}; restart vad-edge run"
