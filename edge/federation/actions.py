"""What a participant wishes to happen; the courier sees to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from edge.domain.weights import Weights
from edge.federation.desk import Work
from edge.wire.masks import Keys, Shares, Unmask
from edge.wire.rounds import Announcement, Join, Missing, Statistics, UpdateOffer

UpMessage: TypeAlias = Join | Statistics | UpdateOffer | Missing | Keys | Shares | Unmask


@dataclass(frozen=True, slots=True)
class Say:
    """Send this to the aggregator."""

    message: UpMessage


@dataclass(frozen=True, slots=True)
class SendChunks:
    """Send these bytes of our update."""

    work: Work
    missing: Missing


@dataclass(frozen=True, slots=True)
class Measure:
    """Ask the trainer for the norms of our normal segments; answer with ``measured``."""

    announcement: Announcement


@dataclass(frozen=True, slots=True, eq=False)
class Train:
    """Ask the trainer to train; answer with ``trained`` or ``failed``."""

    announcement: Announcement
    model: Weights


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A new model of the federation is here."""

    announcement: Announcement
    model: Weights


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear chunks of this cluster's model, and of no other; None: of the one model."""

    cluster: int | None


Action: TypeAlias = Say | SendChunks | Measure | Train | Received | Listen
