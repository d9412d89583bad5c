"""The segments that an export carries with it: real ones, or drawn ones that could be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import DatasetError
from edge.model.spec import StudentSpec

SEQUENCES = 4
SEED = 0


def real_segments(features: Path, spec: StudentSpec, *, count: int = SEQUENCES) -> Floats:
    """Sequences (count, L, d), evenly chosen from all clips of a feature folder.

    L is the student's window, or less where every clip is shorter. Raises DatasetError where the
    folder holds no such features.
    """
    clips = [_read(path, spec.inputs) for path in sorted((features / "features").rglob("*.npy"))]
    if not clips:
        raise DatasetError(
            f"{features}: holds no features/{{train,test}}/NAME.npy to take some from"
        )
    length = min(spec.window, max(map(len, clips)))
    fitting = [clip for clip in clips if len(clip) >= length]
    shares = [k / max(count - 1, 1) for k in range(count)]
    chosen = [fitting[round(share * (len(fitting) - 1))] for share in shares]
    starts = [
        round(share * (len(clip) - length)) for share, clip in zip(shares, chosen, strict=True)
    ]
    pairs = zip(chosen, starts, strict=True)
    return np.stack([clip[start : start + length] for clip, start in pairs])


def drawn_segments(spec: StudentSpec, weights: Weights, *, count: int = SEQUENCES) -> Floats:
    """Normal ones (count, window, d) of the size that the student expects.

    A student that standardises its input says what is usual; far from that all scores would be
    the same 0 or 1.
    """
    normal = np.random.default_rng(SEED).standard_normal((count, spec.window, spec.inputs))
    mean = _of_input(weights, "mean", np.zeros(spec.inputs, np.float32))
    scale = _of_input(weights, "scale", np.ones(spec.inputs, np.float32))
    return np.asarray(mean + scale * normal, np.float32)


def _read(path: Path, inputs: int) -> Floats:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); extract it again") from error
    numbers = isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating)
    if not numbers or values.ndim != 2 or not len(values) or values.shape[1] != inputs:
        shape = getattr(values, "shape", None)
        raise DatasetError(
            f"{path}: {shape} are no segments (m, {inputs}), which the student reads"
        )
    if not np.isfinite(values).all():
        raise DatasetError(f"{path}: values that are not finite; extract it again")
    return np.asarray(values, np.float32)


def _of_input(weights: Weights, what: str, otherwise: Floats) -> Floats:
    """``input_mean`` or ``input_scale`` (d,) of a student that standardises for itself."""
    found = [array for name, array in weights.items() if name.endswith(f".input_{what}")]
    return found[0] if found and found[0].shape == otherwise.shape else otherwise
