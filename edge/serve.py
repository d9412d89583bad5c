"""``vad-edge run``: the composition root of the live process.

Threads: one decodes each camera, a few analyse and raise alarms, one publishes, and the calling
one looks after them: it announces states and statistics, lets events of silent cameras expire,
opens sources that ended anew, and ends the process when a thread that it cannot replace has died.
Another packs and writes the features that are kept to learn from, one more sees to guidance in
words. Every queue is bounded: one frame and one lesson of each camera, the outbox's limits for
alerts, the latest of each state, some clips of features, some commands.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TextIO

import cv2

from edge import __version__
from edge.alerts.alarm import Alarm, Limits
from edge.alerts.desk import AlertDesk
from edge.alerts.homeassistant import discovery_messages
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.apprentice import Apprentice, make_apprentice
from edge.compose import (
    enabled_cameras,
    limits,
    make_broker,
    make_generations,
    make_snapshots,
    make_store,
    make_zones,
)
from edge.config import CameraSection, EdgeConfig, load_config
from edge.errors import ConfigError, MalformedMessageError, SourceUnusableError, VadError
from edge.guidance import make_guidance
from edge.guiding.desk import refuse_guidance
from edge.lock import sole_user
from edge.post import Post, make_posts
from edge.renewal import Renewal
from edge.scoring.model import CameraModel
from edge.signals import stop_on_signals
from edge.training.store import StoreFigures
from edge.vitals import Stopwatch, rss_bytes
from edge.wire.broker import Message
from edge.wire.states import CameraStatus, decode_command, encode_status, encode_switch
from edge.wire.stats import CameraStats, HostStats, encode_stats
from edge.wire.topics import Topics

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
STATS_EVERY_S = 10.0
LEAVE_S = 5.0  # how long a stop waits for the broker's goodbye
REOPEN_EVERY_S = 60.0  # a file that is not there yet may be one minute later
NEVER = Limits(raise_at=math.inf, clear_below=math.inf)  # of a camera that still learns


def run(options: argparse.Namespace) -> int:
    """Watch the cameras of a configuration until told to stop."""
    stop = stop_on_signals()
    config = load_config(options.config)
    with sole_user(config.data_dir):
        Host(config, apprentice=make_apprentice(config, options.config)).run(stop)
    return 0


class Host:
    """All cameras of a host, from streams to alerts."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        apprentice: Apprentice | None = None,
        events: TextIO = sys.stdout,
    ) -> None:
        """``events`` gets the alerts as JSON lines where MQTT is not enabled.

        ``apprentice``: who trains beside; None: nobody does.
        """
        cameras = dict(enabled_cameras(config))
        if not cameras:
            raise ConfigError("no camera is enabled: set enabled: true for one")
        self.stopwatch = Stopwatch()
        self._config = config
        self._apprentice = apprentice
        self._began_s = time.monotonic()
        self._topics = Topics(config.mqtt.prefix, config.host)
        self._outbox = Outbox(config.data_dir / "outbox.sqlite")
        self._broker = make_broker(config, self._topics, events)
        self._publisher = Publisher(self._broker, self._outbox, events_topic=self._topics.events)
        self._publishing = threading.Event()  # set to end it
        self._publish = threading.Thread(
            target=self._publisher.run, args=(self._publishing,), name="publish"
        )
        self._desk = self._make_desk(cameras)
        self._desk_lock = threading.Lock()
        self._armed: dict[str, CameraModel] = {}  # by camera: what its alarm goes by
        self._store = make_store(config)
        self._workers, self.posts = make_posts(
            config,
            cameras,
            desk=self._desk,
            desk_lock=self._desk_lock,
            arm=self._arm,
            stopwatch=self.stopwatch,
            keeper=self._store,
        )
        self._guidance = make_guidance(
            config,
            self.posts,
            broker=self._broker,
            publisher=self._publisher,
            topics=self._topics,
        )
        self._renewal = Renewal(
            make_generations(config),
            {name: post.watch for name, post in self.posts.items()},
            opened=lambda camera: self._desk.counts(camera).opened,
        )

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, or until every source has ended for good.

        Raises SourceUnusableError when they ended because they cannot be read.
        """
        cv2.setNumThreads(1)  # every camera has its thread; OpenCV's own pool would fight them
        self._introduce()
        self._broker.start()
        self._publish.start()
        if self._store is not None:
            self._store.start()
        try:
            if self._guidance is not None:
                self._guidance.start()
            for worker in self._workers:
                worker.start()
            for post in self.posts.values():
                post.feed.start()
            self._look_after(stop)
        finally:
            self._end()

    def _end(self) -> None:
        """Bounded however cameras and broker hang: feeds end together, alerts wait on the disk."""
        if self._apprentice is not None:
            self._apprentice.stop()
        with ThreadPoolExecutor(len(self.posts)) as pool:
            list(pool.map(lambda post: post.feed.stop(), self.posts.values()))
        for worker in self._workers:
            worker.stop()
        for post in self.posts.values():
            post.watch.save()
        if self._guidance is not None:
            self._guidance.stop()
        if self._store is not None:
            self._store.close()
        self._publishing.set()
        self._publish.join()
        # a broker that hangs in the middle of a connection may be left: its threads are daemons
        leaving = threading.Thread(target=self._broker.stop, name="leave", daemon=True)
        leaving.start()
        leaving.join(LEAVE_S)
        self._outbox.close()

    def stats(self) -> HostStats:
        """Figures of this moment."""
        return HostStats(
            time=time.time(),
            uptime_s=time.monotonic() - self._began_s,
            model_version=", ".join(sorted({m.version for m in self._armed.values()})),
            rss_bytes=rss_bytes(),
            stages_ms=self.stopwatch.means_ms(),
            counters=self._counters(),
            problems=[
                *self._publisher.problems,
                *(problem for post in self.posts.values() for problem in post.problems),
                *([self._store.problem] if self._store and self._store.problem else []),
                *([self._renewal.problem] if self._renewal.problem else []),
                *([self._guidance.problem] if self._guidance and self._guidance.problem else []),
                *(
                    [self._apprentice.problem]
                    if self._apprentice and self._apprentice.problem
                    else []
                ),
            ],
            learning=self._apprentice.said if self._apprentice else "",
            cameras=[self._camera_stats(name) for name in self.posts],
        )

    def _camera_stats(self, camera: str) -> CameraStats:
        stored = self._store.figures(camera) if self._store else StoreFigures()
        return self.posts[camera].stats(
            open_events=self._desk.open_events(camera),
            stored_clips=stored.clips,
            stored_bytes=stored.bytes,
        )

    def _counters(self) -> dict[str, int]:
        alarms = [self._desk.counts(name) for name in self.posts]
        sent = self._publisher.counts
        return {
            "alerts_raised": sum(counts.opened for counts in alarms),
            "alerts_suppressed": sum(counts.suppressed for counts in alarms),
            "alerts_pending": self._publisher.pending,
            "alerts_sent": sent.events_sent,
            "alerts_unheard": sent.events_unheard,
            "alerts_resent": sent.resent,
            "best_effort_lost": sent.best_effort_lost,
            "outbox_malformed": self._outbox.counts.malformed,
            **{
                f"clips_{kind}": count
                for kind, count in (self._store.counts if self._store else {}).items()
            },
            **{f"{kind}_dropped": count for kind, count in self._outbox.counts.dropped.items()},
        }

    def _make_desk(self, cameras: Mapping[str, CameraSection]) -> AlertDesk:
        return AlertDesk(
            {
                name: Alarm(name, NEVER, model_version="", zones=make_zones(camera))
                for name, camera in cameras.items()
            },
            outbox=self._outbox,
            publisher=self._publisher,
            topics=self._topics,
            snapshots=make_snapshots(self._config),
            publish_snapshots=self._config.snapshots.publish,
        )

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
        if self._guidance is None:
            refuse_guidance(
                self.posts, broker=self._broker, topics=self._topics, retain=self._publisher.retain
            )

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
        reopen_due_s = stats_due_s + REOPEN_EVERY_S
        while not stop.is_set():
            now_s = time.monotonic()
            self._demand_threads()
            self._renewal.look()
            if self._apprentice is not None and self._store is not None:
                self._apprentice.look([self._store.figures(name).clips for name in self.posts])
            for name, post in self.posts.items():
                self._look_at(name, post)
            if now_s >= stats_due_s:
                stats_due_s = now_s + STATS_EVERY_S
                self._publisher.send(Message(self._topics.stats, encode_stats(self.stats()), qos=0))
                self._outbox.retry(now_s)
                with self._desk_lock:
                    self._desk.prune(time.time())
            if now_s >= reopen_due_s:
                reopen_due_s = now_s + REOPEN_EVERY_S
                self._reopen()
            if self._is_over():
                return
            stop.wait(LOOK_EVERY_S)

    def _is_over(self) -> bool:
        """Whether all footage has ended, and its events and lessons have."""
        feeds = {name: post.feed.snapshot() for name, post in self.posts.items()}
        if not all(feed.ended for feed in feeds.values()):
            return False
        if any(self._desk.open_events(name) for name in feeds):
            return False
        if any(post.watch.in_lesson for post in self.posts.values()):
            return False
        unusable = [f"camera {name}: {feed.error}" for name, feed in feeds.items() if feed.error]
        if unusable:
            raise SourceUnusableError("; ".join(unusable))
        return True

    def _arm(self, camera: str) -> None:
        """Let the camera's alarm go by the model that judges now; the desk is locked."""
        model = self.posts[camera].watch.model
        if model is None or self._armed.get(camera) is model:
            return
        self._armed[camera] = model
        new = limits(model, cooldown_s=self._config.alerts.cooldown_s)
        self._desk.relimit(
            camera, lambda alarm: replace(alarm, limits=new, model_version=model.version)
        )

    def _demand_threads(self) -> None:
        """Nobody would notice that no alert comes any more: rather end, and be started again."""
        guiding = [self._guidance.thread] if self._guidance else []
        for thread in (self._publish, *guiding, *(worker.thread for worker in self._workers)):
            if not thread.is_alive():
                raise VadError(f"internal error: the {thread.name} thread has died; see the log")

    def _reopen(self) -> None:
        for post in self.posts.values():
            feed = post.feed.snapshot()
            if feed.ended and feed.error:
                log.info("camera %s: trying again", post.camera)
                post.reopen()

    def _look_at(self, name: str, post: Post) -> None:
        status = post.status
        self._publisher.retain(self._topics.status(name), encode_status(status))
        with self._desk_lock:
            self._arm(name)
            # every source of a live process is paced: its frames carry the wall clock's time
            if status is not CameraStatus.ONLINE or post.tally.problem:
                self._desk.expire(name, time.time())
