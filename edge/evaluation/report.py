"""What an evaluation found, the same for every data set, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.evaluation.figures import (
    ClipScores,
    EventFigures,
    auc_table,
    average_precision,
    equal_error_rate,
    event_figures,
    micro_auc,
)

MACRO = "macro: mean over clips, each given one normal frame below and one abnormal above all"
SMOOTHED = "smoothed: looks ahead and scales per clip, for comparison with the literature only"


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """One test clip after it was scored."""

    name: str
    camera: str
    clip: ClipScores  # every frame of the clip; those not analysed have the latest score
    baselines: Mapping[str, ClipScores]  # trivial scores beside it
    threshold: float  # of its camera, from the false-alarm budget
    analysed: int  # frames
    elapsed_s: float  # for these


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one run; shares in [0, 1], NaN where one is not defined."""

    dataset: str
    auc: Mapping[str, Mapping[str, float]]
    auc_per_camera: Mapping[str, float]  # micro, causal
    baselines: Mapping[str, Mapping[str, Mapping[str, float]]]  # name: as ``auc``
    average_precision: float
    equal_error_rate: float
    events: EventFigures  # at each camera's budgeted threshold
    fps: float  # analysed frames per second while scoring, on one thread
    frame_hz: float  # of the footage
    clips: tuple[str, ...]
    left_out: tuple[str, ...]  # and why

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is not defined is null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values

    def as_text(self) -> str:
        """A table for a person."""
        rows = {"this": self.auc, **self.baselines}
        lines = [
            f"{self.dataset}: {len(self.clips)} clips, {self.fps:.0f} analysed frames/s",
            f"{'AUC %':24} micro causal  smoothed   macro causal  smoothed",
            *(f"{name:24} {_auc_row(table)}" for name, table in rows.items()),
            f"at the budgeted threshold: {_told(self.events)}",
            *(f"left out: {what}" for what in self.left_out),
            f"({MACRO}; {SMOOTHED})",
        ]
        return "\n".join(lines)


def make_report(
    dataset: str, scored: Sequence[ScoredClip], *, left_out: Sequence[str], hz: float
) -> Report:
    """Figures of clips of ``hz`` frames per second, at least one."""
    clips = [each.clip for each in scored]
    labels = np.concatenate([clip.labels for clip in clips])
    scores = np.concatenate([clip.scores for clip in clips])
    cameras = sorted({each.camera for each in scored})
    return Report(
        dataset=dataset,
        auc=auc_table(clips, hz=hz),
        auc_per_camera={c: micro_auc([s.clip for s in scored if s.camera == c]) for c in cameras},
        baselines={
            name: auc_table([each.baselines[name] for each in scored], hz=hz)
            for name in scored[0].baselines
        },
        average_precision=average_precision(labels, scores),
        equal_error_rate=equal_error_rate(labels, scores),
        events=event_figures(clips, [each.threshold for each in scored], hz=hz),
        fps=sum(s.analysed for s in scored) / max(sum(s.elapsed_s for s in scored), 1e-9),
        frame_hz=hz,
        clips=tuple(each.name for each in scored),
        left_out=tuple(left_out),
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _auc_row(table: Mapping[str, Mapping[str, float]]) -> str:
    columns = [table[kind][way] for kind in ("micro", "macro") for way in ("causal", "smoothed")]
    return "   ".join(f"{100 * value:9.2f}" for value in columns)


def _told(events: EventFigures) -> str:
    return (
        f"{events.events} events, {events.alarms} alarms, precision {events.precision:.2f}, "
        f"recall {events.recall:.2f}, delay {events.delay_s:.1f} s, "
        f"{events.false_alarms_per_hour:.1f} false alarms per camera-hour"
    )
