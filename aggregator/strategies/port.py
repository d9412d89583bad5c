"""What the rest of the aggregator knows of a strategy.

::

    aggregation = strategy.begin(model, state)   # state: what the previous round's step returned
    for update in accepted:                      # screened; in any order
        aggregation.add(update, staleness=0)
    step = aggregation.finish()                  # step.model, step.state: to be committed together

Nothing is remembered outside the committed pair, so a round that died is simply begun again.

Where ``clusters`` tells of any, a member's update is relative to its cluster's model, and who is
in none is placed before it begins: ``state = strategy.place(model, state, {name: objects})``.

With secure aggregation the aggregator sees one sum alone. A strategy that does not ``sees_updates``
takes it as a single update: the mean that its ``weighting`` asks for, and the sum of the examples.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import ClassVar, Literal

from edge.domain.weights import Shapes, Shares, Weights, WeightUpdate
from edge.errors import ConfigError

Weighting = Literal["examples", "equal"]
NO_STATE: Weights = MappingProxyType({})
"""What a strategy remembers before the first round, and what many remember always."""


@dataclass(frozen=True, slots=True)
class LocalRule:
    """What a strategy asks of every participant's training; the fields' names are the wire's."""

    proximal: float = 0.0  # FedProx's mu: pull towards the round's model
    control_variates: bool = False  # SCAFFOLD: correct the drift, send ``control/<name>`` too
    keep_local: tuple[str, ...] = ()  # name patterns (fnmatch) of weights that stay on the host
    local_epochs: int = 0  # FedRep: first train the kept weights alone, for so many epochs
    head: tuple[str, ...] = ()  # FedPAC: of weights that are trained first, ``local_epochs`` long
    alignment: float = 0.0  # FedPAC's lambda: draw features to ``features/...``, and send one's own
    mixed: tuple[str, ...] = ()  # FedALA: of weights that begin between a host's own and ours
    mixing_rate: float = 1.0  # FedALA's eta
    mixing_share: float = 0.8  # FedALA's s: of the footage on which it is learnt how far between

    def shares(self, name: str) -> bool:
        """Whether a weight takes part in the federation."""
        return not any(fnmatchcase(name, pattern) for pattern in self.keep_local)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The end of a round: to be committed as one, or not at all."""

    model: Weights  # the next round's; every name of the last one
    state: Weights  # what the strategy must be given in the next round


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Participants that share a model of their own."""

    label: int  # the same from round to round
    model: Weights  # what its members are given
    members: tuple[str, ...]  # sorted
    objects: Shares | None  # (C,) mean of its members'; None: none of them said


class Aggregation(ABC):
    """One round's updates on their way into the next model."""

    @abstractmethod
    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        """Take a screened update; ``staleness`` counts the rounds since the model it began with.

        The update's arrays must not be changed before ``finish``.
        """

    @abstractmethod
    def finish(self) -> Step:
        """Combine; called once. ConfigError where there are fewer updates than it takes."""


class Strategy(ABC):
    """A way to combine updates; immutable. Subclasses are frozen dataclasses: fields = options."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def sees_updates(self) -> bool:
        """Whether it looks at single updates: cannot be combined with secure aggregation."""

    @property
    @abstractmethod
    def streaming(self) -> bool:
        """Whether memory is O(model): an update is forgotten once it was added."""

    @property
    def weighting(self) -> Weighting:
        """How much a participant counts: by its number of examples, or as everybody else."""
        return "equal"

    @property
    def local(self) -> LocalRule:
        """What participants must do."""
        return LocalRule()

    @property
    def clustering(self) -> bool:
        """Whether ``clusters`` may tell of any: then rounds are synchronous."""
        return False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the object classes whose shares participants are asked for; (): nothing is."""
        return ()

    @property
    def min_updates(self) -> int:
        """The fewest updates it can combine: no quorum may be lower."""
        return 1

    @abstractmethod
    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        """Start a round from the published model."""

    def published(self, model: Weights, state: Weights) -> Weights:
        """What participants must be given: the model, and what else the strategy tells them."""
        del state  # most strategies tell nothing more
        return model

    def clusters(self, model: Weights, state: Weights) -> tuple[Cluster, ...]:
        """Who is given another model than ``published``, by label; none in most strategies."""
        del model, state
        return ()

    def place(
        self, model: Weights, state: Weights, newcomers: Mapping[str, Shares | None]
    ) -> Weights:
        """The state after participants that are in no cluster have come, by what each sees."""
        del model, newcomers
        return state

    def retained(self, step: Step, participants: Collection[str]) -> Step:
        """``step`` as if there were these participants alone: whoever else it remembers has left.

        Not the same as silence, which changes nothing. Most strategies remember nobody.
        """
        del participants
        return step

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        """``step`` with models that were improved after it, by cluster; 0 where there are none.

        Names that an improved model lacks stay as they are.
        """
        return replace(step, model={**step.model, **models.get(0, {})})

    def expects(self, model: Weights) -> Shapes:
        """What an update must look like; ConfigError where ``keep_local`` fits not the model."""
        shapes = {name: array.shape for name, array in model.items() if self.local.shares(name)}
        if not shapes or (self.local.keep_local and len(shapes) == len(model)):
            patterns, what = ", ".join(self.local.keep_local), "none" if shapes else "all"
            raise ConfigError(
                f"strategy {self.name}: {what} of the model's weights fit the names that stay on "
                f"the host ({patterns}); the weights are {', '.join(sorted(model))}"
            )
        return shapes

    def require(self, count: int) -> None:
        """ConfigError where ``count`` updates are too few."""
        if count < self.min_updates:
            raise ConfigError(
                f"strategy {self.name} combines at least {self.min_updates} updates as configured, "
                f"and the round has {count}: raise the quorum, or change the strategy's options"
            )


def discount(staleness: int) -> float:
    """What a late delta is multiplied by, 1 / sqrt(1 + staleness): FedBuff, Nguyen et al. 2022."""
    return 1 / math.sqrt(1 + staleness)


def prefixed(prefix: str, weights: Weights) -> Mapping[str, tuple[int, ...]]:
    """Shapes of ``<prefix><name>`` for every name."""
    return {prefix + name: array.shape for name, array in weights.items()}
