"""Normal actions in words, as one more term of a camera's score (SVAD, section 3.4).

What an object does is described by its *response*: the cosines of its action feature to P action
prompts (Eq. 8). The normal ones gather around a few centres; the score is 1 - the largest cosine of
a response to a centre (Eq. 9). Where we depart from the paper:

* **Responses are centred**: the mean over its prompts is taken off each one, so that what is
  compared is their correlation. Cosines of any picture to any text share a large common part, and
  cosines of such responses are all above 0.99; where a camera sees little but people who walk,
  their own mean is no reference either: without it all that is left is noise. Measured on 400
  made-up prompts with that geometry: AUC 0.99 as published, 0.55 to 0.76 with the camera's mean
  taken off, 1.00 with each response's own. ``published`` gives the paper's.
* **Rare normal patterns keep a centre of their own.** k-means puts its centres where the rows are
  many. What no centre reaches gets one, until nothing of the footage is left (see ``_covering``).
  An action of 0.5 % of the footage, of 3, 8, 15 normal ones and 10 centres, was as strange as one
  normal row in a thousand in 100, 100, 54 % of its rows before, and in 1 % after.
* **Prompts are not learnt.** Four context tokens before the class names, trained on a camera's own
  normal footage (Eqs. 4-6), do what they are trained for: the InfoNCE of footage held back falls
  from .068 to .047, on six of six generated scenes. What they are for suffers: the AUC by words
  falls from .777 to .764, on four of six. Nothing in normal footage tells the one from the other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.features import FeatureSpec
from edge.errors import ModelError
from edge.features.actions import ActionModel, ActionSight, action_spec
from edge.scoring.normality import CANDIDATES, CENTRE_MEMORY, State, spherical_kmeans

Array: TypeAlias = npt.NDArray[np.float32]

MOST_DECADES = 64.0
"""Of the term: where footage hardly varies, responses differ from it by 10^6 times its spread, and
no other term would be heard. As much as motion says of a runner, as one of six terms is averaged
away to a sixth, and who moves as all do must alarm all the same."""

FEWEST_PROMPTS = 3  # a correlation of two is always 1 or -1
CENTRES = 10  # of a camera that shows one scene (SVAD, section 4.2)
MOST_CENTRES = 4  # times as many, with those of rare patterns
SLICE_ROWS = 4096  # bounds the memory of responses

ALIKE = 0.9  # share of the footage that tells how far rows of a pattern are from its centre
REACH = math.log(100) / math.log(5)
"""Quantiles 0.5 and 0.9 of an exponential law are ln 5 scales apart, 0.9 and 0.999 ln 100: so many
times the first gap above 0.9 lies what one row in a thousand would exceed."""
LEAST_REACH = 1e-4  # rows that are nearer to each other than this are the same

USUAL_QUANTILES = (0.01, 0.99)


class Prompts(Protocol):
    """The texts of actions and their embeddings; see ``edge.model.text``."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """P texts."""
        ...

    @property
    def embeddings(self) -> Array:
        """(P, d) L2-normalised."""
        ...


class WordModel(ActionModel, Protocol):
    """What sees actions and has words for them; see ``edge.model.words``."""

    @property
    def prompts(self) -> Prompts:
        """The actions that it compares with."""
        ...

    @property
    def reads(self) -> bool:
        """Whether it has a text tower."""
        ...

    def read(self, texts: Sequence[str]) -> Array | None:
        """Any sentences, (T, d) L2-normalised; None: no text tower is here."""
        ...


@dataclass(frozen=True, eq=False)
class Words:
    """A word model as it is used by all cameras of a host."""

    model: WordModel
    centres: int = CENTRES
    published: bool = False  # cosines of responses as they are
    features: FeatureSpec = field(init=False)  # of the action features that it makes

    def __post_init__(self) -> None:
        """Raises ModelError where there are too few prompts to compare."""
        if len(self.model.prompts.prompts) < FEWEST_PROMPTS:
            raise ModelError(
                f"word model {self.model.version}: {len(self.model.prompts.prompts)} prompts, "
                f"at least {FEWEST_PROMPTS} actions tell one from another: give it more"
            )
        object.__setattr__(self, "features", action_spec(self.model))

    @cached_property
    def version(self) -> str:
        """Names all that a camera's centres depend on: the word model, its prompts, the rule."""
        prompts = self.model.prompts
        said = repr((prompts.prompts, self.published)).encode() + prompts.embeddings.tobytes()
        return f"{self.model.version}-{hashlib.sha256(said).hexdigest()[:6]}"

    @cached_property
    def _axes(self) -> Array:
        """What responses are measured along, (d, P): a mean taken off here is off everywhere."""
        embeddings = self.model.prompts.embeddings
        mean = 0 if self.published else embeddings.mean(axis=0)
        return np.ascontiguousarray((embeddings - mean).T, np.float32)

    def responses(self, actions: Array) -> Array:
        """Cosines of N action features to the prompts, (N, d) → (N, P)."""
        return np.asarray(actions @ self.model.prompts.embeddings.T, np.float32)

    def compared(self, actions: Array) -> Array:
        """The same as they are compared, at length 1."""
        return _unit(actions @ self._axes)

    def sight(self, embeddings_per_s: float = math.inf) -> ActionSight:
        """What sees the actions of some cameras; the budget is theirs together."""
        return ActionSight(self.model, embeddings_per_s=embeddings_per_s)


