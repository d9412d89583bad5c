"""Sentences that redefine, while a camera runs, which actions are normal (SVAD, Eq. 10).

For an action feature F and the embedding of a sentence, s = cos(F, sentence). The paper moves the
score S of whoever has s > threshold by S_max γ (s - threshold) down or S_min θ (s - threshold) up,
with S_min and S_max of *the current video*. A stream has none, and a sentence must hold in all
terms of a camera: a cyclist is also fast. So here, in decades of surprise:

* **S_max, S_min** are decaying quantiles, 99 % and 1 %, of what this camera's tracks score.
* **Threshold.** Cosines of a sentence differ by model and sentence. Without a threshold of the
  operator's, a track must be more like the sentence than like 99 of 100 *rivals*: action prompts
  that mean something else. The prompt that is nearest to the sentence, and nearer than to any other
  prompt, says the same in other words and is none; the hundredth part is for still other words, of
  which a list of 400 actions has some.
* **Excess.** What exceeds the threshold, e, is measured in the spread (standard deviation) of the
  track's cosines to all prompts, which takes each model's scale out.
* **Normal**: S - max(S_max, L) min(γ e, 1), L being the loudest track of the frame: S_max of a
  stream that has never seen a cyclist is far below what the first one scores, and would leave most
  of it standing. So whatever clearly matches is silent, and what barely does keeps its level.
* **Anomalous**: S + S_max θ min(e, 1). S_min of a calibrated camera is near 0, and nothing would be
  added.

``Rule(published=True)`` is Eq. 10 as printed. Of sentences with the same text the newest counts,
wherever and whenever both hold: contradictions have an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats
from edge.domain.guidance import Corners, Hours, Polarity
from edge.scoring.quantiles import DecayingQuantiles

HIGH, LOW = 0.99, 0.01  # shares below S_max and S_min
LEAST_SPREAD = 1e-3  # of cosines: whatever differs by less is the same to a network of 32 bits

Mask: TypeAlias = npt.NDArray[np.bool_]
Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """One sentence, ready to be compared."""

    id: str
    text: str
    polarity: Polarity
    embedding: Floats  # (d,) L2-normalised
    threshold: float | None = None  # of the cosine; None: by its rivals
    zones: tuple[Corners, ...] = ()  # counts where the foot point is in one; none: everywhere
    hours: tuple[Hours, ...] = ()  # none: always


@dataclass(frozen=True, slots=True)
class Rule:
    """The constants of Eq. 10."""

    gamma: float = 2.0  # of normal sentences: half a spread above the threshold silences
    theta: float = 3.0  # of anomalous ones: a whole one adds six decades where S_max is calibrated
    published: bool = False  # S_max and S_min alone, and the excess as a plain cosine


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is followed, newest first."""

    guidances: tuple[Guidance, ...] = ()
    rivals: tuple[Places, ...] = ()  # of each, among the prompts

    def spoken(self, feet: Floats, time_s: float) -> Iterator[tuple[Guidance, Places, Mask]]:
        """Every sentence, its rivals, and of which of N foot points (N, 2) it speaks now, (N,).

        Where a newer one has the same text it does not.
        """
        free: dict[str, Mask] = {}  # by text: the points of which no newer one speaks
        for guidance, rivals in zip(self.guidances, self.rivals, strict=True):
            key = guidance.text.casefold()
            here = _holds(guidance, feet, time_s) & free.get(key, True)
            free[key] = ~here & free.get(key, True)
            yield guidance, rivals, here


