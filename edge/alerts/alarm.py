"""When a score becomes an event, and when the event is over.

Hysteresis in score and in time, per track: an event is raised by a track whose score stays at or
above ``raise_at`` for ``raise_after_s``, held while any of its tracks reaches ``clear_below``, and
ended when none has for ``clear_after_s``. One incident is one event: a track that becomes unusual
near an open event joins it (trackers break tracks), the scene term joins whatever is open, and a
new event at the place of one that just ended waits for ``cooldown_s``.

An ``Alarm`` is a value: ``step`` returns the next one. Time is that of the frames, never a clock's,
so an hour of footage gives the same events however fast it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge.alerts.incident import Incident
from edge.alerts.zones import Zone
from edge.domain.alert import BoxXyxy, Event, Transition, TransitionKind, event_id
from edge.domain.score import FrameScore, RegionScore
from edge.errors import ConfigError

SCENE = "scene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to raise and when to clear. Scores are in decades of surprise."""

    raise_at: float
    clear_below: float
    raise_after_s: float = 0.4  # an unusual moment is no event yet
    clear_after_s: float = 3.0  # a track is lost behind a lamp post for about as long
    cooldown_s: float = 10.0  # after an event has ended, at the same place
    adopt_for_s: float = 30.0  # how long an event survives a restart of the process
    update_every_s: float = 10.0
    update_margin: float = 0.5  # a higher top score is worth an update at once
    join_diagonals: float = 1.0  # nearer than this many box diagonals is the same incident
    max_open: int = 4  # events at one time; more are counted, not raised

    def __post_init__(self) -> None:
        if self.clear_below > self.raise_at:
            raise ConfigError(
                f"alarm: clear_below {self.clear_below:g} is above raise_at {self.raise_at:g}: "
                "an event would end as soon as it begins"
            )


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened since the process began."""

    opened: int = 0
    ended: int = 0
    joined: int = 0  # tracks that became part of an open event instead of a new one
    suppressed: int = 0  # raises that fell into a cooldown or were too many at one time


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A track that is above ``raise_at`` but not (yet) part of an event."""

    since_s: float
    seen_s: float
    suppressed: bool = False  # counted already; it waits for the cooldown or for room


