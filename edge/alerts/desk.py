"""Where scores become messages: alarms, pictures, outbox and states of all cameras of a host."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from edge.alerts.alarm import Alarm, Counts
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.alerts.snapshot import SnapshotStore
from edge.domain.alert import Event, Transition, TransitionKind
from edge.domain.frame import Frame
from edge.domain.score import FrameScore
from edge.errors import StorageError
from edge.wire.broker import Message
from edge.wire.states import encode_score, encode_switch
from edge.wire.topics import Topics

log = logging.getLogger(__name__)

SCORE_EVERY_S = 1.0


class AlertDesk:
    """Takes scored frames of any camera, one at a time: the host's threads share a lock.

    What it returns is already safe on disk.
    """

    def __init__(
        self,
        alarms: Mapping[str, Alarm],  # by camera
        *,
        outbox: Outbox,
        publisher: Publisher,
        topics: Topics,
        snapshots: SnapshotStore | None,  # None: no pictures
        publish_snapshots: bool = False,  # pictures leave this host only where this is on
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarms = dict(alarms)
        self._outbox = outbox
        self._publisher = publisher
        self._topics = topics
        self._snapshots = snapshots
        self._publish_snapshots = publish_snapshots
        self._tick = tick
        self._seen: dict[str, tuple[float, float]] = {}  # by camera: time_s of a frame, its tick
        self._score_due_s = dict.fromkeys(alarms, float("-inf"))
        self._orphans: dict[str, list[Event]] = {}
        self._gather_orphans()
        for camera in alarms:
            self._say_anomaly(camera)

    def take(self, score: FrameScore, frame: Frame) -> list[Transition]:
        """One analysed frame and what was found in it; the transitions that it caused."""
        camera = score.camera
        self._seen[camera] = score.time_s, self._tick()
        self._adopt(camera, score.time_s)
        self._say_score(score)
        return self._advance(camera, lambda alarm: alarm.step(score), score.time_s, frame)

    def expire(self, camera: str, now_s: float) -> list[Transition]:
        """Time passes while a camera gives no usable frames; its events end after a while.

        ``now_s`` is the wall clock's time; the camera's own goes on where that was ahead of it.
        """
        if camera in self._seen:
            time_s, tick_s = self._seen[camera]
            now_s = max(now_s, time_s + self._tick() - tick_s)
        self._adopt(camera, now_s)
        return self._advance(camera, lambda alarm: alarm.expire(now_s), now_s, None)

    def relimit(self, camera: str, make: Callable[[Alarm], Alarm]) -> None:
        """Change a camera's limits or model; open events go on under the new ones."""
        self._alarms[camera] = make(self._alarms[camera])

    def prune(self, now_s: float) -> None:
        """Delete pictures that are too old, also while no new one comes."""
        if self._snapshots is not None:
            self._snapshots.prune(now_s=now_s)

    def counts(self, camera: str) -> Counts:
        """What the camera's alarm has counted."""
        return self._alarms[camera].counts

    def open_events(self, camera: str) -> int:
        """How many events of the camera are open."""
        return len(self._alarms[camera].incidents)

    def _gather_orphans(self) -> None:
        """Events that a killed process left open: adopted later, or ended if nobody can."""
        strangers: list[Transition] = []
        for event in self._outbox.open_events():
            if event.camera in self._alarms:
                self._orphans.setdefault(event.camera, []).append(event)
                continue
            log.warning("event %s: its camera %s is gone: ended", event.id, event.camera)
            ended = replace(event, end_time_s=event.updated_time_s)
            strangers.append(Transition(TransitionKind.END, event, ended))
        if strangers:
            self._record(strangers, max(t.after.updated_time_s for t in strangers))

    def _adopt(self, camera: str, now_s: float) -> None:
        orphans = self._orphans.pop(camera, None)
        if orphans:
            self._alarms[camera] = self._alarms[camera].adopt(orphans, now_s)
            self._say_anomaly(camera)

    def _advance(
        self,
        camera: str,
        step: Callable[[Alarm], tuple[Alarm, list[Transition]]],
        now_s: float,
        frame: Frame | None,
    ) -> list[Transition]:
        self._alarms[camera], transitions = step(self._alarms[camera])
        if not transitions:
            return transitions
        if frame is not None:
            transitions = [self._illustrate(t, frame) for t in transitions]
        self._record(transitions, now_s)
        self._say_anomaly(camera)
        return transitions

    def _record(self, transitions: list[Transition], now_s: float) -> None:
        self._outbox.record(transitions, now_s=now_s)
        self._publisher.notify()

    def _illustrate(self, transition: Transition, frame: Frame) -> Transition:
        """Take a picture of a new event, and again whenever it became more unusual."""
        before, after = transition.before, transition.after
        is_new = transition.kind is TransitionKind.NEW
        is_worse = (
            transition.kind is TransitionKind.UPDATE
            and after.score == after.top_score > before.top_score
        )
        if self._snapshots is None or not (is_new or is_worse):
            return transition
        try:
            name, jpeg = self._snapshots.save(frame, after, now_s=frame.time_s)
        except StorageError as error:
            log.error("%s", error)
            return transition
        if self._publish_snapshots:
            topic = self._topics.snapshot(after.camera)
            self._publisher.send(Message(topic, jpeg))
        self._alarms[after.camera] = self._alarms[after.camera].illustrate(after.id, name)
        after = replace(after, snapshot=name)
        return Transition(transition.kind, after if is_new else before, after)

    def _say_anomaly(self, camera: str) -> None:
        active = self._alarms[camera].active or camera in self._orphans
        self._publisher.retain(self._topics.anomaly(camera), encode_switch(active))

    def _say_score(self, score: FrameScore) -> None:
        if score.time_s >= self._score_due_s[score.camera]:
            self._score_due_s[score.camera] = score.time_s + SCORE_EVERY_S
            payload = encode_score(score.score, time_s=score.time_s, student=score.student)
            self._publisher.send(Message(self._topics.score(score.camera), payload, qos=0))
