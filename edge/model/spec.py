"""Which student: a description that is JSON, and the checks of its weights; no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from edge.domain.weights import Shapes, Weights
from edge.errors import ModelError

Head: TypeAlias = Literal["clap", "temporal", "density", "dakd"]

ATTENTIVE: tuple[Head, ...] = ("temporal", "dakd")
"""Heads that look at more than one segment."""

WHOLE_NUMBERS = ("inputs", "window", "hidden", "attention_heads", "reach", "noise_levels")

PENULTIMATE = 32
"""Width of the last hidden layer of every head, on which teachers distil."""


@dataclass(frozen=True, slots=True)
class StudentSpec:
    """One student; equal specs have equal weight names and shapes."""

    head: Head
    inputs: int  # d, the width of a segment's features
    window: int = 1  # segments that the newest score of a stream depends on
    hidden: int = 512
    dropout: float = 0.6  # of the detector of ``clap`` and ``temporal``, while training
    attention_heads: int = 8  # ``temporal`` and ``dakd``; divides ``hidden``
    reach: int = 25  # ``dakd``: segments this far apart and farther are equally far (Eq. 1's k)
    causal: bool = False  # ``dakd``: no segment sees later ones, also where they are at hand
    noise: tuple[float, float] = (0.05, 1.0)  # ``density``: lowest and highest noise, in spreads
    noise_levels: int = 5  # ``density``: at which it is scored, between those two

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if self.head not in get_args(Head):
            raise _unusable(f"head {self.head!r} is none of {', '.join(get_args(Head))}")
        for name in WHOLE_NUMBERS:
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise _unusable(f"{name} must be a whole number, at least 1")
        if self.window > 1 and self.head not in ATTENTIVE:
            raise _unusable(f"head {self.head} looks at one segment: window must be 1")
        if self.head in ATTENTIVE and self.hidden % self.attention_heads:
            raise _unusable("attention_heads must divide hidden")
        if type(self.causal) is not bool or (self.causal and self.head != "dakd"):
            raise _unusable("causal is a choice of head dakd: true or false")
        if not 0 <= self.dropout < 1:
            raise _unusable("dropout must be in [0, 1)")
        if len(self.noise) != 2 or not 0 < self.noise[0] <= self.noise[1] < math.inf:
            raise _unusable("noise must be two rising numbers above 0")

    @property
    def brings_its_measure(self) -> bool:
        """Whether it learnt elsewhere and reads rows as they are, on no camera's own scale."""
        return self.head == "dakd"

    @property
    def is_energy(self) -> bool:
        """Whether it scores with an energy, of any sign, not with a probability."""
        return self.head == "density"

    @property
    def looks_ahead(self) -> bool:
        """Whether a score depends on later segments, where these are given."""
        return self.head == "dakd" and not self.causal

    def as_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` restores it."""
        return asdict(self) | {"noise": list(self.noise)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> StudentSpec:
        """Raises ModelError where a field is missing, unknown or of another type."""
        try:
            return cls(**dict(fields) | {"noise": tuple(fields["noise"])})
        except (KeyError, TypeError) as error:
            raise _unusable(f"fields do not fit ({error})") from error


def check_weights(weights: Weights, shapes: Shapes, *, where: str) -> None:
    """Raise ModelError unless names and shapes agree and every value is finite float32."""
    missing, unknown = sorted(shapes.keys() - weights), sorted(weights.keys() - shapes)
    if missing or unknown:
        raise ModelError(f"{where}: weights of another model: lacks {missing}, knows no {unknown}")
    for name, array in weights.items():
        if tuple(array.shape) != tuple(shapes[name]) or array.dtype != np.float32:
            raise ModelError(
                f"{where}: {name} is {array.dtype} {tuple(array.shape)}, "
                f"this model has float32 {tuple(shapes[name])}"
            )
        if not np.isfinite(array).all():
            raise ModelError(f"{where}: {name} holds values that are not finite")


def _unusable(what: str) -> ModelError:
    return ModelError(f"student: {what}")
