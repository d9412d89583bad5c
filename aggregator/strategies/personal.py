"""Strategies that leave to each host a part of the model, or how much of it to take."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.options import Names, Positive, Share
from aggregator.strategies.port import LocalRule
from edge.domain.weights import Shapes, Weights
from edge.errors import ConfigError

NORMALISATION = ("*norm*", "*block.before.*", "*block.between.*")  # the students' layer norms
HEAD = ("fc4.*", "detector.fc3.*")  # the students' last layers


@dataclass(frozen=True, slots=True, kw_only=True)
class FedBN(FedAvg):
    """FedAvg without the normalisation layers (Li et al. 2021): cameras differ in scale and offset.

    The paper has batch normalisation; the students' layer normalisation has the same two vectors.
    """

    name = "fedbn"
    names: Names = NORMALISATION

    @property
    def local(self) -> LocalRule:
        """Normalisation stays."""
        return LocalRule(keep_local=self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedRep(FedAvg):
    """A common representation under a head of one's own (Collins et al. 2021, Algorithm 1).

    Participants train the head for ``head_epochs``, then the rest with the head held still.
    """

    name = "fedrep"
    names: Names = HEAD
    head_epochs: Annotated[int, Field(ge=1)] = 10

    @property
    def local(self) -> LocalRule:
        """The head stays."""
        return LocalRule(keep_local=self.names, local_epochs=self.head_epochs)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedALA(FedAvg):
    """FedAvg whose hosts learn how much of it to take over (Zhang et al. 2023, Algorithm 1).

    Weight by weight of the upper layers a host begins between its own and everybody's, wherever the
    loss on its own footage is least. As in the paper's experiments that is the last layer.
    """

    name = "fedala"
    names: Names = HEAD
    mixing_rate: Positive = 1.0  # η
    mixing_share: Share = 0.8  # s

    @property
    def local(self) -> LocalRule:
        """The upper layers are mixed."""
        return LocalRule(
            mixed=self.names, mixing_rate=self.mixing_rate, mixing_share=self.mixing_share
        )

    def expects(self, model: Weights) -> Shapes:
        """Every weight; ConfigError where none is of the upper layers."""
        if not any(fnmatchcase(name, pattern) for name in model for pattern in self.names):
            raise ConfigError(
                f"strategy fedala: none of the model's weights fit the names of its upper layers "
                f"({', '.join(self.names)}); the weights are {', '.join(sorted(model))}"
            )
        return FedAvg.expects(self, model)
