"""One camera's place in the live process: its decoding thread, its watch, its worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.alerts.desk import AlertDesk
from edge.analysis import Keeper
from edge.compose import (
    learning_plan,
    make_detector,
    make_feed,
    make_perception,
    make_student,
    make_words,
    model_path,
    other_rate,
    recall_model,
)
from edge.config import CameraSection, EdgeConfig
from edge.features.actions import ActionSight
from edge.features.track_crops import Looks
from edge.ingest.feed import CameraFeed
from edge.ingest.health import State
from edge.ingest.latest import Mailbox, Mailroom
from edge.school import School
from edge.scoring.guidance import Guide
from edge.scoring.words import Words
from edge.vitals import Stopwatch
from edge.watch import Watch
from edge.wire.states import CameraStatus
from edge.wire.stats import CameraStats
from edge.worker import Tally, Worker

log = logging.getLogger(__name__)

NETWORK_WORKERS = 2  # a network leaves the interpreter to the other worker while it runs
MOTION_WORKERS = 1
"""Without a network the many small steps hold the interpreter, and a second worker only fights for
it: of 40 cameras on two cores a frame took 9.1 ms with two workers and 4.2 ms with one."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What a camera has to do with words."""

    words: Words  # of the host
    sight: ActionSight  # of its worker
    guide: Guide  # of the camera

    def problem(self, camera: str) -> str:
        """What an operator should know, "" when all is well."""
        if self.sight.problem:
            return f"words are silent, their model does not run: {self.sight.problem}"
        if not self.sight.is_short(camera):
            return ""
        return (
            "words do not keep up: for over a minute not every object was looked at, the least "
            "anomalous went without; raise words.embeddings_per_s, or take a smaller word model"
        )


@dataclass(slots=True)
class Post:
    """A camera and who attends to it."""

    camera: str
    section: CameraSection
    mailbox: Mailbox
    feed: CameraFeed
    watch: Watch
    tally: Tally
    reader: Reader | None = None  # None: without words

    @property
    def status(self) -> CameraStatus:
        """How the camera is, as the world is told."""
        state = self.feed.snapshot().state
        if not self.watch.enabled:
            return CameraStatus.DISABLED
        if state is State.ONLINE and self.watch.model is None:
            return CameraStatus.LEARNING
        return CameraStatus(state.value)

    @property
    def problems(self) -> list[str]:
        """What an operator should mend, in words."""
        words = self.reader.problem(self.camera) if self.reader else ""
        said = (self.feed.snapshot().error, self.tally.problem, self.watch.problem, words)
        return [f"camera {self.camera}: {problem}" for problem in said if problem]

    def stats(self, *, open_events: int, stored_clips: int, stored_bytes: int) -> CameraStats:
        """Figures of this moment."""
        feed, tally = self.feed.snapshot(), self.tally
        looks = self.reader.sight.looks(self.camera) if self.reader else Looks()
        return CameraStats(
            camera=self.camera,
            status=self.status,
            learnt_share=self.watch.learnt_share,
            stream_hz=feed.decoded_hz,
            analysed_hz=tally.rate.at(time.monotonic()),
            dropped={
                "unread": feed.unread,
                "corrupt": feed.corrupt,
                "unhealthy": feed.unhealthy,
                "failed": tally.failed,
                "disabled": tally.disabled,
            },
            reconnects=feed.reconnects,
            latency_p50_ms=tally.latencies.percentile(50),
            latency_p99_ms=tally.latencies.percentile(99),
            open_events=open_events,
            stored_clips=stored_clips,
            stored_bytes=stored_bytes,
            embeddings=looks.embeddings,
            embeddings_dropped=looks.dropped,
            embeddings_failed=looks.failed,
        )

    def reopen(self) -> None:
        """Begin with a new source: the old one has ended for good, perhaps wrongly."""
        self.feed = make_feed(self.camera, self.section, self.mailbox)
        self.feed.start()


def make_posts(
    config: EdgeConfig,
    cameras: Mapping[str, CameraSection],
    *,
    desk: AlertDesk,
    desk_lock: threading.Lock,
    arm: Callable[[str], None],
    stopwatch: Stopwatch,
    keeper: Keeper | None,
) -> tuple[list[Worker], dict[str, Post]]:
    """Deal the cameras to the workers in turn; no thread is started yet.

    ``arm`` is called before each score is taken, ``keeper`` gets the features of all frames.
    """
    detector = make_detector(config.detector)
    student, words = make_student(config), make_words(config)
    for name, camera in cameras.items():
        if warning := other_rate(student, camera):
            log.warning("camera %s: %s", name, warning)
    school = School()
    names = list(cameras)
    workers, posts = [], {}
    count = min(NETWORK_WORKERS if detector else MOTION_WORKERS, len(names))
    for number in range(count):
        mailroom, perception = Mailroom(), make_perception(config.detector, detector)
        readers = make_readers(config, words, names[number::count], workers=count)
        watches = {
            name: Watch(
                name,
                recall_model(config, name, student, words),
                plan=learning_plan(config, cameras[name], student, words),
                labels=perception.labels,
                model_path=model_path(config, name),
                submit=school.submit,
                adapt=config.learning.adapt,
                keeper=keeper,
                sight=readers[name].sight if name in readers else None,
                guide=readers[name].guide if name in readers else None,
            )
            for name in names[number::count]
        }
        worker = Worker(
            f"worker-{number}",
            mailroom,
            perception,
            watches,
            desk=desk,
            desk_lock=desk_lock,
            arm=arm,
            stopwatch=stopwatch,
            sight=next((reader.sight for reader in readers.values()), None),
        )
        workers.append(worker)
        for name, watch in watches.items():
            box = mailroom.add()
            feed = make_feed(name, cameras[name], box)
            tally, reader = worker.tallies[name], readers.get(name)
            posts[name] = Post(name, cameras[name], box, feed, watch, tally, reader)
    return workers, {name: posts[name] for name in names}


def make_readers(
    config: EdgeConfig, words: Words | None, cameras: Sequence[str], *, workers: int
) -> dict[str, Reader]:
    """The readers of one worker's cameras, by camera; none without words.

    They share one sight, and the host's budget is shared by its ``workers``.
    """
    if words is None or config.words is None:
        return {}
    sight = words.sight(max(config.words.embeddings_per_s / workers, 1.0))
    prompts = words.model.prompts.embeddings
    return {name: Reader(words, sight, Guide(prompts)) for name in cameras}
