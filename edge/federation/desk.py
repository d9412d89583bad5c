"""What a participant keeps on its disk between one message and the next.

::

    desk.json         rounds that are done with, and the update that waits for its answer
    model/<sha256>    the federation's model, complete; older ones are deleted
    fetch/            the pieces of a model that is not complete yet
    work/<id>         bytes of the update that waits
    work/<id>.rest    what its compression left out, for the next update (error feedback)
    words/<round>     under secure aggregation: the round's update before its masks
    rest              the same of the last update that was accepted
    rest.noised       the same where the update carried noise: the one must never follow the other,
                      or what noise should have hidden would leave after all
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from edge.atomic import write_atomically
from edge.domain.fixed_point import Words
from edge.domain.weights import Weights
from edge.errors import StorageError
from edge.federation.feedback import read_residual
from edge.federation.packing import Packed
from edge.wire.chunks import blob_of
from edge.wire.fetch import Fetch
from edge.wire.letters import Sequences
from edge.wire.rounds import Announcement, Blob, Privacy, UpdateOffer
from edge.wire.weights import decode_weights, encode_weights

log = logging.getLogger(__name__)

MAX_MODEL_BYTES = 256 * 2**20  # students have a few megabytes; nothing announced takes more room
_KEPT_REST = ("rest", "rest.noised")


@dataclass(frozen=True, slots=True)
class Work:
    """A computed update that the aggregator has not answered."""

    offer: UpdateOffer
    path: Path  # of its bytes


class _Notes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run: str = ""  # of the aggregator, that the rest is about
    done: int = 0  # the newest round that nothing is left to do in
    offer: UpdateOffer | None = None
    rest: bool = False  # the compression of the offered update left something out
    noised: bool = False  # the offered update carries noise
    heard: dict[str, dict[str, int]] = {}


class Desk:
    """One participant's folder; used by one thread."""

    def __init__(self, folder: Path) -> None:
        """Open or create; StorageError where it holds notes that do not parse."""
        self._folder = folder
        self._notes = self._read()

    @property
    def done(self) -> int:
        """The newest round that nothing is left to do in; 0: none yet."""
        return self._notes.done

    @property
    def work(self) -> Work | None:
        """The update that waits for its answer."""
        offer = self._notes.offer
        return None if offer is None else Work(offer, self._work(offer.update))

    @property
    def heard(self) -> Sequences:
        """What was heard of the aggregator last, against replays."""
        return self._notes.heard

    def remember(self, heard: Sequences) -> None:
        """Keep what was heard."""
        if heard != self._notes.heard:
            self._write(heard={sender: dict(kinds) for sender, kinds in heard.items()})

    def turn_to(self, run: str, number: int) -> None:
        """What is announced; forget all where the aggregator has not come from where we left it.

        It has begun anew, or was restored from a backup: what was done there was not done.
        """
        offer = self._notes.offer
        newest = max(self.done, 0 if offer is None else offer.round)
        if run == self._notes.run and number >= newest:
            return
        if newest:
            log.warning("the aggregator has begun again, at round %d: so do we", number)
        for name in ("work", "words"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        for name in _KEPT_REST:
            (self._folder / name).unlink(missing_ok=True)
        done = number - 1 if run == self._notes.run else 0
        self._write(run=run, done=done, offer=None)  # last: whoever is killed before begins again

    def take_on(self, task: Announcement, num_examples: int, packed: Packed) -> None:
        """Keep a computed update until ``finish``; StorageError where it cannot be kept."""
        name = f"{task.round}-{secrets.token_hex(8)}"
        write_atomically(self._work(name), packed.payload)
        if packed.rest is not None:
            write_atomically(self._rest(name), encode_weights(packed.rest))
        offer = UpdateOffer(
            round=task.round,
            update=name,
            fingerprint=task.fingerprint,
            num_examples=num_examples,
            blob=blob_of(packed.payload),
        )
        noised = _is_noised(task.settings.privacy)
        self._write(offer=offer, rest=packed.rest is not None, noised=noised)

    def finish(self, *, accepted: bool) -> None:
        """The update was answered: forget it; what it left out counts if it was accepted."""
        offer = self._notes.offer
        assert offer is not None
        if accepted:
            self._keep_rest(self._rest(offer.update))
        self._write(done=max(self.done, offer.round), offer=None)
        shutil.rmtree(self._folder / "work", ignore_errors=True)

    def keep_words(self, number: int, words: Words) -> None:
        """Keep a round's update as it is before any masks: a failed session is begun again."""
        folder = self._folder / "words"
        write_atomically(folder / str(number), words.astype("<u4").tobytes())
        for old in folder.iterdir():
            if old.name != str(number):
                old.unlink()

    def has_words(self, number: int) -> bool:
        """Whether ``words`` are there."""
        return (self._folder / "words" / str(number)).exists()

    def words(self, number: int) -> Words:
        """What ``keep_words`` kept."""
        payload = (self._folder / "words" / str(number)).read_bytes()
        return np.frombuffer(payload, "<u4").astype(np.uint32)

    def residual(self, privacy: Privacy | None) -> Weights | None:
        """What compression has left out so far, of updates that were as private as this one."""
        return read_residual(self._kept_rest(noised=_is_noised(privacy)))

    def model(self, blob_id: str) -> Weights | None:
        """The model with this hash, if it is here and whole; StorageError if it cannot be read."""
        path = self._folder / "model" / blob_id
        try:
            payload = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
        if hashlib.sha256(payload).hexdigest() != blob_id:
            log.warning("%s is damaged: fetched again", path)
            return None
        return decode_weights(payload)

    def begin_fetch(self, blob: Blob) -> Fetch:
        """Where a model is put together; what came before a kill is there again.

        MalformedMessageError for one beyond ``MAX_MODEL_BYTES``.
        """
        return Fetch(blob, self._folder / "fetch", limit_bytes=MAX_MODEL_BYTES)

    def keep_model(self, fetch: Fetch) -> Weights:
        """The complete model, now also on the disk; MalformedMessageError where it is none."""
        payload = fetch.payload()
        fetch.discard()
        weights = decode_weights(payload)
        folder = self._folder / "model"
        write_atomically(folder / fetch.blob.id, payload)
        for old in folder.iterdir():
            if old.name != fetch.blob.id:
                old.unlink()
        return weights

    def _keep_rest(self, candidate: Path) -> None:
        """What the accepted update left out takes the place of what those before it did."""
        kept = self._kept_rest(noised=self._notes.noised)
        if not self._notes.rest:
            kept.unlink(missing_ok=True)
        elif candidate.exists():  # else: we were killed after this very step
            candidate.replace(kept)

    def _kept_rest(self, *, noised: bool) -> Path:
        return self._folder / _KEPT_REST[noised]

    def _work(self, name: str) -> Path:
        return self._folder / "work" / name

    def _rest(self, name: str) -> Path:
        return self._folder / "work" / f"{name}.rest"

    def _read(self) -> _Notes:
        path = self._folder / "desk.json"
        try:
            return _Notes.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return _Notes()
        except (OSError, ValidationError) as error:
            raise StorageError(
                f"{path} cannot be read ({error}): delete it; the round in progress is then "
                "trained anew"
            ) from None

    def _write(self, **news: Any) -> None:
        notes = self._notes.model_copy(update=news)
        write_atomically(self._folder / "desk.json", notes.model_dump_json().encode())
        self._notes = notes


def _is_noised(privacy: Privacy | None) -> bool:
    return privacy is not None and privacy.noise_multiplier > 0
