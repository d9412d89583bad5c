"""Blobs on their way: updates that are being fetched, and the model that is being asked for."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.wire.fetch import Fetch
from edge.wire.rounds import Missing, UpdateOffer

MAX_ACTIVE = 16  # updates that are fetched at once; the others wait for their turn
GIVEN_UP_S = 60.0  # without a new piece: the participant's turn is over, what came stays on disk
ABANDONED_S = 86_400.0  # after which pieces on the disk, that nobody goes on with, are deleted


@dataclass(slots=True)
class _Upload:
    offer: UpdateOffer
    fetch: Fetch
    moved_s: float  # when its last new piece came, or its turn began


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
        self._give_up(now_s)
        upload = self._active.get(participant)
        if upload is None or upload.offer != offer:
            if upload is None and len(self._active) >= self._max_active:
                return None  # it offers again
            limit_bytes = offer.blob.size_bytes  # whoever accepts the offer has judged it
            fetch = Fetch(offer.blob, self._directory / participant, limit_bytes=limit_bytes)
            began_s = now_s if upload is None else upload.moved_s  # no new turn by a new offer
            upload = self._active[participant] = _Upload(offer, fetch, began_s)
        return upload.fetch.ask(now_s)

    def chunk(
        self, participant: str, blob: str, start: int, payload: bytes, now_s: float
    ) -> UpdateOffer | None:
        """Take a piece; the offer once it is complete; MalformedMessageError for no piece of it."""
        upload = self._active.get(participant)
        if upload is None or upload.offer.blob.id != blob:
            return None
        if upload.fetch.add(start, payload, now_s):
            upload.moved_s = now_s
        return upload.offer if upload.fetch.complete else None

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

    def sweep(self, now_s: float) -> None:
        """Delete pieces that came long ago and that nobody goes on with."""
        for folder in self._directory.glob("*/"):
            if folder.name in self._active:
                continue
            with suppress(OSError):  # whatever it is, it is looked at again
                if now_s - _last_change_s(folder) > ABANDONED_S:
                    shutil.rmtree(folder)

    def _give_up(self, now_s: float) -> None:
        for name, upload in list(self._active.items()):
            if abs(now_s - upload.moved_s) > GIVEN_UP_S:  # the clock may be set back
                del self._active[name]


def _last_change_s(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
