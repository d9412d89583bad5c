"""Scored frames, written by hand."""

from edge.domain.alert import Event, Transition, TransitionKind, event_id
from edge.domain.score import FrameScore, Reason, RegionScore

REASON = Reason("speed", 4.1, 1.6, "heights/s", True)
HERE = (100.0, 100.0, 140.0, 200.0)
THERE = (500.0, 100.0, 540.0, 200.0)


def region(track_id, score, box=HERE, label=None):
    return RegionScore(
        track_id, label or ("scene" if track_id is None else "person"), box, score, REASON
    )


def frame_score(time_s, *regions, camera="door"):
    ordered = tuple(sorted(regions, key=lambda r: -r.score))
    top = ordered[0].score if ordered else 0.0
    return FrameScore(camera, int(time_s * 5), time_s, 640, 360, top, ordered)


def event(start_time_s=1000.0, camera="door", **changes):
    fields = dict(
        id=event_id(camera=camera, start_time_s=start_time_s, track_id=7),
        camera=camera,
        label="person",
        start_time_s=start_time_s,
        updated_time_s=start_time_s,
        end_time_s=None,
        score=4.0,
        top_score=4.0,
        threshold=3.0,
        box_xyxy=HERE,
        frame_size_px=(640, 360),
        track_ids=(7,),
        zones=(),
        reason=str(REASON),
        snapshot=None,
        model_version="m1",
    )
    return Event(**(fields | changes))


def story(start_time_s=1000.0, camera="door", updates=1):
    """The transitions of one event from new to end."""
    new = event(start_time_s, camera)
    told = [Transition(TransitionKind.NEW, new, new)]
    for number in range(updates):
        after = event(start_time_s, camera, updated_time_s=start_time_s + 1 + number)
        told.append(Transition(TransitionKind.UPDATE, told[-1].after, after))
    end_s = start_time_s + 1 + updates
    end = event(start_time_s, camera, updated_time_s=end_s, end_time_s=end_s)
    return [*told, Transition(TransitionKind.END, told[-1].after, end)]
