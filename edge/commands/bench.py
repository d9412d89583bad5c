"""``vad-edge bench``: how many cameras this machine carries, measured on the live path itself.

Every camera is a thread that decodes the file at its own pace. Normality is learnt once, from the
file, and given to all of them; the first seconds, in which decoders open, are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.commands.fit import learn
from edge.commands.report import answer, progress_bar
from edge.compose import learning_plan, make_detector, make_perception, make_source, model_path
from edge.config import CameraSection, DetectorSection, EdgeConfig, MqttSection
from edge.ingest.feed import read_frames
from edge.scoring.store import save_camera_model
from edge.serve import Host
from edge.vitals import cpu_s, rss_bytes

WARM_UP_S = 10.0
LEARN_S = 120.0  # of the file, or all of it


@dataclass(frozen=True, slots=True)
class _Totals:
    """Counts of all cameras at one moment."""

    at_s: float
    cpu_s: float
    decoded: int
    due: int
    unread: int
    unhealthy: int
    scored: int

    @classmethod
    def of(cls, host: Host) -> _Totals:
        feeds = [post.feed.snapshot() for post in host.posts.values()]
        return cls(
            at_s=time.monotonic(),
            cpu_s=cpu_s(),
            decoded=sum(feed.decoded for feed in feeds),
            due=sum(feed.due for feed in feeds),
            unread=sum(feed.unread for feed in feeds),
            unhealthy=sum(feed.unhealthy for feed in feeds),
            scored=sum(post.tally.scored for post in host.posts.values()),
        )


def run(options: argparse.Namespace) -> int:
    """Learn, load, measure."""
    with tempfile.TemporaryDirectory(prefix="vad-edge-bench-") as folder:
        config = _config(options, Path(folder))
        _learn(config)
        figures = _measure(config, options.seconds)
    answer(figures, as_json=options.format == "json", text=json.dumps(figures, indent=2))
    return 0


def _config(options: argparse.Namespace, folder: Path) -> EdgeConfig:
    camera = CameraSection(source=options.source, loop=True, analysis_hz=options.analysis_hz)
    return EdgeConfig(
        host="bench",
        data_dir=folder,
        mqtt=MqttSection(enabled=False),
        detector=DetectorSection.of_files(options.model, options.labels),
        cameras={f"c{number}": camera for number in range(options.cameras)},
    )


def _learn(config: EdgeConfig) -> None:
    name, camera = next(iter(config.cameras.items()))
    perception = make_perception(config.detector, make_detector(config.detector))
    source = make_source(camera.model_copy(update={"loop": False}), paced=False)
    frames = read_frames(
        source, camera=name, analysis_hz=camera.analysis_hz, max_width=camera.max_width
    )
    model = learn(frames, perception, name, learning_plan(config, camera), seconds=LEARN_S)
    for name in config.cameras:
        save_camera_model(model_path(config, name), replace(model, camera=name))


def _measure(config: EdgeConfig, seconds: float) -> dict[str, Any]:
    stop = threading.Event()
    with Path(os.devnull).open("w") as nowhere:
        host = Host(config, events=nowhere)
        running = threading.Thread(target=host.run, args=(stop,), name="host")
        running.start()
        try:
            _wait("warming up", WARM_UP_S)
            for post in host.posts.values():
                post.tally.latencies.clear()
            host.stopwatch.clear()
            before = _Totals.of(host)
            _wait(f"measuring {len(config.cameras)} cameras", seconds)
            return _figures(host, before, _Totals.of(host))
        finally:
            stop.set()
            running.join()


def _wait(what: str, seconds: float) -> None:
    with progress_bar(what, seconds, "s") as bar:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(1.0, left_s))
            bar.update(min(1.0, left_s))


def _figures(host: Host, before: _Totals, after: _Totals) -> dict[str, Any]:
    took_s = after.at_s - before.at_s
    due = after.due - before.due
    latencies_ms = [ms for post in host.posts.values() for ms in post.tally.latencies.noted_ms()]
    p50, p99 = np.percentile(latencies_ms, [50, 99]) if latencies_ms else (None, None)
    return {
        "cameras": len(host.posts),
        "seconds": round(took_s, 1),
        "decoded_fps": round((after.decoded - before.decoded) / took_s, 1),
        "due_fps": round(due / took_s, 1),
        "analysed_fps": round((after.scored - before.scored) / took_s, 1),
        "dropped": {
            "unread": after.unread - before.unread,
            "unhealthy": after.unhealthy - before.unhealthy,
        },
        "dropped_share": (after.unread - before.unread) / max(due, 1),
        "stages_ms": {name: round(ms, 3) for name, ms in host.stopwatch.means_ms().items()},
        "latency_ms": {"p50": p50, "p99": p99},
        "rss_bytes": rss_bytes(),
        "cpu_cores": round((after.cpu_s - before.cpu_s) / took_s, 2),
    }
