"""Clipping and Gaussian noise: what makes what one host sends differentially private.

The Gaussian mechanism (Dwork and Roth, The Algorithmic Foundations of Differential Privacy, 2014,
theorem A.1) as DP-FedAvg uses it (McMahan et al., ICLR 2018, algorithm 1), with the noise added by
the host itself: the aggregator is not trusted with the clean update. ``privacy_budget`` says what
that guarantees.

Known limit: the proof is for real numbers. Floating point leaves gaps that can tell about the value
below the noise (Mironov, CCS 2012); noise is added in float64 and the sum rounded to float32, which
hides most of them and proves nothing. Nor is numpy's generator a cryptographic one.
"""

from __future__ import annotations

import math
import secrets

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shares, Weights
from edge.errors import ModelError

# float32 rounding (2^-24 of each coordinate) must not lift a clipped norm above its bound
_ROUNDING = 1.0 - 2.0**-23


def l2_norm(delta: Weights) -> float:
    """Euclidean norm over all coordinates of all arrays, summed in float64."""
    return math.sqrt(
        sum(float(np.vdot(a, a)) for a in (v.astype(np.float64).ravel() for v in delta.values()))
    )


def clipped(delta: Weights, clip_norm: float) -> dict[str, npt.NDArray[np.float32]]:
    """``delta · min(1, clip_norm / ‖delta‖)``: its direction, no longer than ``clip_norm``.

    ModelError where a value is not finite: such training must not be sent, nor clipped to look
    well.
    """
    norm = l2_norm(delta)
    if not math.isfinite(norm):
        raise ModelError(
            "the update holds values that are not finite: the training diverged; nothing is sent; "
            "lower the learning rate"
        )
    factor = 1.0 if norm <= clip_norm else clip_norm / norm * _ROUNDING
    return {
        name: (array.astype(np.float64) * factor).astype(np.float32)
        for name, array in delta.items()
    }


def noised(
    delta: Weights,
    *,
    clip_norm: float,
    noise_multiplier: float,
    generator: np.random.Generator | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """The clipped delta plus N(0, (noise_multiplier · clip_norm)²) in every coordinate.

    The generator is seeded from the operating system unless a test gives its own.
    """
    generator = generator or _unforeseen()
    sigma = noise_multiplier * clip_norm
    return {
        name: (array + sigma * generator.standard_normal(array.shape)).astype(np.float32)
        for name, array in clipped(delta, clip_norm).items()
    }


def noised_shares(
    counts: npt.ArrayLike, noise_multiplier: float, generator: np.random.Generator | None = None
) -> Shares:
    """What share of the objects each class has, privately: (C,) counts ≥ 0 → (C,) that sum to 1.

    The shares get N(0, noise_multiplier²) each, and the nearest distribution to the result is
    released; that step sees nothing but what was noised, so it costs no privacy.

    The unit is that of the updates, a host's whole footage: shares are no longer than 1, and where
    there is no footage they are zero, so the noise multiplier means the same in both. It is *not*
    one object among N, which moves the shares by no more than √2/N and could be hidden by far less
    noise: nothing would then be promised of the footage.

    What that costs: the noise does not become less with more objects. Up to 0.1 hosts of different
    kinds are told apart by eight shares, of 0.2 most, from 1 on hardly more than by chance.
    """
    numbers = np.asarray(counts, np.float64)
    total = float(numbers.sum())
    shares = numbers / total if total > 0 else numbers
    if noise_multiplier > 0:
        generator = generator or _unforeseen()
        shares = shares + noise_multiplier * generator.standard_normal(shares.shape)
    return _nearest_distribution(shares)


def _nearest_distribution(values: npt.NDArray[np.float64]) -> Shares:
    """The distribution of least squared distance (Duchi et al., ICML 2008, figure 1).

    Clipping at zero and dividing by the sum leaves more of the noise as long as there is little.
    """
    falling = np.sort(values)[::-1]
    excess = (np.cumsum(falling) - 1.0) / np.arange(1, len(values) + 1)
    above = excess[np.nonzero(falling > excess)[0][-1]]
    return np.asarray(np.maximum(values - above, 0.0), np.float32)


def _unforeseen() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64DXSM(secrets.randbits(256)))