class WordNormality:
    """1 - the largest correlation of a response to M centres (SVAD, Eq. 9)."""

    kind: ClassVar[str] = "words"

    def __init__(self, words: Words, centres: Array, usual: Array) -> None:
        """``centres`` (M, P) of length 1; ``usual`` (2, P) bounds of each usual response."""
        self.words = words
        self.usual = usual
        self._centres = np.array(centres, np.float32)  # its own: updates write

    @classmethod
    def fit(cls, words: Words, points: Array, *, seed: int = 0) -> Self:
        """Learn from the action features of normal footage, (N, d), N ≥ 1."""
        order = np.random.default_rng(seed).permutation(len(points))[:CANDIDATES]
        sample = np.asarray(points[order], np.float32)
        rows = words.compared(sample)
        most = MOST_CENTRES * words.centres
        # many centres, so that none of them stands between two actions and blurs what one is
        reach = _reach(_away(rows, spherical_kmeans(rows, min(most, len(rows)))))
        common = spherical_kmeans(rows, min(words.centres, len(rows)))
        centres = _covering(common, _beyond(words, points, common, reach), reach, most=most)
        usual = np.quantile(words.responses(sample), USUAL_QUANTILES, axis=0)
        return cls(words, centres, usual.astype(np.float32))

    def distance(self, points: Array) -> Array:
        """How far N action features are from every normal pattern, (N, d) → (N,) in [0, 2]."""
        return _away(self.words.compared(points), self._centres)

    def update(self, points: Array) -> None:
        """Each row draws its own centre a little nearer, however rare that centre is."""
        for row in self.words.compared(points):
            nearest = int((self._centres @ row).argmax())
            moved = self._centres[nearest] + row / CENTRE_MEMORY
            self._centres[nearest] = moved / np.linalg.norm(moved)

    def likeness(self, point: Array) -> tuple[str, float, float, bool]:
        """What one action feature (d,) looks like: the prompt that departs most from usual.

        Text, cosine, the bound of what is usual, whether it is above; nothing below is named where
        something is above.
        """
        response = self.words.responses(point[None])[0]
        low, high = self.usual
        above = bool((response > high).any())
        most = int((response - high).argmax() if above else (low - response).argmax())
        bound = float((high if above else low)[most])
        return self.words.model.prompts.prompts[most], float(response[most]), bound, above

    def state(self) -> dict[str, Array]:
        """Named arrays from which ``from_state`` restores it, with the same words."""
        return {"centres": self._centres, "usual": self.usual}

    @classmethod
    def from_state(cls, words: Words, state: State) -> Self:
        """Restore it; raises KeyError for a missing array, ValueError for other prompts' ones."""
        centres, usual = (np.asarray(state[name], np.float32) for name in ("centres", "usual"))
        count = len(words.model.prompts.prompts)
        if centres.ndim != 2 or centres.shape[1] != count or usual.shape != (2, count):
            raise ValueError(f"{centres.shape} centres, the word model has {count} prompts")
        return cls(words, centres, usual)


def _reach(away: Array) -> float:
    """How far rows of a pattern may be from its centre, from the distances of all rows, (N,).

    Where one in a thousand would be, had the bulk of them an exponential tail. What is rare is in
    the tail and must not widen it.
    """
    half, most = np.quantile(away, (0.5, ALIKE))
    return max(float(most + REACH * (most - half)), LEAST_REACH)


def _beyond(words: Words, points: Array, centres: Array, reach: float) -> Array:
    """The rows out of reach of the centres, the farthest ``CANDIDATES`` of them, (B, P)."""
    kept = np.zeros((0, centres.shape[1]), np.float32)
    for part in np.array_split(points, len(points) // SLICE_ROWS + 1):
        rows = words.compared(np.asarray(part, np.float32))
        kept = np.concatenate([kept, rows[_away(rows, centres) > reach]])
        if len(kept) > CANDIDATES:
            kept = kept[np.argsort(-_away(kept, centres), kind="stable")[:CANDIDATES]]
    return kept


def _covering(centres: Array, rows: Array, reach: float, *, most: int) -> Array:
    """Centres with which all ``rows`` are within reach, as far as ``most`` of them suffice.

    The farthest row gets a centre again and again: the mean of the uncovered rows within its reach.
    That mean is within reach of the row itself, so every step covers it.
    """
    away = _away(rows, centres)
    while len(centres) < most and (away > reach).any():
        far = rows[int(away.argmax())]
        alike = (away > reach) & (1 - rows @ far <= reach)
        new = _unit(rows[alike].mean(axis=0, keepdims=True))
        centres = np.concatenate([centres, new])
        # rounding must not leave the row where it was
        away = np.where(rows @ far >= 1 - LEAST_REACH, 0, np.minimum(away, _away(rows, new)))
    return centres


def _away(rows: Array, centres: Array) -> Array:
    return np.asarray(np.maximum(1 - (rows @ centres.T).max(axis=1), 0), np.float32)


def _unit(rows: Array) -> Array:
    """At length 1; what has none stays as it is, and is far from every centre."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
