"""Action features: what followed objects do, as a word model sees it in their crops.

Of each track the last embeddings are kept, at most ``EMBEDDINGS_HZ`` of them a second, and the word
model turns them into one vector F that lies beside the words for what is done (SVAD, Eqs. 1, 2).

An image network is dear and most pictures hold nothing new (``edge.features.track_crops``). What
there is to embed of all cameras is embedded in one batch, as far as the budget goes. Where the
network fails, actions are silent until it runs again, and whatever else is measured goes on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.features import Feature, Features, FeatureSpec
from edge.errors import ModelError
from edge.features.embedding import Picture
from edge.features.embedding_budget import EmbeddingBudget
from edge.features.track_crops import Looks, Ring, Seen, TrackCrops

log = logging.getLogger(__name__)

EMBEDDINGS_HZ = 4.0  # of one track: its nine crops cover two seconds
REVISION = 1  # to be raised with any change of what ``outlines`` or a model's ``prepare`` computes


class ActionModel(Protocol):
    """What turns crops into action features; see ``edge.model.words``."""

    @property
    def version(self) -> str:
        """Names these very graphs."""
        ...

    @property
    def frames(self) -> int:
        """n, crops of an object segment."""
        ...

    @property
    def width(self) -> int:
        """d, of an embedding and of an action feature."""
        ...

    def prepare(self, picture: Picture) -> Floats:
        """A picture of any size as one input, (3, H, W)."""
        ...

    def embed(self, prepared: Floats) -> Floats:
        """N prepared pictures, (N, 1, 3, H, W) → (N, d)."""
        ...

    def act(self, embeddings: Floats) -> Floats:
        """N object segments, (N, n, d) → action features (N, d), L2-normalised."""
        ...


def action_spec(model: ActionModel) -> FeatureSpec:
    """The group of this model's action features; another graph is another version."""
    features = tuple(Feature(f"action {k}", "") for k in range(model.width))
    return FeatureSpec(f"action by {model.version}", REVISION, features)


class ActionSight:
    """The action features of what some cameras follow. For one thread, but for ``looks``."""

    def __init__(
        self,
        model: ActionModel,
        *,
        embeddings_per_s: float = math.inf,
        embeddings_hz: float = EMBEDDINGS_HZ,
    ) -> None:
        """``embeddings_per_s`` of all cameras together, ``embeddings_hz`` of one track."""
        self.spec = action_spec(model)
        self.problem = ""  # why the model did not run in the latest frames, "" when it did
        self._model = model
        self._budget = EmbeddingBudget(embeddings_per_s)
        self._period_s = 1 / embeddings_hz
        self._views: dict[str, TrackCrops] = {}

    def look(self, seen: Sequence[Seen]) -> None:
        """Take the next frames of some cameras, at most one of each; embed what is due in them.

        Where the model fails that becomes the ``problem``, and nothing is known of these frames.
        """
        views = [self._view(each.frame.camera) for each in seen]
        due = [
            (view, ring, wish)
            for view, each in zip(views, seen, strict=True)
            for ring, wish in view.begin(each, self._period_s)
        ]
        now_s = max((each.frame.time_s for each in seen), default=-math.inf)
        chosen = self._budget.choose([wish for *_, wish in due], now_s)
        failed = self._try([due[k][:2] for k in chosen], views)
        for view in views:
            view.finish(failed=failed)

    def features(self, seen: Seen) -> Features:
        """One row for each track of a frame whose action is known, (N, d), in the tracks' order.

        ``look`` comes first where several cameras share this sight, else it is done here. Not to be
        heeded while there is a ``problem``: what was known before grows old.
        """
        view = self._view(seen.frame.camera)
        if view.frame is not seen.frame:
            self.look([seen])
        return view.features(self.spec)

    def heed(self, camera: str, levels: Mapping[int, float]) -> None:
        """How anomalous the tracks of a camera are, in decades: who comes first next time."""
        self._view(camera).levels = levels

    def looks(self, camera: str) -> Looks:
        """How often the network has looked for one camera; from any thread."""
        view = self._views.get(camera)
        return Looks() if view is None else view.looks

    def is_short(self, camera: str) -> bool:
        """Whether the budget has been too small for a camera for long; from any thread."""
        view = self._views.get(camera)
        return view is not None and view.is_short

    def _view(self, camera: str) -> TrackCrops:
        return self._views.setdefault(camera, TrackCrops(self._model.frames))

    def _try(self, chosen: Sequence[tuple[TrackCrops, Ring]], views: Sequence[TrackCrops]) -> bool:
        """Run the model on what is due; whether it failed."""
        try:
            ran = self._embed(chosen)
            ran |= self._act([ring for view in views for ring in view.rings if ring.is_new])
        except ModelError as error:  # may be over soon, as when memory was short
            if not self.problem:
                log.error("words are silent, actions cannot be seen: %s", error)
            self.problem = str(error)
            return True
        if ran:
            self.problem = ""
        return False

    def _embed(self, chosen: Sequence[tuple[TrackCrops, Ring]]) -> bool:
        """Whether there was anything to do, as ``_act``."""
        if not chosen:
            return False
        prepared = [self._model.prepare(view.crop(ring)) for view, ring in chosen]
        found = self._model.embed(np.stack(prepared)[:, None])
        self._budget.spend(len(chosen))
        for (view, ring), embedding in zip(chosen, found, strict=True):
            view.take(ring, embedding, self._period_s)
        return True

    def _act(self, rings: Sequence[Ring]) -> bool:
        if not rings:
            return False
        segments = np.stack([ring.segment(self._model.frames) for ring in rings])
        for ring, action in zip(rings, self._model.act(segments), strict=True):
            ring.action, ring.changed = action, False
        return True
