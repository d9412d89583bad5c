"""One camera's place in the live process: its decoding thread, its watch, its worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.alerts.desk import AlertDesk
from edge.analysis import Keeper
from edge.compose import (
    learning_plan,
    make_detector,
    make_feed,
    make_perception,
    make_student,
    model_path,
    recall_model,
)
from edge.config import CameraSection, EdgeConfig
from edge.ingest.feed import CameraFeed
from edge.ingest.health import State
from edge.ingest.latest import Mailbox, Mailroom
from edge.school import School
from edge.vitals import Stopwatch
from edge.watch import Watch
from edge.wire.states import CameraStatus
from edge.wire.stats import CameraStats
from edge.worker import Tally, Worker

NETWORK_WORKERS = 2  # a network leaves the interpreter to the other worker while it runs
MOTION_WORKERS = 1
"""Without a network the many small steps hold the interpreter, and a second worker only fights for
it: of 40 cameras on two cores a frame took 9.1 ms with two workers and 4.2 ms with one."""


@dataclass(slots=True)
class Post:
    """A camera and who attends to it."""

    camera: str
    section: CameraSection
    mailbox: Mailbox
    feed: CameraFeed
    watch: Watch
    tally: Tally

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
        said = (self.feed.snapshot().error, self.tally.problem, self.watch.problem)
        return [f"camera {self.camera}: {problem}" for problem in said if problem]

    def stats(self, *, open_events: int, stored_clips: int, stored_bytes: int) -> CameraStats:
        """Figures of this moment."""
        feed, tally = self.feed.snapshot(), self.tally
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
    student = make_student(config)
    school = School()
    names = list(cameras)
    workers, posts = [], {}
    count = min(NETWORK_WORKERS if detector else MOTION_WORKERS, len(names))
    for number in range(count):
        mailroom, perception = Mailroom(), make_perception(config.detector, detector)
        watches = {
            name: Watch(
                name,
                recall_model(config, name, student),
                plan=learning_plan(config, cameras[name], student),
                labels=perception.labels,
                model_path=model_path(config, name),
                submit=school.submit,
                adapt=config.learning.adapt,
                keeper=keeper,
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
        )
        workers.append(worker)
        for name, watch in watches.items():
            box = mailroom.add()
            feed = make_feed(name, cameras[name], box)
            posts[name] = Post(name, cameras[name], box, feed, watch, worker.tallies[name])
    return workers, {name: posts[name] for name in names}
