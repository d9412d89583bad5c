"""The updates of one round on their way into its result."""

from __future__ import annotations

import logging

import numpy as np

from aggregator.records import StoredPayload
from aggregator.strategies.port import Step, Strategy
from aggregator.strategies.screen import screen
from edge.domain.weights import Shapes, Shares, Weights, WeightUpdate
from edge.errors import ConfigError, MalformedMessageError
from edge.wire.compression import decode_delta

log = logging.getLogger(__name__)

_SLACK_BYTES = 64 * 1024  # of an update's headers, beyond its fp32 values
_FLOAT_BYTES = 4


class Count:
    """What was accepted in a round; each update is added once."""

    def __init__(self, strategy: Strategy, model: Weights, state: Weights, number: int) -> None:
        """``number``: of the round, which begins with this model and state."""
        self.expects: Shapes = strategy.expects(model)
        self.contributors: set[str] = set()
        self.num_updates = self.num_examples = 0
        self._strategy = strategy
        self._before = Step(model, state)
        self._number = number
        self._aggregation = strategy.begin(model, state)

    @property
    def limit_bytes(self) -> int:
        """An update of more is not fetched."""
        coordinates = sum(int(np.prod(shape)) for shape in self.expects.values())
        return _FLOAT_BYTES * coordinates + _SLACK_BYTES

    def decode(self, stored: StoredPayload, objects: Shares | None) -> WeightUpdate:
        """Parse untrusted bytes; MalformedMessageError, and ModelError where they are no update."""
        update = self._decoded(stored, objects)
        screen(update, self.expects)
        return update

    def recall(self, stored: StoredPayload, objects: Shares | None) -> None:
        """Add what was accepted before; ConfigError where it does not fit the strategy now."""
        try:
            self.add(self._decoded(stored, objects))
        except MalformedMessageError as error:
            raise ConfigError(
                f"the update of {stored.participant} that round {self._number} has accepted does "
                f"not fit strategy {self._strategy.name} ({error}): configure the former strategy "
                "until the round is over"
            ) from None

    def add(self, update: WeightUpdate) -> None:
        """Take one in."""
        self._aggregation.add(update, staleness=self._number - update.round)
        self.contributors.add(update.participant)
        self.num_updates += 1
        self.num_examples += update.num_examples

    def add_sum(self, mean: WeightUpdate, contributors: set[str]) -> None:
        """Take in what secure aggregation tells of all updates: their mean."""
        self.add(mean)
        self.contributors, self.num_updates = set(contributors), len(contributors)

    def finish(self) -> Step:
        """The round's result; called once. What is not finite leaves all as it was."""
        step = self._aggregation.finish()
        arrays = (*step.model.values(), *step.state.values())
        if all(np.isfinite(array).all() for array in arrays):
            return step
        log.error("round %d: the result is not finite; its updates are lost", self._number)
        return self._before

    def _decoded(self, stored: StoredPayload, objects: Shares | None) -> WeightUpdate:
        delta = decode_delta(stored.payload, self.expects)
        about = (stored.participant, stored.trained_on, stored.num_examples)
        return WeightUpdate(*about, delta, objects)