@dataclass(frozen=True, slots=True)
class Alarm:
    """The alarm of one camera."""

    camera: str
    limits: Limits
    model_version: str
    zones: tuple[Zone, ...] = ()
    incidents: tuple[Incident, ...] = ()  # open, oldest first
    recent: tuple[Event, ...] = ()  # ended within the cooldown
    suspects: tuple[tuple[int | None, _Suspect], ...] = ()  # by track id; None is the scene
    counts: Counts = Counts()

    @property
    def active(self) -> bool:
        """Whether any event is open."""
        return bool(self.incidents)

    def step(self, frame: FrameScore) -> tuple[Alarm, list[Transition]]:
        """Take in one analysed frame; transitions come in the order in which to publish them."""
        warm = [r for r in frame.regions if r.score >= self.limits.clear_below]
        if not (warm or self.incidents or self.suspects or self.recent):
            return self, []
        alarm = self._hold(frame, warm)
        for region in frame.regions:
            alarm = alarm._judge(frame, region)
        return alarm._forget(frame.time_s)._announce(frame.time_s)

    def expire(self, now_s: float) -> tuple[Alarm, list[Transition]]:
        """Let time pass without frames: a camera that went away ends its events too."""
        return self._forget(now_s)._announce(now_s)

    def adopt(self, events: Iterable[Event], now_s: float) -> Alarm:
        """Go on with events that a killed process left open.

        Their tracks are gone with that process: the next unusual region of the camera joins them,
        wherever it is; where none comes within ``adopt_for_s``, they end.
        """
        adopted = tuple(Incident.adopted(event, now_s) for event in events)
        return replace(self, incidents=adopted + self.incidents)

    def illustrate(self, event_id: str, snapshot: str) -> Alarm:
        """Note the picture of an event; later messages carry its name."""
        return self._with(
            *(i.illustrated(snapshot) if i.event.id == event_id else i for i in self.incidents)
        )

    def _with(self, *incidents: Incident) -> Alarm:
        return replace(self, incidents=incidents)

    def _hold(self, frame: FrameScore, warm: list[RegionScore]) -> Alarm:
        """Refresh every open event with those of its tracks that are still unusual."""
        return self._with(*(i.held(frame, warm, self.zones) for i in self.incidents))

    def _judge(self, frame: FrameScore, region: RegionScore) -> Alarm:
        """One region: harmless, part of an open event, joining one, suspected, or raised."""
        key = region.track_id
        if region.score < self.limits.raise_at:  # hysteresis holds events, it does not raise them
            return self._without_suspect(key)
        if any(key in i.links for i in self.incidents):
            return self
        target = self._nearest(region)
        if target is not None:
            return self._without_suspect(key)._join(target, frame, region)
        suspect = dict(self.suspects).get(key, _Suspect(frame.time_s, frame.time_s))
        suspect = replace(suspect, seen_s=frame.time_s)
        if frame.time_s - suspect.since_s < self.limits.raise_after_s:
            return self._with_suspect(key, suspect)
        if len(self.incidents) >= self.limits.max_open or self._cooling(region):
            return self._suppress(key, suspect)
        return self._without_suspect(key)._raise(frame, region, suspect.since_s)

    def _nearest(self, region: RegionScore) -> Incident | None:
        """The open event that a region belongs to, the most recently active one first."""
        by_activity = sorted(self.incidents, key=lambda i: -i.hot_s)
        return next((i for i in by_activity if i.adoptive or self._near(i.event, region)), None)

    def _near(self, event: Event, region: RegionScore) -> bool:
        if region.track_id is None or event.label == SCENE:
            return True
        reach = self.limits.join_diagonals * max(
            _diagonal(event.box_xyxy), _diagonal(region.box_xyxy)
        )
        return _centre_distance(event.box_xyxy, region.box_xyxy) <= reach

    def _cooling(self, region: RegionScore) -> bool:
        return any(self._near(event, region) for event in self.recent)

    def _join(self, target: Incident, frame: FrameScore, region: RegionScore) -> Alarm:
        grown = target.joined(frame, region, self.zones)
        counts = replace(self.counts, joined=self.counts.joined + 1)
        alarm = self._with(*(grown if i is target else i for i in self.incidents))
        return replace(alarm, counts=counts)

    def _raise(self, frame: FrameScore, region: RegionScore, since_s: float) -> Alarm:
        blank = Event(
            id=event_id(camera=self.camera, start_time_s=since_s, track_id=region.track_id),
            camera=self.camera,
            label=region.label,
            start_time_s=since_s,
            updated_time_s=frame.time_s,
            end_time_s=None,
            score=region.score,
            top_score=region.score,
            threshold=self.limits.raise_at,
            box_xyxy=region.box_xyxy,
            frame_size_px=(frame.width, frame.height),
            track_ids=(),
            zones=(),
            reason=str(region.reason),
            snapshot=None,
            model_version=self.model_version,
        )
        incident = Incident.begun(blank, frame, region, self.zones)
        counts = replace(self.counts, opened=self.counts.opened + 1)
        return replace(self, incidents=(*self.incidents, incident), counts=counts)

    def _suppress(self, key: int | None, suspect: _Suspect) -> Alarm:
        """Count a raise that must wait, once."""
        more = 0 if suspect.suppressed else 1
        counts = replace(self.counts, suppressed=self.counts.suppressed + more)
        alarm = self._with_suspect(key, replace(suspect, suppressed=True))
        return replace(alarm, counts=counts)

    def _with_suspect(self, key: int | None, suspect: _Suspect) -> Alarm:
        others = self._without_suspect(key).suspects
        return replace(self, suspects=(*others, (key, suspect)))

    def _without_suspect(self, key: int | None) -> Alarm:
        return replace(self, suspects=tuple(s for s in self.suspects if s[0] != key))

    def _forget(self, now_s: float) -> Alarm:
        """Drop what is over: suspects out of sight, links, cooldowns."""
        limits = self.limits
        return replace(
            self,
            incidents=tuple(i.pruned(now_s - limits.clear_after_s) for i in self.incidents),
            recent=tuple(e for e in self.recent if now_s - e.updated_time_s < limits.cooldown_s),
            suspects=tuple(s for s in self.suspects if now_s - s[1].seen_s <= limits.raise_after_s),
        )

    def _announce(self, now_s: float) -> tuple[Alarm, list[Transition]]:
        """Turn what changed into messages; over with what has been quiet for long enough."""
        kept: list[Incident] = []
        recent = list(self.recent)
        transitions: list[Transition] = []
        for incident in self.incidents:
            transition = self._transition(incident, now_s)
            if transition is None:
                kept.append(incident)
                continue
            transitions.append(transition)
            if transition.kind is TransitionKind.END:
                recent.append(transition.after)
            else:
                kept.append(incident.announced())
        ended = len(self.incidents) - len(kept)
        counts = replace(self.counts, ended=self.counts.ended + ended)
        alarm = replace(self, incidents=tuple(kept), recent=tuple(recent), counts=counts)
        return alarm, transitions

    def _transition(self, incident: Incident, now_s: float) -> Transition | None:
        limits = self.limits
        event, sent = incident.event, incident.sent
        if sent is None:
            return Transition(TransitionKind.NEW, event, event)
        patience_s = limits.adopt_for_s if incident.adoptive else limits.clear_after_s
        if now_s - incident.hot_s >= patience_s:
            end = replace(event, end_time_s=incident.hot_s, updated_time_s=now_s)
            return Transition(TransitionKind.END, sent, end)
        due = event.updated_time_s - sent.updated_time_s >= limits.update_every_s
        if due or event.top_score > sent.top_score + limits.update_margin:
            return Transition(TransitionKind.UPDATE, sent, event)
        return None


def alarms_raised(frames: Iterable[FrameScore], limits: Limits) -> int:
    """How many events a camera's scores would have raised; the same code that raises them live."""
    alarm = Alarm("count", limits, "")
    for frame in frames:
        alarm, _ = alarm.step(frame)
    return alarm.counts.opened


def _diagonal(box: BoxXyxy) -> float:
    return float(((box[2] - box[0]) ** 2 + (box[3] - box[1]) ** 2) ** 0.5)


def _centre_distance(a: BoxXyxy, b: BoxXyxy) -> float:
    dx = (a[0] + a[2] - b[0] - b[2]) / 2
    dy = (a[1] + a[3] - b[1] - b[3]) / 2
    return float((dx * dx + dy * dy) ** 0.5)