class Guide:
    """Moves the levels of one camera's tracks as its operator said.

    One thread calls ``saw`` and ``change``; any may call ``follow``.
    """

    def __init__(self, prompts: Floats, *, rule: Rule = Rule()) -> None:
        """``prompts``: (P, d) embeddings of the action prompts, L2-normalised, P ≥ 1."""
        self._prompts = prompts
        self._nearest = nearest_of(prompts)
        self._rule = rule
        self._plan = _Plan()
        self._levels = DecayingQuantiles()
        self._loudest = 0.0

    def follow(self, guidances: Sequence[Guidance]) -> None:
        """Go by these, oldest first, instead of those before; counts from the next frame on."""
        newest_first = tuple(reversed(guidances))
        rivals = tuple(
            rivals_of(each.embedding, self._prompts, self._nearest) for each in newest_first
        )
        self._plan = _Plan(newest_first, rivals)

    def saw(self, levels: Floats) -> None:
        """Take in what N tracks score, (N,) decades, the loudest term of each, before any change.

        To be called in every frame, before ``change``.
        """
        self._levels.add(levels)
        self._loudest = float(levels.max(initial=0))

    def change(
        self, actions: Floats, boxes_xyxy: Boxes, *, time_s: float, width: int, height: int
    ) -> Floats:
        """Decades to add to every level that speaks of a track, (N,); a level ends at 0.

        ``actions``: (N, d) action features of N tracks, L2-normalised, with their boxes (N, 4) in
        pixels of a frame of ``width`` × ``height``. ``time_s`` are seconds since the epoch.
        """
        plan = self._plan
        change = np.zeros(len(actions), np.float32)
        if not len(actions) or not plan.guidances:
            return change
        responses = actions @ self._prompts.T  # (N, P)
        spread = np.maximum(responses.std(axis=1), LEAST_SPREAD)
        feet = _feet(boxes_xyxy, width, height)
        for guidance, rivals, here in plan.spoken(feet, time_s):
            excess = actions @ guidance.embedding - _least(guidance, responses[:, rivals])
            change += here * self._step(guidance.polarity, np.maximum(excess, 0), spread)
        return change

    def may_silence(self, boxes_xyxy: Boxes, *, time_s: float, width: int, height: int) -> Mask:
        """Where a normal sentence holds, of N boxes (N, 4) as in ``change``, (N,).

        It may speak of whoever is there, once it is known what that one does.
        """
        feet = _feet(boxes_xyxy, width, height)
        may = np.zeros(len(feet), np.bool_)
        for guidance, _, here in self._plan.spoken(feet, time_s):
            if guidance.polarity is Polarity.NORMAL:
                may |= here
        return may

    def _step(self, polarity: Polarity, excess: Floats, spread: Floats) -> Floats:
        """Decades by which N tracks move that exceed the threshold, (N,), (N,) → (N,)."""
        rule, is_normal = self._rule, polarity is Polarity.NORMAL
        s_max = self._levels.at(HIGH)
        if rule.published:
            step = -s_max * rule.gamma if is_normal else self._levels.at(LOW) * rule.theta
            return np.asarray(step * excess, np.float32)
        if is_normal:
            share = np.minimum(rule.gamma * excess / spread, 1)
            return np.asarray(-max(s_max, self._loudest) * share, np.float32)
        return np.asarray(s_max * rule.theta * np.minimum(excess / spread, 1), np.float32)


def nearest_of(prompts: Floats) -> Floats:
    """The cosine of each of P prompts (P, d) to its nearest neighbour, (P,)."""
    between = prompts @ prompts.T
    np.fill_diagonal(between, -1)
    return np.asarray(between.max(axis=1), np.float32)


def rivals_of(embedding: Floats, prompts: Floats, nearest: Floats) -> Places:
    """Which of P prompts (P, d) mean something else than a sentence (d,).

    All but the one that is most like the sentence, if no other prompt is as near to it, as
    ``nearest`` (P,) knows. A single prompt is a rival.
    """
    likeness = prompts @ embedding
    same = int(likeness.argmax())
    if len(prompts) == 1 or likeness[same] <= nearest[same]:
        return np.arange(len(prompts))
    return np.delete(np.arange(len(prompts)), same)


def _least(guidance: Guidance, responses: Floats) -> float | Floats:
    """The threshold: the operator's, or of each of N tracks by its R rivals, (N, R) → (N,)."""
    if guidance.threshold is not None:
        return guidance.threshold
    rank = responses.shape[1] - 1 - responses.shape[1] // 100
    return np.asarray(np.partition(responses, rank, axis=1)[:, rank], np.float32)


def _holds(guidance: Guidance, feet: Floats, time_s: float) -> Mask:
    """Of which of N foot points a sentence speaks at this moment, (N,)."""
    if guidance.hours and not any(hours.hold(time_s) for hours in guidance.hours):
        return np.zeros(len(feet), np.bool_)
    if not guidance.zones:
        return np.ones(len(feet), np.bool_)
    return np.asarray(np.any([_inside(feet, zone) for zone in guidance.zones], axis=0), np.bool_)


def _feet(boxes_xyxy: Boxes, width: int, height: int) -> Floats:
    """Middles of the lower edges, in fractions of the picture, (N, 2)."""
    middle = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2
    return np.stack([middle / width, boxes_xyxy[:, 3] / height], axis=1)


def _inside(points: Floats, corners: Corners) -> Mask:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times, (N,)."""
    x, y = points.T
    inside = np.zeros(len(points), np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y1 != y2:  # a level edge is never crossed
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return inside
