"""How a host without a text tower has a sentence embedded: by whoever answers on the broker.

=============================  ========  ====================================================
topic                          retained  payload
=============================  ========  ====================================================
``<p>/<host>/words/ask``       no        ``Ask``: the word model's version and one sentence
``<p>/<host>/words/answer``    no        ``Answer``: the embedding, or why there is none
=============================  ========  ====================================================

JSON in UTF-8. All that leaves a host in this way is a sentence that its ``guidance/state`` shows
as well. Who may ask and who may answer is the broker's access list's business, as it is for
``guidance/set``. A question that nobody answers is asked again; an answer may come twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.domain.boxes import Floats
from edge.errors import ConfigError, MalformedMessageError
from edge.wire.guidance import MAX_REASON, Sentence, line, parse
from edge.wire.topics import check_id

MAX_WIDTH = 8192  # of an embedding
FLOAT_BYTES = 4
MAX_ASK_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
LENGTH_TOLERANCE = 1e-3  # of an embedding from 1

_Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class _Words(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Ask(_Words):
    """Please embed."""

    model: _Version = Field(description="of the word model whose space is wanted")
    text: Sentence


class Answer(_Words):
    """One of ``embedding`` and ``refused``."""

    model: _Version
    text: Sentence
    embedding: bytes | None = Field(
        default=None,
        max_length=FLOAT_BYTES * MAX_WIDTH,
        description="float32, little-endian, of length 1, in URL-safe base64",
    )
    refused: str | None = Field(default=None, max_length=MAX_REASON)

    @model_validator(mode="after")
    def _one(self) -> Answer:
        if (self.embedding is None) == (self.refused is None):
            raise ValueError('one of "embedding" and "refused" is needed')
        if self.embedding is not None:
            vector_of(self.embedding)
        return self

    @property
    def vector(self) -> Floats | None:
        """The embedding (d,); None where it was refused."""
        return None if self.embedding is None else vector_of(self.embedding)


def vector_of(embedding: bytes) -> Floats:
    """(d,) from its bytes; ValueError where they are no direction."""
    if not embedding or len(embedding) % FLOAT_BYTES:
        raise ValueError(f"an embedding of {len(embedding)} bytes: no float32")
    vector = np.frombuffer(embedding, "<f4").astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is no length of 1
        length = float(np.linalg.norm(vector))
    if not abs(length - 1) <= LENGTH_TOLERANCE:
        raise ValueError(f"an embedding of length {length:.3g}, not 1")
    return vector


def bytes_of(vector: Floats) -> bytes:
    """The other way round."""
    return vector.astype("<f4").tobytes()


def answer(ask: Ask, vector: Floats) -> Answer:
    """The embedding (d,), L2-normalised, of what was asked."""
    return Answer(model=ask.model, text=ask.text, embedding=bytes_of(vector))


def refusal(ask: Ask, reason: str) -> Answer:
    """Why there is none."""
    return Answer(model=ask.model, text=ask.text, refused=line(reason))


def encode(message: Ask | Answer) -> bytes:
    """As JSON."""
    return message.model_dump_json(exclude_none=True).encode()


def decode_ask(payload: bytes) -> Ask:
    """Parse untrusted bytes; MalformedMessageError where they are no question."""
    return parse(payload, Ask, limit_bytes=MAX_ASK_BYTES)


def decode_answer(payload: bytes) -> Answer:
    """Parse untrusted bytes; MalformedMessageError where they are no answer."""
    return parse(payload, Answer, limit_bytes=MAX_ANSWER_BYTES)


@dataclass(frozen=True, slots=True)
class WordTopics:
    """Where questions and answers are, of all hosts of a prefix."""

    prefix: str  # "vad", "site/vad"

    @property
    def every_ask(self) -> str:
        """Filter of all questions."""
        return f"{self.prefix}/+/words/ask"

    @property
    def every_answer(self) -> str:
        """Filter of all answers."""
        return f"{self.prefix}/+/words/answer"

    def ask(self, host: str) -> str:
        """The questions of one host."""
        return f"{self.prefix}/{check_id(host, 'host')}/words/ask"

    def answer(self, host: str) -> str:
        """The answers to one host."""
        return f"{self.prefix}/{check_id(host, 'host')}/words/answer"

    def asker(self, topic: str) -> str:
        """The host of a question's topic; MalformedMessageError where it is none."""
        host = topic.removeprefix(f"{self.prefix}/").removesuffix("/words/ask")
        try:
            if topic == self.ask(host):
                return host
        except ConfigError:  # no name at all
            pass
        raise MalformedMessageError(f"{topic}: no topic of a question")
