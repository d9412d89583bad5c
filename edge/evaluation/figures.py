"""Figures of merit, from frame labels and frame scores; all as shares in [0, 1].

Conventions (those of the literature's reference code): *micro* pools the frames of all clips;
*macro* is the mean of the clips' own AUC, where every clip is given one normal frame below and
one abnormal frame above all others, since a clip of one class has no AUC of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Labels: TypeAlias = npt.NDArray[np.bool_]
Scores: TypeAlias = npt.NDArray[np.float64]

LOOK_AHEAD_S = 1.0
"""Standard deviation of the Gaussian that the smoothed figure uses."""

MERGE_S = 2.0
"""Exceedances closer than this are one alarm."""


def roc_auc(labels: Labels, scores: Scores) -> float:
    """P(an abnormal frame scores above a normal one), ties count half; NaN if a class is empty.

    The Mann-Whitney statistic over mid-ranks: O(n log n).
    """
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float("nan")
    ranks = _mid_ranks(scores)
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(labels: Labels, scores: Scores) -> float:
    """Area under the precision-recall steps; tied scores are one step; NaN without positives."""
    if not labels.any():
        return float("nan")
    hits, alarms = _sweep(labels, scores)
    recall = hits / labels.sum()
    return float((np.diff(recall, prepend=0) * hits / alarms).sum())


def equal_error_rate(labels: Labels, scores: Scores) -> float:
    """The error rate at which misses and false alarms are equally frequent; NaN if undefined.

    Linear between the operating points on either side.
    """
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float("nan")
    hits, alarms = _sweep(labels, scores)
    false_alarm = np.r_[0.0, (alarms - hits) / negative]
    miss = np.r_[1.0, 1 - hits / positive]
    after = int((false_alarm >= miss).argmax())  # the last point has miss 0
    gap = miss - false_alarm
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(false_alarm[after - 1] + share * (false_alarm[after] - false_alarm[after - 1]))


@dataclass(frozen=True, slots=True)
class ClipScores:
    """One clip's frames."""

    labels: Labels  # (T,)
    scores: Scores  # (T,)


def micro_auc(clips: Sequence[ClipScores]) -> float:
    """AUC over the frames of all clips together."""
    return roc_auc(
        np.concatenate([clip.labels for clip in clips]),
        np.concatenate([clip.scores for clip in clips]),
    )


def macro_auc(clips: Sequence[ClipScores]) -> float:
    """Mean of the clips' own AUC, each with one appended frame of each class."""
    return float(np.mean([_own_auc(clip) for clip in clips]))


def smoothed(clip: ClipScores, *, hz: float, look_ahead_s: float = LOOK_AHEAD_S) -> ClipScores:
    """Gaussian smoothing and per-clip scaling to [0, 1]: both look ahead, no live system can.

    The literature's usual post-processing, for comparison only. ``hz``: frames per second.
    """
    sigma = max(look_ahead_s * hz, 1e-3)
    reach = min(int(3 * sigma) + 1, len(clip.scores))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(clip.scores, reach, mode="edge")
    values = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return ClipScores(clip.labels, scaled)


@dataclass(frozen=True, slots=True)
class EventFigures:
    """How alarms meet events at one threshold."""

    events: int  # abnormal stretches in the labels
    alarms: int  # stretches above the threshold
    precision: float  # share of the alarms that touch an event; NaN without alarms
    recall: float  # share of the events that an alarm touches; NaN without events
    delay_s: float  # median time from an event's start to the alarm in it; NaN without any
    false_alarms_per_hour: float  # alarms that touch no event, per hour of normal frames


def event_figures(
    clips: Sequence[ClipScores], thresholds: Sequence[float], *, hz: float, merge_s: float = MERGE_S
) -> EventFigures:
    """Compare alarms with events, clip by clip; ``thresholds`` holds one per clip."""
    alarms = events = true_alarms = found = 0
    delays: list[float] = []
    for clip, threshold in zip(clips, thresholds, strict=True):
        raised = clip.scores >= threshold
        happened = stretches(clip.labels, merge=1)
        sounded = stretches(raised, merge=max(int(merge_s * hz), 1))
        events, alarms = events + len(happened), alarms + len(sounded)
        true_alarms += sum(bool(clip.labels[start:stop].any()) for start, stop in sounded)
        firsts = [
            raised[start:stop].argmax() for start, stop in happened if raised[start:stop].any()
        ]
        found += len(firsts)
        delays += [first / hz for first in firsts]
    normal_h = sum(int((~clip.labels).sum()) for clip in clips) / hz / 3600
    return EventFigures(
        events=events,
        alarms=alarms,
        precision=true_alarms / alarms if alarms else float("nan"),
        recall=found / events if events else float("nan"),
        delay_s=float(np.median(delays)) if delays else float("nan"),
        false_alarms_per_hour=(alarms - true_alarms) / normal_h if normal_h else float("nan"),
    )


def stretches(on: Labels, *, merge: int) -> list[tuple[int, int]]:
    """Runs of true frames as (start, stop); runs fewer than ``merge`` frames apart are one."""
    index = np.flatnonzero(on)
    if not len(index):
        return []
    breaks = np.flatnonzero(np.diff(index) > merge)
    starts = index[np.r_[0, breaks + 1]]
    stops = index[np.r_[breaks, len(index) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def auc_table(clips: Sequence[ClipScores], *, hz: float) -> Mapping[str, Mapping[str, float]]:
    """Micro and macro, each causal and smoothed: ``{"micro": {"causal", "smoothed"}, …}``."""
    ahead = [smoothed(clip, hz=hz) for clip in clips]
    return {
        "micro": {"causal": micro_auc(clips), "smoothed": micro_auc(ahead)},
        "macro": {"causal": macro_auc(clips), "smoothed": macro_auc(ahead)},
    }


def _own_auc(clip: ClipScores) -> float:
    low, high = clip.scores.min(initial=0.0) - 1, clip.scores.max(initial=0.0) + 1
    return roc_auc(np.r_[clip.labels, False, True], np.r_[clip.scores, low, high])


def _mid_ranks(scores: Scores) -> Scores:
    """Rank of each score from 1, tied ones share the middle of theirs."""
    _, index, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[index], np.float64)


def _sweep(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """Hits and alarms as the threshold falls past each distinct score."""
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    hits = np.cumsum(labels[order])[last]
    return hits.astype(np.float64), (last + 1).astype(np.float64)
