"""The kinematic descriptor: how an object moves, how its box is shaped, and where it is.

Lengths are in body heights of the object itself, so that near and far objects compare. Rates are
least-squares slopes over the segment's true times: a jittering detector or an irregular frame
interval moves them little. A spread is what the straight line leaves over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import Feature, Features, FeatureSpec
from edge.domain.segment import ObjectSegments

Array: TypeAlias = npt.NDArray[np.float64]

JITTER = 0.03
"""A detector's box trembles by about so much of its height: differences below say nothing."""

SPEC = FeatureSpec(
    group="kinematics",
    revision=1,
    features=(
        Feature("speed", "heights/s"),
        Feature("motion right", "heights/s"),
        Feature("motion down", "heights/s"),
        Feature("path speed", "heights/s"),
        Feature("wobble", "heights", log_floor=JITTER),
        Feature("acceleration", "heights/s²", log_floor=0.5),
        Feature("growth", "per s"),
        Feature("width sway", "of the width", log_floor=2 * JITTER),
        Feature("height sway", "of the height", log_floor=JITTER),
        Feature("slimness", "height/width", log_floor=0.0),
        Feature("height", "of the picture", log_floor=0.0),
        Feature("place right", "of the picture"),
        Feature("place down", "of the picture"),
    ),
)

SPEED_SPEC = FeatureSpec(
    group="object-speed",
    revision=1,
    features=(Feature("speed", "heights/s", log_floor=0.1, by_place=True),),
    excess=True,
)

SPECS = (SPEC, SPEED_SPEC)

SHORTEST_SIDE_PX = 1.0  # a box of a buggy detector may be empty; its logarithm may not
SHORTEST_SPAN_S = 0.1
LEAST_SPAN_S2 = 1e-3  # sum of squared times below which a slope is noise


def describe(segments: ObjectSegments) -> tuple[Features, ...]:
    """Describe N object segments, one group per entry of ``SPECS``: (N, 13) and (N, 1)."""
    kinematics = Features(
        spec=SPEC,
        track_id=segments.track_id,
        class_id=segments.class_id,
        boxes_xyxy=segments.boxes_xyxy[:, -1],
        values=np.array(_measure(segments), np.float32).T,
    )
    return (kinematics, replace(kinematics, spec=SPEED_SPEC, values=kinematics.values[:, :1]))


def _measure(segments: ObjectSegments) -> list[Array]:
    """The columns in the order of ``SPEC``, each (N,)."""
    boxes = segments.boxes_xyxy.astype(np.float64)  # (N, n, 4)
    low, high = boxes[..., :2], boxes[..., 2:]
    sides = np.log(np.maximum(high - low, SHORTEST_SIDE_PX))  # (N, n, 2) log width, log height
    # small numbers: epoch seconds would cost precision
    time_s = segments.time_s - segments.time_s[:, -1:]
    weight = _weights(segments)
    width, height = np.exp(_mean(weight, sides)).T  # geometric means, pixels
    center = (low + high) / 2 / height[:, None, None]  # (N, n, 2) in body heights
    slope, spread = _line(weight, time_s, np.concatenate([center, sides], axis=-1))
    return [
        np.hypot(slope[:, 0], slope[:, 1]),
        slope[:, 0],
        slope[:, 1],
        _path_speed(time_s, center),
        np.hypot(spread[:, 0], spread[:, 1]),
        _acceleration(weight, time_s, center),
        slope[:, 3],
        spread[:, 2],
        spread[:, 3],
        height / width,
        height / segments.height,
        center[:, -1, 0] * height / segments.width,
        boxes[:, -1, 3] / segments.height,
    ]


def _path_speed(time_s: Array, center: Array) -> Array:
    """Length of the way from box to box over the time it took, (N,); detours count."""
    steps = np.diff(center, axis=1)  # (N, n - 1, 2)
    way = np.hypot(steps[..., 0], steps[..., 1]).sum(axis=1)
    return np.asarray(way / np.maximum(-time_s[:, 0], SHORTEST_SPAN_S))


def _acceleration(weight: Array, time_s: Array, center: Array) -> Array:
    """Change of velocity between the two halves of a segment, (N,); 0 while it is too young."""
    middle = time_s.shape[1] // 2
    early, _ = _line(weight[:, : middle + 1], time_s[:, : middle + 1], center[:, : middle + 1])
    late, _ = _line(weight[:, middle:], time_s[:, middle:], center[:, middle:])
    change = np.hypot(*(late - early).T) / np.maximum(-time_s[:, 0] / 2, SHORTEST_SPAN_S)
    old_enough = weight.sum(axis=1) >= time_s.shape[1] - 1
    return np.asarray(np.where(old_enough, change, 0.0))


def _weights(segments: ObjectSegments) -> Array:
    """1 for real observations, 0 for the repeated oldest one, (N, n)."""
    length = segments.time_s.shape[1]
    return np.asarray(np.arange(length) >= length - segments.seen[:, None], np.float64)


def _mean(weight: Array, values: Array) -> Array:
    """Weighted mean over the segment: (N, n), (N, n, c) → (N, c)."""
    total = np.einsum("nt,ntc->nc", weight, values)
    return np.asarray(total / np.maximum(weight.sum(1, keepdims=True), 1))


def _line(weight: Array, time_s: Array, values: Array) -> tuple[Array, Array]:
    """Least-squares slope per second and RMS residual of each channel: two (N, c)."""
    elapsed = time_s - _mean(weight, time_s[..., None])  # (N, n)
    centred = values - _mean(weight, values)[:, None]  # (N, n, c)
    span = np.maximum((weight * elapsed**2).sum(1), LEAST_SPAN_S2)  # (N,)
    slope = np.einsum("nt,ntc->nc", weight * elapsed, centred) / span[:, None]
    residual = centred - slope[:, None] * elapsed[..., None]
    return slope, np.sqrt(_mean(weight, residual**2))
