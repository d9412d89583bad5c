"""``vad-edge demo``: the main job on an embedded street; no camera, no broker, no weights.

The street is first watched while it is normal, then something is planted in it. What is seen goes
through the very path that a camera's frames take.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edge.alerts.alarm import Alarm
from edge.alerts.snapshot import SnapshotStore
from edge.analysis import Judge, LearningPlan
from edge.commands.fit import learn
from edge.commands.report import answer, say
from edge.compose import limits
from edge.domain.alert import Event, TransitionKind
from edge.domain.frame import Frame
from edge.domain.score import FrameScore
from edge.evaluation.synthetic import frames, labels
from edge.evaluation.timeline import draw_timeline, write_picture
from edge.ingest.synthetic.street import Street, StreetOptions
from edge.ingest.synthetic.world import Planted
from edge.perception.perception import Perception
from edge.scoring.model import CameraModel, ScoringOptions

CAMERA = "street"
FPS = 10.0
LEARN_S = 300.0
WATCH_S = 75.0
PLANTED = (Planted("cycling", LEARN_S + 15), Planted("running", LEARN_S + 45))
ALARMS_PER_DAY = 24.0  # five minutes of footage cannot tell what happens less than hourly
PLAN = LearningPlan(period_s=LEARN_S, alarms_per_day=ALARMS_PER_DAY, options=ScoringOptions())
COOLDOWN_S = 10.0


def run(options: argparse.Namespace) -> int:
    """Learn, watch, show; the pictures go to ``--out``."""
    street = Street(
        StreetOptions(fps=FPS, seed=options.seed, duration_s=LEARN_S + WATCH_S, planted=PLANTED)
    )
    say(f"a generated street: {LEARN_S:.0f} s to learn what is normal, {WATCH_S:.0f} s to watch")
    footage, perception = frames(street, CAMERA), Perception()
    model = learn(footage, perception, CAMERA, PLAN, seconds=LEARN_S)
    scores, events = _watch(footage, perception, model, options.out)
    timeline = options.out / "scores.png"
    _draw(scores, labels(street), model, timeline)
    figures = {
        "learnt_s": LEARN_S,
        "watched_s": WATCH_S,
        "planted": [{"what": each.action, "after_s": each.start_s - LEARN_S} for each in PLANTED],
        "threshold": model.threshold,
        "alerts": [_figures(event, scores[0].time_s, options.out) for event in events],
        "picture": str(timeline),
    }
    told = "\n".join(_told(event, scores[0].time_s, options.out) for event in events)
    text = f"{told or 'no alert'}\nscore over time: {timeline}"
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _watch(
    footage: Iterable[Frame], perception: Perception, model: CameraModel, out: Path
) -> tuple[list[FrameScore], list[Event]]:
    """Score what is left of the footage; all scores, and each event as it was at its worst."""
    judge = Judge(model, labels=perception.labels)
    alarm = Alarm(CAMERA, limits(model, cooldown_s=COOLDOWN_S), model.version)
    pictures = SnapshotStore(out)
    scores, events = [], {}
    for frame in footage:
        score = judge.score(perception.observe([frame])[0])
        scores.append(score)
        alarm, transitions = alarm.step(score)
        for transition in transitions:
            if transition.kind is not TransitionKind.END:
                pictures.save(frame, transition.after, now_s=frame.time_s)
            events[transition.after.id] = transition.after
    return scores, list(events.values())


def _draw(scores: list[FrameScore], truth: np.ndarray, model: CameraModel, path: Path) -> None:
    first = scores[0].index
    picture = draw_timeline(
        np.array([score.time_s for score in scores]),
        np.array([score.score for score in scores]),
        anomalous=truth[first:],
        threshold=model.threshold,
        title="anomaly score of the street, decades of surprise",
    )
    write_picture(path, picture)


def _figures(event: Event, began_s: float, out: Path) -> dict[str, object]:
    return {
        "after_s": round(event.start_time_s - began_s, 1),
        "label": event.label,
        "score": round(event.top_score, 2),
        "reason": event.reason,
        "picture": str(_picture(event, out)),
    }


def _told(event: Event, began_s: float, out: Path) -> str:
    return (
        f"ALERT after {event.start_time_s - began_s:.0f} s: {event.label}, "
        f"score {event.top_score:.1f} (threshold {event.threshold:.1f}): {event.reason}\n"
        f"      {_picture(event, out)}"
    )


def _picture(event: Event, out: Path) -> Path:
    return out / f"{event.id}.jpg"
