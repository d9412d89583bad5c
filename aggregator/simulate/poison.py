"""Participants that lie: what they send instead of their update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from edge.domain.weights import Weights, WeightUpdate
from edge.errors import ConfigError
from edge.federation.noise import l2_norm

Lie: TypeAlias = Callable[[Weights, np.random.Generator], Weights]

SCALE = 10.0
NOISE = 10.0  # length of the noise in lengths of the delta


def _flipped(delta: Weights, generator: np.random.Generator) -> Weights:
    """Away from where everybody goes."""
    del generator
    return {name: -array for name, array in delta.items()}


def _scaled(delta: Weights, generator: np.random.Generator) -> Weights:
    """Shouted: one counts as many (Bagdasaryan et al., AISTATS 2020, model replacement)."""
    del generator
    return {name: np.float32(SCALE) * array for name, array in delta.items()}


def _noise(delta: Weights, generator: np.random.Generator) -> Weights:
    """Nothing but noise, longer than the delta."""
    size = sum(array.size for array in delta.values())
    sigma = NOISE * l2_norm(delta) / np.sqrt(max(size, 1))
    return {n: generator.normal(0, sigma, a.shape).astype(np.float32) for n, a in delta.items()}


def _nan(delta: Weights, generator: np.random.Generator) -> Weights:
    """One number that is none."""
    broken = {name: array.copy() for name, array in delta.items()}
    name = sorted(broken)[0]
    broken[name].flat[generator.integers(broken[name].size)] = np.nan
    return broken


LIES: Mapping[str, Lie] = {
    "sign-flip": _flipped,
    "scale": _scaled,
    "noise": _noise,
    "nan": _nan,
}


@dataclass(frozen=True, slots=True)
class Poison:
    """A kind of lie, and the share of the participants that tell it."""

    kind: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Poison:
        """Read ``KIND:SHARE``; raises ConfigError."""
        kind, _, number = text.partition(":")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if kind not in LIES or not 0 < share < 1:
            raise ConfigError(
                f"--poison {text}: expected KIND:SHARE, KIND one of {', '.join(LIES)}, "
                "SHARE between 0 and 1"
            )
        return cls(kind, share)

    def liars(self, participants: Sequence[str], seed: int) -> frozenset[str]:
        """Who lies, drawn by ``seed``; at least one."""
        count = max(1, round(self.share * len(participants)))
        drawn = np.random.default_rng([seed, 2]).permutation(len(participants))[:count]
        return frozenset(participants[index] for index in drawn.tolist())

    def told(self, update: WeightUpdate, generator: np.random.Generator) -> WeightUpdate:
        """What a liar sends."""
        return replace(update, delta=LIES[self.kind](update.delta, generator))
