"""An open event and the tracks that hold it open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge.alerts.zones import Zone
from edge.domain.alert import BoxXyxy, Event
from edge.domain.score import FrameScore, RegionScore

MAX_TRACK_IDS = 32  # an event of a day would otherwise list every passer-by

_Links = tuple[tuple[int | None, float], ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """One open event; a value, like the alarm that holds it."""

    event: Event  # as it stands now
    sent: Event | None  # as the world heard of it last; None: not yet
    hot_s: float  # when a region of it was last unusual
    linked: _Links = ()  # track id (None: the scene) and when it was last unusual
    adoptive: bool = False  # left by a killed process, not yet confirmed by a region of this one

    @classmethod
    def begun(
        cls, blank: Event, frame: FrameScore, region: RegionScore, zones: tuple[Zone, ...]
    ) -> Incident:
        """A new event with its first region."""
        return cls(blank, None, frame.time_s).joined(frame, region, zones)

    @classmethod
    def adopted(cls, event: Event, now_s: float) -> Incident:
        """An event of an earlier process; never hot in the future, should a clock have moved."""
        return cls(event, event, min(event.updated_time_s, now_s), adoptive=True)

    @property
    def links(self) -> frozenset[int | None]:
        """The tracks that belong to this event; None is the scene."""
        return frozenset(key for key, _ in self.linked)

    def held(
        self, frame: FrameScore, warm: Iterable[RegionScore], zones: tuple[Zone, ...]
    ) -> Incident:
        """Refresh with this frame's unusual regions, most unusual first; the first one leads."""
        links = self.links
        mine = [region for region in warm if region.track_id in links]
        if not mine:
            return self
        lead = next((r for r in mine if r.track_id is not None), mine[0])
        score = max(region.score for region in mine)
        shown = replace(lead, score=score, reason=mine[0].reason)
        return replace(
            self,
            event=_followed(self.event, frame, shown, zones),
            hot_s=frame.time_s,
            linked=_touched(self.linked, (r.track_id for r in mine), frame.time_s),
        )

    def joined(self, frame: FrameScore, region: RegionScore, zones: tuple[Zone, ...]) -> Incident:
        """Take one more track, or the scene term, into the event."""
        event = self.event
        first_object = region.track_id is not None and not event.track_ids
        stronger = region.score > event.score or event.updated_time_s < frame.time_s
        if first_object or stronger:
            score = region.score
            if event.updated_time_s == frame.time_s:  # another region of this very frame
                score = max(score, event.score)
            event = _followed(event, frame, replace(region, score=score), zones)
        if region.track_id is not None:
            label = region.label if first_object else event.label
            ids = (*event.track_ids, region.track_id)[-MAX_TRACK_IDS:]
            event = replace(event, label=label, track_ids=ids)
        linked = _touched(self.linked, [region.track_id], frame.time_s)
        return replace(self, event=event, hot_s=frame.time_s, linked=linked, adoptive=False)

    def pruned(self, before_s: float) -> Incident:
        """Forget tracks that were last unusual before ``before_s``, the last one excepted."""
        kept = tuple(link for link in self.linked if link[1] >= before_s)
        return replace(self, linked=kept or self.linked[-1:])

    def illustrated(self, snapshot: str) -> Incident:
        """The event has a picture."""
        sent = self.sent and replace(self.sent, snapshot=snapshot)
        return replace(self, event=replace(self.event, snapshot=snapshot), sent=sent)

    def announced(self) -> Incident:
        """The world has heard of the present state."""
        return replace(self, sent=self.event)


def _touched(linked: _Links, keys: Iterable[int | None], now_s: float) -> _Links:
    return tuple({**dict(linked), **dict.fromkeys(keys, now_s)}.items())


def _followed(
    event: Event, frame: FrameScore, region: RegionScore, zones: tuple[Zone, ...]
) -> Event:
    """The event after one more frame: where it is now, and why it was worst when it was worst."""
    size = (frame.width, frame.height)
    is_object = region.track_id is not None
    worst = region.score >= event.top_score
    box = region.box_xyxy if is_object or not event.track_ids else event.box_xyxy
    return replace(
        event,
        updated_time_s=frame.time_s,
        score=region.score,
        top_score=max(event.top_score, region.score),
        reason=str(region.reason) if worst else event.reason,
        box_xyxy=box,
        frame_size_px=size,
        zones=_entered(event.zones, box, size, zones) if is_object else event.zones,
    )


def _entered(
    known: tuple[str, ...], box: BoxXyxy, size: tuple[int, int], zones: tuple[Zone, ...]
) -> tuple[str, ...]:
    new = (z.name for z in zones if z.name not in known and z.holds(box, size))
    return (*known, *new)
