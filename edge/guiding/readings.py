"""Embeddings of sentences: from the disk, by the host's own text tower, or by asking for them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.atomic import write_atomically
from edge.domain.boxes import Floats
from edge.errors import ModelError, StorageError
from edge.wire.words import Answer, Ask, bytes_of, vector_of

log = logging.getLogger(__name__)

ASK_EVERY_S = 15.0  # until somebody answers; a refusal is asked again, too: models are exchanged
SUFFIX = ".f32"


class Words(Protocol):
    """The word model of a host, as far as it concerns sentences."""

    @property
    def version(self) -> str:
        """Of the space of its embeddings."""

    @property
    def width(self) -> int:
        """Of an embedding."""

    def read(self, texts: Sequence[str]) -> Floats | None:
        """(T, width), L2-normalised; None: there is no text tower here."""


@dataclass(slots=True)
class _Wanted:
    """A sentence without an embedding."""

    due_s: float  # when to ask, by the tick
    reason: str = ""  # why it was refused, "" while nobody has answered


class Readings:
    """What the sentences in use mean to one word model; for one thread."""

    def __init__(
        self,
        words: Words,
        folder: Path,
        *,
        ask: Callable[[Ask], None],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        """``folder`` keeps the embeddings; ``ask`` sends a question, which may be lost."""
        self._words = words
        self._folder = folder
        self._ask = ask
        self._tick = tick
        self._known: dict[str, Floats] = {}
        self._wanted: dict[str, _Wanted] = {}

    def find(self, text: str) -> Floats | None:
        """The embedding (d,); None: it is asked for from now on."""
        if text not in self._known and text not in self._wanted:
            self._look_up(text)
        return self._known.get(text)

    def refusal(self, text: str) -> str:
        """Why a sentence has no embedding, in words; "" while it is waited for."""
        return self._wanted[text].reason if text in self._wanted else ""

    def ask(self) -> None:
        """Ask for what is due."""
        for text, wanted in self._wanted.items():
            if self._tick() >= wanted.due_s:
                wanted.due_s = self._tick() + ASK_EVERY_S
                self._ask(Ask(model=self._words.version, text=text))

    def hear(self, answer: Answer) -> bool:
        """Take an answer in; whether it changed anything."""
        wanted = self._wanted.get(answer.text)
        if wanted is None or answer.model != self._words.version:
            return False
        vector = answer.vector
        if vector is not None and vector.shape == (self._words.width,):
            self._learn(answer.text, vector)
            return True
        width = None if vector is None else len(vector)
        reason = answer.refused or f"answered with {width} numbers instead of {self._words.width}"
        changed, wanted.reason = reason != wanted.reason, reason
        return changed

    def retain(self, texts: Iterable[str]) -> None:
        """Forget, on the disk too, all sentences but these."""
        used = set(texts)
        self._known = {text: found for text, found in self._known.items() if text in used}
        self._wanted = {text: each for text, each in self._wanted.items() if text in used}
        files = {self._file(text) for text in used}
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path not in files:
                with suppress(OSError):  # one that stays is in nobody's way
                    path.unlink()

    def _look_up(self, text: str) -> None:
        kept = self._kept(text)
        if kept is not None:
            self._known[text] = kept
            return
        try:
            read = self._words.read([text])
        except ModelError as error:
            self._wanted[text] = _Wanted(self._tick(), str(error))
            return
        if read is None:
            self._wanted[text] = _Wanted(self._tick())
        else:
            self._learn(text, read[0])

    def _learn(self, text: str, vector: Floats) -> None:
        self._known[text] = vector
        self._wanted.pop(text, None)
        try:
            write_atomically(self._file(text), bytes_of(vector))
        except StorageError as error:  # it is asked for again after the next start
            log.error("%s", error)

    def _kept(self, text: str) -> Floats | None:
        try:
            vector = vector_of(self._file(text).read_bytes())
        except (OSError, ValueError):  # not there, or damaged: as good as never heard
            return None
        return vector if vector.shape == (self._words.width,) else None

    def _file(self, text: str) -> Path:
        """Another model's embedding of the same sentence is another file."""
        name = hashlib.sha256(f"{self._words.version}\n{text}".encode()).hexdigest()[:32]
        return self._folder / f"{name}{SUFFIX}"
