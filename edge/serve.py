"""``vad-edge run``: the composition root of the live process.

Threads: one decodes each camera, a few analyse and raise alarms, one publishes, and the calling
one looks after them: it announces states and statistics and lets events of silent cameras expire.
Every queue has one place (frames) or is bounded on disk (alerts).
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TextIO

from edge import __version__
from edge.alerts.alarm import Alarm, Limits
from edge.alerts.console import Console
from edge.alerts.desk import AlertDesk
from edge.alerts.homeassistant import discovery_messages
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.alerts.snapshot import SnapshotStore
from edge.compose import (
    enabled_cameras,
    find_model,
    learning_plan,
    limits,
    make_detector,
    make_gating,
    make_source,
    make_zones,
    model_path,
    mqtt_settings,
)
from edge.config import CameraSection, EdgeConfig, load_config
from edge.errors import ConfigError, MalformedMessageError
from edge.ingest.feed import CameraFeed
from edge.ingest.health import State
from edge.ingest.latest import Mailroom
from edge.ingest.masks import PrivacyMasks
from edge.mqtt import MqttBroker
from edge.perception.perception import Perception
from edge.scoring.model import CameraModel
from edge.vitals import Stopwatch, rss_bytes
from edge.watch import Watch
from edge.wire.broker import Broker, Message
from edge.wire.states import (
    AVAILABLE,
    GONE,
    STOPPED,
    CameraStatus,
    decode_command,
    encode_status,
    encode_switch,
)
from edge.wire.stats import CameraStats, HostStats, encode_stats
from edge.wire.topics import Topics
from edge.worker import Worker

log = logging.getLogger(__name__)

WORKERS = 2  # more wait for each other: numpy's small steps hold the interpreter
LOOK_EVERY_S = 1.0
STATS_EVERY_S = 10.0
DAY_S = 86_400.0
NEVER = Limits(raise_at=math.inf, clear_below=math.inf)  # of a camera that still learns


def run(options: argparse.Namespace) -> int:
    """Watch the cameras of a configuration until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Host(load_config(options.config)).run(stop)
    return 0


@dataclass(frozen=True, slots=True)
class Post:
    """One camera's place in the process."""

    feed: CameraFeed
    watch: Watch
    worker: Worker

    @property
    def status(self) -> CameraStatus:
        """How the camera is, as the world is told."""
        state = self.feed.snapshot().state
        if not self.watch.enabled:
            return CameraStatus.DISABLED
        if state is State.ONLINE and self.watch.model is None:
            return CameraStatus.LEARNING
        return CameraStatus(state.value)


