"""Who is in which cluster of the running round, and what everybody sees.

The strategy decides, once a round; who comes later is placed by what it sees, beside those with
whom the round began. Placements are in the store before they are announced; all of a round's are
made together, anew with every newcomer as by a new process: where somebody is placed depends on
nobody who comes after it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from aggregator.models import Models, models_of
from aggregator.store import Store
from aggregator.strategies.port import Strategy
from edge.domain.weights import Shares, Weights
from edge.wire.rounds import MAX_MEMBERS

log = logging.getLogger(__name__)


class Membership:
    """Of one round at a time; used by one thread."""

    def __init__(self, store: Store, strategy: Strategy) -> None:
        """Nobody is in a round before the first ``begin``."""
        self._store = store
        self._strategy = strategy
        self._classes = len(strategy.classes)
        self._objects: dict[str, Shares] = {}
        self._newcomers: dict[str, Shares | None] = {}

    def begin(self, model: Weights, state: Weights) -> None:
        """A round with this model and this state of the strategy.

        What was heard of objects before the operator changed the classes is left out.
        """
        strategy = self._strategy
        heard = self._store.objects().items()
        self._objects = {name: seen for name, seen in heard if len(seen) == self._classes}
        self._began = state
        self.model, self.state = model, placed(self._store, strategy, model, state)
        clusters = strategy.clusters(model, self.state)
        self.models: Models = models_of(strategy.published(model, self.state), clusters)
        self._newcomers.clear()

    def objects_of(self, participant: str) -> Shares | None:
        """(C,) what it sees; None: it did not say."""
        return self._objects.get(participant)

    def hear(self, participant: str, objects: Sequence[float]) -> str | None:
        """What a participant sees, and that it wants a place if it has none; or why not."""
        if len(objects) not in (0, self._classes):
            return f"shares of {len(objects)} classes of objects: {self._classes} are asked for"
        if objects:
            self._note(participant, np.array(objects, np.float32))
        if self.models.given_to(participant) is None:
            return self._queue(participant)
        return None

    def place_newcomers(self) -> bool:
        """Place everybody who has asked for it; whether anybody has."""
        if not self._newcomers:
            return False
        self._store.place(self._newcomers)
        self.state = placed(self._store, self._strategy, self.model, self._began)
        log.info("placed in clusters: %s", ", ".join(self._newcomers))
        self._newcomers.clear()
        self.models = self.models.with_clusters(self._strategy.clusters(self.model, self.state))
        return True

    def _note(self, participant: str, objects: Shares) -> None:
        objects /= objects.sum()
        before = self._objects.get(participant)
        if before is None or not np.array_equal(before, objects):
            self._store.save_objects(participant, objects)
            self._objects[participant] = objects

    def _queue(self, participant: str) -> str | None:
        members = sum(len(notice.members) for notice in self.models.notices)
        if members + len(self._newcomers.keys() - {participant}) >= MAX_MEMBERS:
            return f"clusters take at most {MAX_MEMBERS} participants"
        self._newcomers[participant] = self.objects_of(participant)
        return None


def placed(store: Store, strategy: Strategy, model: Weights, began: Weights) -> Weights:
    """The state ``began`` of the strategy with all who have come since the running round began.

    Shares that they said before the operator changed the classes are left out.
    """
    newcomers: dict[str, Shares | None] = {}
    for participant, objects in store.placements():
        fits = objects is not None and len(objects) == len(strategy.classes)
        newcomers[participant] = objects if fits else None
    return strategy.place(model, began, newcomers)
