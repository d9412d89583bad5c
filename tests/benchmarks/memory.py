"""Memory over an hour's worth of footage, as fast as possible: RSS slope per 10 000 frames.

    python -m tests.benchmarks.memory CLIP [--frames 18000]

The clip is looped through detection, tracking, features, scoring (with adaptation), the alarm and
the outbox on disk; 18 000 frames are an hour at 5 Hz. The first tenth, in which caches fill, is
not part of the slope.
"""

import argparse
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.alerts.alarm import Alarm
from edge.alerts.console import Console
from edge.alerts.desk import AlertDesk
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.alerts.snapshot import SnapshotStore
from edge.analysis import Judge, LearningPlan
from edge.commands.fit import learn
from edge.compose import limits
from edge.domain.frame import Frame
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.perception.perception import Perception
from edge.scoring.model import ScoringOptions
from edge.vitals import rss_bytes
from edge.wire.topics import Topics

CAMERA = "loop"
LEARN_S = 300.0
BUDGET = 2000.0  # alarms a day: so many that the alert path has work to do


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=18_000)
    options = parser.parse_args()
    frames = looped(options.clip)
    perception = Perception()
    plan = LearningPlan(LEARN_S, BUDGET, ScoringOptions())
    model = learn(frames, perception, CAMERA, plan, seconds=LEARN_S)
    judge = Judge(model, labels=perception.labels, adapt=True)
    with tempfile.TemporaryDirectory() as folder:
        topics = Topics("vad", "host")
        outbox = Outbox(Path(folder) / "outbox.sqlite")
        publisher = Publisher(
            Console(io.StringIO(), topic="none"), outbox, events_topic=topics.events
        )
        alarm = Alarm(CAMERA, limits(model, cooldown_s=10.0), model.version)
        desk = AlertDesk(
            {CAMERA: alarm},
            outbox=outbox,
            publisher=publisher,
            topics=topics,
            snapshots=SnapshotStore(Path(folder) / "snapshots", max_bytes=10_000_000),
        )
        rss = []
        for count, frame in zip(range(options.frames), frames, strict=False):
            desk.take(judge.score(perception.observe([frame])[0]), frame)
            if count % 100 == 0:
                publisher.pump()
                rss.append((count, rss_bytes()))
        report(np.array(rss, float), desk.counts(CAMERA).opened)


def looped(clip: Path) -> Iterator[Frame]:
    source = FileSource(clip, loop=True)
    return read_frames(source, camera=CAMERA, analysis_hz=5.0, max_width=640)


def report(rss: np.ndarray, events: int) -> None:
    settled = rss[len(rss) // 10 :]
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0]
    figures = {
        "frames": int(rss[-1, 0]),
        "events": events,
        "rss_first_bytes": int(settled[0, 1]),
        "rss_last_bytes": int(settled[-1, 1]),
        "rss_peak_bytes": int(settled[:, 1].max()),
        "slope_bytes_per_10000_frames": round(slope * 10_000),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
