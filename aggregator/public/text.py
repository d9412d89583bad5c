"""Text networks Ψ: what turns captions into vectors (FedVAD, Eq. 4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.domain.boxes import Floats
from edge.errors import ConfigError, ModelError
from edge.model.words import WordModel, load_words, normalised

HASHED_WIDTH = 256
WORD = re.compile(r"\w+")
KINDS = "hashed, words:FOLDER or transformers:MODEL"


class Texts(Protocol):
    """A frozen text network."""

    @property
    def identity(self) -> str:
        """Another one for whatever embeds otherwise."""
        ...

    @property
    def width(self) -> int:
        """Of an embedding, t."""
        ...

    def embed(self, texts: Sequence[str]) -> Floats:
        """T sentences, (T, t) float32 of length 1."""
        ...


class HashedWords:
    """A bag of hashed words and pairs of words: needs no weights, and knows no synonyms.

    What works without any download; a trained network knows that a man and a person are alike,
    this one does not. Signed feature hashing (Weinberger et al., ICML 2009). A text without a word
    is all 0.
    """

    def __init__(self, width: int = HASHED_WIDTH) -> None:
        self.width = width

    @property
    def identity(self) -> str:
        """See `Texts.identity`."""
        return f"hashed-1 {self.width}"

    def embed(self, texts: Sequence[str]) -> Floats:
        """See `Texts.embed`."""
        bags = np.zeros((len(texts), self.width), np.float32)
        for bag, text in zip(bags, texts, strict=True):
            words = WORD.findall(text.casefold())
            for term in (*words, *map(" ".join, pairwise(words))):
                # half a character of UTF-16 has no bytes of its own
                digest = hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=8).digest()
                number = int.from_bytes(digest, "little")
                bag[(number >> 1) % self.width] += 1 if number & 1 else -1
        return normalised(bags)


class WordTexts:
    """The text tower of a word model."""

    def __init__(self, model: WordModel) -> None:
        """Raises ModelError where it has none."""
        if not model.reads:
            raise ModelError(f"{model.spec.name}: a word model without a text tower reads nothing")
        self._model = model

    @property
    def identity(self) -> str:
        """See `Texts.identity`."""
        return f"words {self._model.spec.name} {self._model.version}"

    @property
    def width(self) -> int:
        """See `Texts.width`."""
        return self._model.width

    def embed(self, texts: Sequence[str]) -> Floats:
        """See `Texts.embed`."""
        found = self._model.read(texts)
        assert found is not None  # it reads
        return found


def open_texts(which: str) -> Texts:
    """The text network that a person has named, as ``KINDS``.

    Raises ConfigError where there is no such kind or a library is missing, ModelError where the
    network cannot be used.
    """
    kind, _, where = which.partition(":")
    if which == "hashed":
        return HashedWords()
    if kind == "words" and where:
        return WordTexts(load_words(Path(where)))
    if kind == "transformers" and where:
        # imported late: the rest of the program works without these libraries
        from aggregator.public.pretrained import PretrainedTexts

        return PretrainedTexts(where)
    raise ConfigError(f"texts {which!r}: name {KINDS}")
