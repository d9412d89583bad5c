"""Labels without anybody who labels (CLAP, Al-lahham et al., CVPR 2024, Algs. 1 and 2).

Notation of the paper: z are the norms of a video's m segments (see ``norms``), σ the spread of
their differences (Eq. 2), H the von Neumann entropy of the features (Eq. 4), (Γ, Θ, M₀) mean,
variance and number of the normal segments' norms (Eqs. 5 and 6), β the share of an anomalous video
that is labelled. Where the paper is silent or wrong, the function says what is done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.errors import TrainingError

Flags: TypeAlias = npt.NDArray[np.bool_]
Doubles: TypeAlias = npt.NDArray[np.float64]
PValue: TypeAlias = Literal["density", "tail"]

BETA_GENERATE, BETA_REFINE = 0.2, 0.1
FEWEST_SEGMENTS = 3  # σ divides by m - 2
UNKNOWN, KNOWN_NORMAL, KNOWN_ANOMALOUS = -1, 0, 1  # what people said of a video
SMALLEST_SHARE = 1e-12  # of the spectrum; below is rounding
ROUNDING = 1e-9  # 0.07 · 100 is 7 segments, not 8
SMALLEST_VARIANCE = 1e-12  # a participant whose norms are all equal still has a density


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Norms of a participant's normal segments: all that it tells of them."""

    mean: float  # Γ
    variance: float  # Θ ≥ 0
    num_segments: int  # M₀ ≥ 2


def video_statistics(residuals: Floats, norms: Floats, *, normalise: bool = True) -> Doubles:
    """The pair [σ, H] of one video with m ≥ 3 segments: residuals (m, d), norms (m,) → (2,)."""
    if len(norms) < FEWEST_SEGMENTS:
        raise ValueError(f"sigma of {len(norms)} segments is undefined")
    return np.array([step_spread(norms), von_neumann_entropy(residuals, normalise=normalise)])


def step_spread(norms: Floats) -> float:
    """σ, Eq. 2: sample standard deviation of m - 1 differences, so the denominator is m - 2."""
    return float(np.diff(norms.astype(np.float64)).std(ddof=1))


def von_neumann_entropy(features: Floats, *, normalise: bool = True) -> float:
    """H = -Σ p ln p over the eigenvalues of the covariance of m segments (m, d), Eq. 4.

    The entropy is defined for a matrix of trace 1: ``normalise`` divides by the trace, which the
    paper does not. Computed from the smaller of the (m, m) and the (d, d) product.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    product = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    spectrum = np.linalg.eigvalsh(product) / (len(centred) - 1)
    total = spectrum.sum()
    if total <= 0:
        return 0.0  # all segments are equal
    shares = spectrum / total
    kept = shares > SMALLEST_SHARE
    used = shares[kept] if normalise else spectrum[kept]
    return float(-(used * np.log(used)).sum())


def more_anomalous(statistics: Doubles, second: Flags) -> Flags:
    """Alg. 1, lines 7-12: of two groups of videos the one of larger mean H is anomalous, (N,)."""
    entropy = statistics[:, 1]
    return second if entropy[second].mean() > entropy[~second].mean() else ~second


def corrected(anomalous: Flags, known: npt.NDArray[np.int8]) -> Flags:
    """Video labels (N,) after what people said: ``known`` (N,) is -1, 0 or 1.

    The paper corrects videos that are known to be normal; a video known to be anomalous is one here
    too. Hold those at UNKNOWN to reproduce the paper.
    """
    return np.where(known == UNKNOWN, anomalous, known == KNOWN_ANOMALOUS)


def normal_statistics(norms: Sequence[Floats], anomalous: Flags) -> Gaussian | None:
    """(Γ, Θ, M₀) over the videos held for normal; None where they have fewer than 2 segments."""
    normal = [z for z, odd in zip(norms, anomalous, strict=True) if not odd]
    z = np.concatenate(normal).astype(np.float64) if normal else np.zeros(0)
    if len(z) < 2:
        return None
    return Gaussian(float(z.mean()), float(z.var(ddof=1)), len(z))


def p_values(norms: Floats, mixture: Sequence[Gaussian], *, kind: PValue = "density") -> Doubles:
    """How expected each norm is of normal segments, (m,) → (m,), Eq. 7.

    ``density`` is the mixture's (the released code); ``tail`` (what the paper calls it) is the
    probability of a norm at least as far from its component's mean, averaged over the components.
    Raises TrainingError for an empty mixture.
    """
    if not mixture:
        raise TrainingError("no participant has normal footage: there is nothing to compare with")
    total = sum(component.num_segments for component in mixture)
    p = np.zeros(len(norms))
    for component in mixture:
        spread = math.sqrt(max(component.variance, SMALLEST_VARIANCE))
        away = np.abs(norms.astype(np.float64) - component.mean) / spread
        share = component.num_segments / total
        if kind == "density":
            p += share * np.exp(-(away**2) / 2) / (spread * math.sqrt(2 * math.pi))
        else:
            p += share * np.array([math.erfc(a / math.sqrt(2)) for a in away])
    return p


def labelled_segments(p: Doubles, *, beta: float = BETA_GENERATE) -> Flags:
    """Alg. 2, generate: the window of ⌈β m⌉ segments with the lowest mean p, (m,) → (m,)."""
    return _window(-p, beta)


def refined(labels: Flags, confidence: Floats, *, beta: float = BETA_REFINE) -> Flags:
    """Alg. 2, update, for one anomalous video: labels (m,) and the student's scores (m,) → (m,).

    The window of highest mean score: where it meets the labels, what both name is kept, else both
    are. So a video never loses all its labels.
    """
    seen = _window(confidence.astype(np.float64), beta)
    both = labels & seen
    return both if both.any() else labels | seen


def _window(values: Doubles, beta: float) -> Flags:
    """The first window of ⌈β m⌉ values with the highest sum, by cumulative sums: O(m)."""
    chosen = np.zeros(len(values), np.bool_)
    if not len(values):
        return chosen
    width = math.ceil(beta * len(values) - ROUNDING)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    begin = int(np.argmax(sums[width:] - sums[:-width]))
    chosen[begin : begin + width] = True
    return chosen
