"""Strategies that leave a part of the model on each host: FedBN and FedRep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.options import Names
from aggregator.strategies.port import LocalRule

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
