"""The federation's model on its way to this host."""

from __future__ import annotations

import logging

from edge.domain.weights import Weights
from edge.errors import MalformedMessageError
from edge.federation.desk import Desk
from edge.wire.fetch import Fetch
from edge.wire.rounds import Blob, Missing

log = logging.getLogger(__name__)


class ModelFetch:
    """One model at a time: from the disk, or piece by piece from the aggregator."""

    def __init__(self, desk: Desk) -> None:
        self.model: Weights | None = None  # the wanted one, once it is here
        self._desk = desk
        self._wanted: Blob | None = None
        self._fetch: Fetch | None = None

    def want(self, blob: Blob) -> None:
        """What is announced; nothing changes where it is wanted already."""
        if self._wanted is None or blob.id != self._wanted.id:
            self.model, self._fetch = None, None
        self._wanted = blob

    def seek(self, now_s: float) -> Missing | None:
        """Take the wanted model from the disk, or say what to ask for now.

        MalformedMessageError where it is larger than any model may be.
        """
        assert self._wanted is not None
        if self._fetch is None:
            self.model = self._desk.model(self._wanted.id)
            if self.model is not None:
                return None
            self._fetch = self._desk.begin_fetch(self._wanted)
        missing = self._fetch.ask(now_s)
        if self._fetch.complete:
            self._unwrap(self._fetch)
        return missing

    def add(self, blob: str, offset: int, payload: bytes, now_s: float) -> bool:
        """Take a piece; whether it is one of the wanted model."""
        if self._fetch is None or self._fetch.blob.id != blob:
            return False
        try:
            self._fetch.add(offset, payload, now_s)
        except MalformedMessageError as error:
            log.warning("a chunk of the model is not taken: %s", error)
        return True

    def quiet(self) -> None:
        """What was asked for will not come: the connection broke."""
        if self._fetch is not None:
            self._fetch.quiet()

    def _unwrap(self, fetch: Fetch) -> None:
        self._fetch = None  # whatever is in it: fetched again if it is no model
        try:
            self.model = self._desk.keep_model(fetch)
        except MalformedMessageError as error:
            log.error("the announced model cannot be used: %s; it is fetched again", error)
