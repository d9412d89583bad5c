"""Distillation for all clusters of a round: select, ask a teacher, teach each cluster's model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.distillation.distil import distil, lecture
from aggregator.distillation.memory import InMemory, Memory, fingerprint_of
from aggregator.distillation.options import Ased
from aggregator.distillation.selection import select
from aggregator.distillation.teaching import Knowledge, teach
from aggregator.public.videos import PublicSet, PublicVideo
from edge.domain.weights import Shares, Weights
from edge.model.spec import StudentSpec


@dataclass(frozen=True, slots=True, eq=False)
class Improved:
    """What became of one cluster's model."""

    label: int
    weights: Weights  # as they came where no video was selected
    videos: int  # selected
    distance: float  # to the teacher's Z, see ``Distilled``; NaN where no video was selected
    loss: float  # the student's own; NaN where nothing is known of the videos

    @property
    def text(self) -> str:
        """For a person."""
        if not self.videos:
            return f"cluster {self.label}: no public video is like it, its model stays as it is"
        return (
            f"cluster {self.label}: {self.videos} public videos, distance to the teacher "
            f"{self.distance:.3f}, own loss {self.loss:.3f}"
        )

    def as_json(self) -> dict[str, int | float | None]:
        """Plain figures; what is not defined is null."""
        figures = {"distance": self.distance, "loss": self.loss}
        defined = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        return {"label": self.label, "videos": self.videos, **defined}


class Improver:
    """Teaches clusters round after round; a selection that comes again keeps its teacher."""

    def __init__(
        self,
        spec: StudentSpec,
        options: Ased,
        public: PublicSet,
        *,
        captions: bool,
        seed: int,
        memory: Memory | None = None,
    ) -> None:
        """``captions``: the teacher reads; without, it is the paper's visual distillation.

        ``memory`` keeps what teachers say; by default as long as this object lives.
        """
        self._spec, self._options, self._public = spec, options, public
        self._captions, self._seed = captions, seed
        self._memory = memory or InMemory()

    def improved(
        self, clusters: Mapping[int, tuple[Weights, Shares | None]], round_number: int
    ) -> Iterator[Improved]:
        """Model and objects of each cluster by label → the same, taught, one after another."""
        for label, (weights, objects) in sorted(clusters.items()):
            videos = select(self._public.videos, objects, threshold=self._options.threshold)
            if not videos:
                yield Improved(label, weights, 0, math.nan, math.nan)
                continue
            heard = lecture(self._spec, videos, self._ask(videos), self._options.sequence)
            seed = np.random.SeedSequence([self._seed, round_number, label]).generate_state(1)
            done = distil(self._spec, weights, heard, self._options, seed=int(seed[0]))
            yield Improved(label, done.weights, len(videos), done.distance, done.loss)

    def _ask(self, videos: Sequence[PublicVideo]) -> Knowledge:
        """The knowledge of the one teacher of a selection."""
        options = self._options.teacher
        task = fingerprint_of(videos, options, captions=self._captions, seed=self._seed)
        known = self._memory.find(task)
        if known is None:
            known = teach(videos, options, captions=self._captions, seed=self._seed)
            self._memory.keep(task, known)
        return known
