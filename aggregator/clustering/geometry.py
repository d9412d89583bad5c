"""How far participants are apart, in their models and in what they see; numpy only.

FedVAD's distance (Eq. 2) is α ‖Wᵢ - W̃ⱼ‖ + β ‖Oᵢ - Õⱼ‖. A model has a million coordinates and a
distribution of objects seven, so here either norm is divided by its mean over all pairs: α and β
weigh terms of equal size, whatever network and classes. A term in which nobody differs is 0.

**What is not known is as far as the average.** Where one of two has not said what it sees, the
objects' term of the pair is 1, its mean: it then draws nobody anywhere, and the models decide.
Leaving it out would make whoever is silent everybody's neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Shares, Weights

MODEL, OBJECTS = 0, 1
"""The two terms, in the first axis of arrays that hold both."""

_CHUNK = 8 * 1024  # coordinates of all models that are multiplied at a time, in float32
_RESOLUTION = 1e-6  # of float32 products: squared distances below so much of the norms are noise

Floats: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """K participants, each against each."""

    squares: Floats  # (2, K, K) squared distances, each term in units of its mean distance
    known: Mask  # (K,) who has said what it sees
    scales: Floats  # (2,) the mean distances; 0: nobody differs
    alpha: float
    beta: float

    def __len__(self) -> int:
        return len(self.known)

    def joint(self, terms: Floats) -> Floats:
        """α and β applied: (2, ...) to (...)."""
        return np.asarray(self.alpha * terms[MODEL] + self.beta * terms[OBJECTS])

    def pairs(self) -> Floats:
        """Joint distance of every pair, (K, K)."""
        return self.joint(np.sqrt(self.squares))

    def to_means(self, member: Floats) -> Floats:
        """Terms of everybody's distance to M means, (2, K, M); ``member`` (M, K) is 1 or 0.

        With D the squared distances and the members' shares a in a mean, of sum 1, the squared
        distance of i to it is (D a)ᵢ - ½ aᵀ D a: M K² operations, however long the vectors are.
        """
        terms = np.empty((2, len(self), len(member)))
        terms[MODEL] = _to_means(self.squares[MODEL], member)
        spoken = member * self.known
        terms[OBJECTS] = _to_means(self.squares[OBJECTS], spoken)
        silent = ~self.known[:, None] | ~spoken.any(axis=1)
        terms[OBJECTS][silent] = float(self.scales[OBJECTS] > 0)
        return terms


def geometry(
    gram: Floats, objects: Sequence[Shares | None], *, alpha: float, beta: float
) -> Geometry:
    """From inner products of the models (K, K) and what each participant says that it sees."""
    known = np.array([shares is not None for shares in objects], np.bool_)
    rows = np.array([shares for shares in objects if shares is not None], np.float64)
    seen = np.zeros((len(known), len(known)))
    for column in rows.T:  # class by class: exact, and there are few
        seen[np.ix_(known, known)] += np.square(column[:, None] - column)
    model, model_scale = _scaled(_squares(gram), np.ones_like(known))
    seen, seen_scale = _scaled(seen, known)
    if seen_scale:
        seen[~(known[:, None] & known[None, :])] = 1
        np.fill_diagonal(seen, 0)
    return Geometry(
        np.stack([model, seen]), known, np.array([model_scale, seen_scale]), alpha, beta
    )


def gram(deltas: Sequence[Weights], starts: Sequence[Weights], whose: Labels) -> Floats:
    """Inner products of K models about their mean, (K, K); reads every weight once.

    Model i is ``starts[whose[i]] + deltas[i]``. It is never put together: blocks of coordinates of
    all models are, less their mean, so that float32 has only the differences to hold; sums over
    blocks are in float64.
    """
    products = np.zeros((len(deltas), len(deltas)))
    for name in sorted(deltas[0].keys() & starts[0].keys()):
        flat = [delta[name].reshape(-1) for delta in deltas]
        begun = np.stack([start[name].reshape(-1) for start in starts])
        begun = begun - begun.mean(axis=0)  # before a delta is added: it may be a millionth of it
        for first in range(0, flat[0].size, _CHUNK):
            place = slice(first, first + _CHUNK)
            block = np.stack([row[place] for row in flat])
            if len(starts) > 1:
                block += begun[whose, place]
            block -= block.mean(axis=0)
            products += block @ block.T
    return products


def _squares(gram: Floats) -> Floats:
    """Squared distances of all pairs; exactly 0 where float32 cannot tell two apart."""
    norms = np.diag(gram)
    both = norms[:, None] + norms[None, :]
    squares = both - 2 * gram
    squares[squares < _RESOLUTION * both] = 0
    np.fill_diagonal(squares, 0)
    return np.asarray((squares + squares.T) / 2)


def _scaled(squares: Floats, known: Mask) -> tuple[Floats, float]:
    """In units of the mean distance over the pairs of those who are known, and that mean."""
    distances = np.sqrt(squares[np.ix_(known, known)])
    count = len(distances)
    scale = float(distances.sum() / (count * (count - 1))) if count > 1 else 0.0
    return (squares / scale**2, scale) if scale else (np.zeros_like(squares), 0.0)


def _to_means(squares: Floats, member: Floats) -> Floats:
    """Distances to the means of the members, (K, M); a mean of nobody is 0 away."""
    shares = member / np.maximum(member.sum(axis=1, keepdims=True), 1)  # (M, K)
    reach = squares @ shares.T  # (K, M)
    spread = np.einsum("mk,km->m", shares, reach) / 2
    return np.asarray(np.sqrt(np.maximum(reach - spread, 0)))
