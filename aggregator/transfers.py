"""Blobs on their way: updates that are being fetched, and the model that is being asked for."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from edge.wire.fetch import Fetch
from edge.wire.rounds import Missing, UpdateOffer

MAX_ACTIVE = 16  # updates that are fetched at once; the others wait for their turn
GIVEN_UP_S = 60.0  # without a word of a participant: its turn is over, what came stays on the disk


@dataclass(slots=True)
class _Upload:
    offer: UpdateOffer
    fetch: Fetch
    heard_s: float  # when the participant was last heard of


class Uploads:
    """Updates on their way in, one of each participant; used by one thread.

    Pieces lie in the participant's own folder, so none can touch another's, and are there again
    after a kill: whoever offers its update again goes on where it was.
    """

    def __init__(self, directory: Path, *, max_active: int = MAX_ACTIVE) -> None:
        self._directory = directory
        self._max_active = max_active
        self._active: OrderedDict[str, _Upload] = OrderedDict()

    def __len__(self) -> int:
        return len(self._active)

    def offer(self, participant: str, offer: UpdateOffer, now_s: float) -> Missing | None:
        """Begin, or go on, to fetch an update; None: nothing to ask for now, or no turn yet."""
        upload = self._active.get(participant)
        if upload is not None and upload.offer != offer:
            self.end(participant)
            upload = None
        if upload is None:
            self._give_up(now_s)
            if len(self._active) >= self._max_active:
                return None  # it offers again
            fetch = Fetch(offer.blob, self._directory / participant)
            upload = self._active[participant] = _Upload(offer, fetch, now_s)
        upload.heard_s = now_s
        return upload.fetch.ask(now_s)

    def chunk(
        self, participant: str, blob: str, start: int, payload: bytes, now_s: float
    ) -> UpdateOffer | None:
        """Take a piece; the offer once it is complete; MalformedMessageError for no piece of it."""
        upload = self._active.get(participant)
        if upload is None or upload.offer.blob.id != blob:
            return None
        upload.heard_s = now_s
        return upload.offer if upload.fetch.add(start, payload, now_s) else None

    def payload(self, participant: str) -> bytes:
        """The complete update; MalformedMessageError where its hash is wrong."""
        return self._active[participant].fetch.payload()

    def is_complete(self, participant: str) -> bool:
        """Whether every byte is here."""
        upload = self._active.get(participant)
        return upload is not None and upload.fetch.complete

    def ask(self, now_s: float) -> list[tuple[str, Missing]]:
        """What to ask whom for now."""
        self._give_up(now_s)
        wanted = [(name, upload.fetch.ask(now_s)) for name, upload in self._active.items()]
        return [(name, missing) for name, missing in wanted if missing is not None]

    def end(self, participant: str) -> None:
        """The update was answered: its pieces are needed no more."""
        self._active.pop(participant, None)
        shutil.rmtree(self._directory / participant, ignore_errors=True)

    def _give_up(self, now_s: float) -> None:
        for name, upload in list(self._active.items()):
            if now_s - upload.heard_s > GIVEN_UP_S:
                del self._active[name]