class Host:
    """All cameras of a host, from streams to alerts."""

    def __init__(self, config: EdgeConfig, *, events: TextIO = sys.stdout) -> None:
        """``events`` gets the alerts as JSON lines where MQTT is not enabled."""
        cameras = dict(enabled_cameras(config))
        if not cameras:
            raise ConfigError("no camera is enabled: set enabled: true for one")
        self.stopwatch = Stopwatch()
        self._config = config
        self._began_s = time.monotonic()
        self._topics = Topics(config.mqtt.prefix, config.host)
        self._school = ThreadPoolExecutor(1, "school")
        models = {name: find_model(model_path(config, name)) for name in cameras}
        self._outbox = Outbox(config.data_dir / "outbox.sqlite")
        self._broker = _make_broker(config, self._topics, events)
        self._publisher = Publisher(self._broker, self._outbox, events_topic=self._topics.events)
        self._desk = self._make_desk(cameras)
        self._desk_lock = threading.Lock()
        self._armed: dict[str, CameraModel] = {}  # by camera: what its alarm goes by
        self._workers, self.posts = self._make_posts(cameras, models)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, or until every source has ended for good."""
        publishing = threading.Event()
        publisher = threading.Thread(target=self._publisher.run, args=(publishing,), name="publish")
        feeds = [post.feed for post in self.posts.values()]
        self._introduce()
        self._broker.start()
        publisher.start()
        try:
            for worker in self._workers:
                worker.start()
            for feed in feeds:
                feed.start()
            self._look_after(stop)
        finally:
            for feed in feeds:
                feed.stop()
            for worker in self._workers:
                worker.stop()
            self._school.shutdown(cancel_futures=True)
            for post in self.posts.values():
                post.watch.save()
            publishing.set()
            publisher.join()
            self._broker.stop()
            self._outbox.close()

    def stats(self) -> HostStats:
        """Figures of this moment."""
        return HostStats(
            time=time.time(),
            uptime_s=time.monotonic() - self._began_s,
            model_version=", ".join(sorted({m.version for m in self._armed.values()})),
            rss_bytes=rss_bytes(),
            stages_ms=self.stopwatch.means_ms(),
            counters={
                "alerts_pending": len(self._outbox),
                "alerts_sent": self._publisher.counts.events_sent,
                "alerts_resent": self._publisher.counts.resent,
                **{f"{k}_dropped": n for k, n in self._outbox.counts.dropped.items()},
            },
            problems=[
                *self._publisher.problems,
                *(f"{c}: {p}" for w in self._workers for c, p in w.problems.items()),
            ],
            cameras=[self._camera_stats(name, post) for name, post in self.posts.items()],
        )

    def _camera_stats(self, name: str, post: Post) -> CameraStats:
        feed = post.feed.snapshot()
        latencies = post.worker.latencies[name]
        return CameraStats(
            camera=name,
            status=post.status,
            stream_hz=feed.decoded_hz,
            analysed_hz=feed.due_hz,
            dropped={"unread": feed.unread, "corrupt": feed.corrupt, "unhealthy": feed.unhealthy},
            reconnects=feed.reconnects,
            latency_p50_ms=latencies.percentile(50),
            latency_p99_ms=latencies.percentile(99),
            open_events=self._desk.open_events(name),
        )

    def _make_desk(self, cameras: Mapping[str, CameraSection]) -> AlertDesk:
        snapshots = self._config.snapshots
        store = SnapshotStore(
            self._config.data_dir / "snapshots",
            max_age_s=snapshots.retain_days * DAY_S,
            max_bytes=int(snapshots.max_megabytes * 1e6),
        )
        return AlertDesk(
            {
                name: Alarm(name, NEVER, model_version="", zones=make_zones(camera))
                for name, camera in cameras.items()
            },
            outbox=self._outbox,
            publisher=self._publisher,
            topics=self._topics,
            snapshots=store if snapshots.enabled else None,
            publish_snapshots=snapshots.publish,
        )

    def _make_posts(
        self,
        cameras: Mapping[str, CameraSection],
        models: Mapping[str, CameraModel | None],
    ) -> tuple[list[Worker], dict[str, Post]]:
        """Deal the cameras to the workers in turn."""
        detector = make_detector(self._config.detector)
        gating = make_gating(self._config.detector)
        names = list(cameras)
        workers, posts = [], {}
        for number in range(min(WORKERS, len(names))):
            mailroom, perception = Mailroom(), Perception(detector, gating=gating)
            watches = {
                name: Watch(
                    name,
                    models[name],
                    plan=learning_plan(self._config, cameras[name]),
                    labels=perception.labels,
                    model_path=model_path(self._config, name),
                    school=self._school,
                )
                for name in names[number::WORKERS]
            }
            worker = Worker(
                f"worker-{number}",
                mailroom,
                perception,
                watches,
                desk=self._desk,
                desk_lock=self._desk_lock,
                stopwatch=self.stopwatch,
            )
            workers.append(worker)
            for name, watch in watches.items():
                posts[name] = Post(make_feed(name, cameras[name], mailroom), watch, worker)
        return workers, posts

    def _introduce(self) -> None:
        """Retained states and commands; what is said before the connection is kept for it."""
        with_snapshots = self._config.snapshots.enabled and self._config.snapshots.publish
        if self._config.mqtt.home_assistant:
            for topic, payload in discovery_messages(
                self._topics, list(self.posts), version=__version__, with_snapshots=with_snapshots
            ):
                self._publisher.retain(topic, payload)
        for name in self.posts:
            self._publisher.retain(self._topics.detect_state(name), encode_switch(True))
            self._broker.subscribe(self._topics.detect_set(name), partial(self._switch, name))

    def _switch(self, camera: str, topic: str, payload: bytes) -> None:
        """Obey a command from the broker."""
        try:
            on = decode_command(payload)
        except MalformedMessageError as error:
            log.warning("%s: %s", topic, error)
            return
        log.info("camera %s: analysis switched %s", camera, "on" if on else "off")
        self.posts[camera].watch.enabled = on
        self._publisher.retain(self._topics.detect_state(camera), encode_switch(on))

    def _look_after(self, stop: threading.Event) -> None:
        stats_due_s = time.monotonic()
        while not stop.is_set() and not self._is_over():
            for name, post in self.posts.items():
                self._look_at(name, post)
            if time.monotonic() >= stats_due_s:
                stats_due_s += STATS_EVERY_S
                self._publisher.send(Message(self._topics.stats, encode_stats(self.stats()), qos=0))
            stop.wait(LOOK_EVERY_S)

    def _is_over(self) -> bool:
        return all(post.feed.snapshot().ended for post in self.posts.values())

    def _look_at(self, name: str, post: Post) -> None:
        self._publisher.retain(self._topics.status(name), encode_status(post.status))
        model = post.watch.model
        with self._desk_lock:
            if model is not None and self._armed.get(name) is not model:
                self._armed[name] = model
                new = limits(model, cooldown_s=self._config.alerts.cooldown_s)
                self._desk.relimit(
                    name, lambda alarm: replace(alarm, limits=new, model_version=model.version)
                )
            if post.status is not CameraStatus.ONLINE:
                self._desk.expire(name, time.time())


def make_feed(name: str, camera: CameraSection, mailroom: Mailroom) -> CameraFeed:
    """The decoding thread of one camera."""
    return CameraFeed(
        make_source(camera),
        mailroom.add(),
        camera=name,
        analysis_hz=camera.analysis_hz,
        max_width=camera.max_width,
        masks=PrivacyMasks(camera.masks),
    )


def _make_broker(config: EdgeConfig, topics: Topics, events: TextIO) -> Broker:
    if not config.mqtt.enabled:
        return Console(events, topic=topics.events)
    here = partial(Message, topics.available, retain=True)
    return MqttBroker(
        mqtt_settings(config.mqtt, client_id=f"{config.mqtt.prefix}-{config.host}"),
        will=here(payload=GONE),
        birth=here(payload=AVAILABLE),
        farewell=here(payload=STOPPED),
    )
