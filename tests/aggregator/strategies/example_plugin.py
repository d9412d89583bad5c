"""A strategy of one's own: signSGD with majority vote (Bernstein et al. 2019, Algorithm 1).

Every participant has one vote on the direction of every weight; nobody's update weighs more for
being larger. Named ``tests.aggregator.strategies.example_plugin:MajorityVote`` in a configuration,
with the option ``step``. It streams: only the count of votes is kept, however many participants.
"""

from dataclasses import dataclass

import numpy as np

from aggregator.strategies.options import Positive
from aggregator.strategies.port import NO_STATE, Aggregation, Step, Strategy
from edge.domain.weights import Weights, WeightUpdate, added


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorityVote(Strategy):
    name = "majority_vote"
    step: Positive = 0.001  # how far a weight moves

    @property
    def sees_updates(self) -> bool:
        return True  # their signs: a sum of deltas does not tell them

    @property
    def streaming(self) -> bool:
        return True

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        return _Ballot(self, model, state)


class _Ballot(Aggregation):
    def __init__(self, strategy: MajorityVote, model: Weights, state: Weights) -> None:
        self._strategy, self._model, self._state = strategy, model, state
        self._votes = {name: np.zeros_like(array) for name, array in model.items()}
        self._count = 0

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        if staleness == 0:  # who is late has no vote
            self._count += 1
            for name, votes in self._votes.items():
                votes += np.sign(update.delta[name])

    def finish(self) -> Step:
        self._strategy.require(self._count)
        direction = {name: np.sign(votes) for name, votes in self._votes.items()}
        return Step(added(self._model, direction, self._strategy.step), self._state)
