"""Who learns in a federation's rounds: local training on this host's own footage (torch).

What a strategy leaves on the host stays in its folder: weights that are not shared (FedBN, FedRep)
and SCAFFOLD's control variate. Everything else of a round is forgotten with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from edge.atomic import write_atomically
from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.federation.feedback import read_residual
from edge.federation.terms import Terms, terms_of
from edge.training.fit import Trained, train_locally
from edge.training.local_round import Own, local_round, starting_point, weights_alone
from edge.training.pseudo_labels import Gaussian
from edge.training.teaching import Teacher
from edge.wire.rounds import Announcement, Component
from edge.wire.weights import encode_weights

REFRESH_S = 3600.0  # after which the footage is read anew
KEPT, CONTROL_FILE = "kept.safetensors", "control.safetensors"


class HostTrainer:
    """Measures and trains as rounds ask; one call at a time does the work, others wait."""

    def __init__(
        self,
        participant: str,
        teach: Callable[[Terms], Teacher],
        *,
        folder: Path,
        should_stop: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``teach`` reads the footage; ``folder`` keeps what stays here from round to round."""
        self._participant = participant
        self._teach = teach
        self._folder = folder
        self._should_stop = should_stop
        self._now_s = now_s
        self._working = threading.Lock()
        self._teacher: Teacher | None = None
        self._taught_for: Terms | None = None
        self._taught_s = 0.0
        self._heard = False  # whether the teacher knows everybody's statistics

    def statistics(self, announcement: Announcement) -> Component | None:
        """Norms of our normal segments; None while there are too few."""
        with self._working:
            own = self._find_teacher(terms_of(announcement.settings)).statistics()
        if own is None:
            return None
        return Component(mean=own.mean, variance=own.variance, num_segments=own.num_segments)

    def train(self, announcement: Announcement, model: Weights) -> tuple[Weights, int]:
        """Delta from ``model`` after local training, and the number of examples ≥ 1.

        VadError where there is nothing to learn from, or training fails.
        """
        terms = terms_of(announcement.settings)
        own = Own(self._load(KEPT), self._load(CONTROL_FILE))
        with self._working:
            teacher = self._informed(terms, announcement)
            done = local_round(
                terms.spec,
                model,
                teacher.lesson(),
                terms.plan,
                own,
                seed=self._chance(announcement),
                control_variates=terms.control_variates,
                should_stop=self._should_stop,
            )
            teacher.review(terms.spec, done.trained.weights)
        self._save(KEPT, done.own.weights)
        self._save(CONTROL_FILE, done.own.control)
        return done.delta, done.trained.num_examples

    def personalised(self, announcement: Announcement, model: Weights) -> tuple[Terms, Trained]:
        """The federation's model as this host will use it: one more local epoch, cooling down."""
        terms = terms_of(announcement.settings)
        plan = replace(terms.plan, epochs=1, local_epochs=0, proximal=0.0, decay="cosine")
        start = starting_point(weights_alone(model), self._load(KEPT), terms.plan)
        with self._working:
            lesson = self._informed(terms, announcement).lesson()
            trained = train_locally(
                terms.spec,
                start,
                lesson,
                plan,
                seed=self._chance(announcement),
                should_stop=self._should_stop,
            )
        if not trained.complete:
            raise TrainingError("training was stopped before its end")
        return terms, trained

    def _chance(self, announcement: Announcement) -> int:
        """The seed of a round."""
        return crc32(f"{self._participant}/{announcement.round}".encode())

    def _informed(self, terms: Terms, announcement: Announcement) -> Teacher:
        """The teacher, who hears the statistics once: refined labels are not to be lost."""
        teacher = self._find_teacher(terms)
        if not self._heard:
            teacher.hear(_gaussians(announcement.mixture) or _own(teacher))
            self._heard = True
        return teacher

    def _find_teacher(self, terms: Terms) -> Teacher:
        asked = (terms.spec, terms.spec_versions)
        known = self._taught_for and (self._taught_for.spec, self._taught_for.spec_versions)
        old = self._now_s() - self._taught_s > REFRESH_S
        if self._teacher is None or old or asked != known:
            self._teacher = self._teach(terms)
            self._taught_for, self._taught_s, self._heard = terms, self._now_s(), False
        return self._teacher

    def _load(self, name: str) -> Weights:
        return read_residual(self._folder / name) or {}

    def _save(self, name: str, weights: Weights) -> None:
        if weights:
            write_atomically(self._folder / name, encode_weights(weights))


def _gaussians(mixture: Sequence[Component]) -> list[Gaussian]:
    return [Gaussian(each.mean, each.variance, each.num_segments) for each in mixture]


def _own(teacher: Teacher) -> list[Gaussian]:
    """Where nobody was asked: ourselves alone."""
    own = teacher.statistics()
    return [] if own is None else [own]
