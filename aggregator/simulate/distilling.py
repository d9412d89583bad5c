"""Distillation after a simulated round's averaging, in this process."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aggregator.distillation.improve import Improver
from aggregator.distillation.options import Ased
from aggregator.public.videos import PublicSet
from edge.domain.weights import Shares, Weights
from edge.model.spec import StudentSpec

log = logging.getLogger(__name__)


class Distiller:
    """Improves every cluster's model; equal arguments give equal weights."""

    def __init__(
        self, spec: StudentSpec, options: Ased, public: PublicSet, *, captions: bool, seed: int
    ) -> None:
        """Without ``captions`` the teacher sees and does not read: visual distillation."""
        self._improver = Improver(spec, options, public, captions=captions, seed=seed)

    def improve(
        self, clusters: Mapping[int, tuple[Weights, Shares | None]], round_number: int
    ) -> Mapping[int, Weights]:
        """Model and objects by label → the models after distillation.

        A model to whose objects no public video comes near stays as it is, and that is logged.
        """
        after: dict[int, Weights] = {}
        for done in self._improver.improved(clusters, round_number):
            if not done.videos:
                log.info("round %d: no public video is like cluster %d", round_number, done.label)
            after[done.label] = done.weights
        return after
