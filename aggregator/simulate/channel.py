"""The way of an update from its participant into the strategy, with the code of the real one.

Lie, clip, add noise, compress, screen; or, under secure aggregation, clip, add noise, encode as
integers, mask, add up, unmask. Bytes are those of the payloads that would be published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aggregator.simulate.masked import masked_sum
from aggregator.simulate.poison import Poison
from aggregator.strategies.port import Strategy
from aggregator.strategies.screen import screen
from aggregator.unmasking import check_combination
from edge.domain.fixed_point import FixedPoint
from edge.domain.weights import Shapes, Shares, Weights, WeightUpdate
from edge.errors import MalformedMessageError
from edge.federation.feedback import ErrorFeedback
from edge.federation.noise import clipped, noised, noised_shares
from edge.wire.compression import decode_delta

MAX_EXAMPLES = 100_000  # under masks more count as so many


@dataclass(frozen=True, slots=True)
class Terms:
    """What is done to every update."""

    compression: str = "fp32"
    clip_norm: float | None = None  # None: neither clipped nor noised
    noise_multiplier: float = 0.0
    secure: bool = False
    poison: Poison | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """What the aggregator got of one participant, or of all of them as a sum."""

    bytes_up: int
    update: WeightUpdate | None  # None: nothing that it may combine
    refused: str = ""  # why not, and whose


class Channel:
    """Carries the updates of one run; equal seeds draw equal noise."""

    def __init__(
        self, terms: Terms, strategy: Strategy, participants: Sequence[str], seed: int
    ) -> None:
        """Raises ConfigError where masks hide what the strategy must see."""
        check_combination(
            strategy.name, strategy_sees_updates=strategy.sees_updates, secure=terms.secure
        )
        self._terms = terms
        self._strategy = strategy
        self._count = len(participants)
        self._generator = np.random.default_rng([seed, 3])
        poison = terms.poison
        self._liars = poison.liars(participants, seed) if poison else frozenset()
        self._feedback = {name: ErrorFeedback() for name in participants}
        self._said: dict[str, Shares] = {}  # noised once: the same again tells nothing more

    def deliver(self, updates: Iterable[WeightUpdate], shapes: Shapes) -> Iterator[Arrived]:
        """Carry a round's updates, one at a time; ``shapes`` is what an update must look like."""
        sent = (self._protected(self._told(update)) for update in updates)
        if self._terms.secure:
            together = list(sent)
            if len(together) > 1:  # of one alone the sum would be its update
                yield from self._summed(together, shapes)
            return
        for update in sent:
            yield self._sent(update, shapes)

    def released(self, participant: str, objects: Shares | None) -> Shares | None:
        """What a participant says of its objects, if anybody asks."""
        if objects is None or not self._strategy.classes:
            return None
        if participant not in self._said:
            noise = self._terms.noise_multiplier
            self._said[participant] = noised_shares(objects, noise, self._generator)
        return self._said[participant]

    def _told(self, update: WeightUpdate) -> WeightUpdate:
        if self._terms.poison is None or update.participant not in self._liars:
            return update
        return self._terms.poison.told(update, self._generator)

    def _protected(self, update: WeightUpdate) -> WeightUpdate:
        terms = self._terms
        update = replace(update, objects=self.released(update.participant, update.objects))
        if terms.clip_norm is None or not _is_finite(update.delta):  # a liar keeps no rule
            return update
        if terms.noise_multiplier == 0:
            return replace(update, delta=clipped(update.delta, terms.clip_norm))
        delta = noised(
            update.delta,
            clip_norm=terms.clip_norm,
            noise_multiplier=terms.noise_multiplier,
            generator=self._generator,
        )
        return replace(update, delta=delta)

    def _sent(self, update: WeightUpdate, shapes: Shapes) -> Arrived:
        size_bytes = 0
        try:
            # the honest encoder sends no such numbers: a liar has one of its own
            if _is_finite(update.delta):
                update, size_bytes = self._compressed(update, shapes)
            screen(update, shapes)
        except MalformedMessageError as error:
            return Arrived(size_bytes, None, str(error))
        return Arrived(size_bytes, update)

    def _compressed(self, update: WeightUpdate, shapes: Shapes) -> tuple[WeightUpdate, int]:
        """What the aggregator reads, and how many bytes it was."""
        feedback = self._feedback[update.participant]
        payload, rest = feedback.propose(update.delta, self._terms.compression)
        feedback.commit(rest)
        return replace(update, delta=decode_delta(payload, shapes)), len(payload)

    def _summed(self, updates: Sequence[WeightUpdate], shapes: Shapes) -> Iterator[Arrived]:
        """The sum as the one update that a strategy sees under masks."""
        examples = [
            1 if self._strategy.weighting == "equal" else update.num_examples for update in updates
        ]
        terms = self._terms
        scheme = FixedPoint.for_updates(
            clip_norm=terms.clip_norm or 1.0,
            noise_multiplier=terms.noise_multiplier,
            participants=self._count,
            max_examples=min(max(examples), MAX_EXAMPLES),
        )
        words = {
            update.participant: scheme.encode(update.delta, count)
            for update, count in zip(updates, examples, strict=True)
        }
        total, bytes_up = masked_sum(words)
        mean, num_examples = scheme.decode_mean(total, shapes)
        yield Arrived(bytes_up, WeightUpdate("everybody", updates[0].round, num_examples, mean))


def _is_finite(delta: Weights) -> bool:
    return all(np.isfinite(array).all() for array in delta.values())
