import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, MalformedMessageError
from edge.wire.words import (
    MAX_WIDTH,
    Answer,
    Ask,
    WordTopics,
    answer,
    bytes_of,
    decode_answer,
    decode_ask,
    encode,
    refusal,
)

ASK = Ask(model="0123456789ab", text="ein Kind auf dem Fahrrad 🚲")
TOPICS = WordTopics("site/vad")


def direction(width: int, seed: int = 0) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=width)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@given(st.integers(1, 700), st.integers(0, 100))
def test_an_embedding_arrives_as_it_was_sent(width, seed):
    given = direction(width, seed)
    told = decode_answer(encode(answer(decode_ask(encode(ASK)), given)))
    assert (told.model, told.text, told.refused) == (ASK.model, ASK.text, None)
    np.testing.assert_array_equal(told.vector, given)


def test_a_refusal_says_why():
    told = decode_answer(encode(refusal(ASK, "another\nmodel")))
    assert (told.vector, told.refused) == (None, "another model")


@pytest.mark.parametrize(
    "embedding",
    [
        b"",
        b"abc",
        bytes(16),
        bytes_of(2 * direction(4)),
        bytes_of(np.array([np.nan, 1], np.float32)),
        bytes_of(np.array([np.inf, 1], np.float32)),
        bytes_of(np.full(4, 3e38, np.float32)),
        bytes_of(direction(MAX_WIDTH + 1)),
    ],
)
def test_what_is_no_direction_is_no_answer(embedding):
    said = Answer.model_construct(model=ASK.model, text=ASK.text, embedding=embedding)
    with pytest.raises(MalformedMessageError):
        decode_answer(said.model_dump_json(exclude_none=True).encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"model": "m", "text": "a"}',
        b'{"model": "m", "text": "a", "embedding": "AACAPw==", "refused": "no"}',
        b'{"model": "m m", "text": "a", "refused": "no"}',
        b'{"model": "m", "text": "", "refused": "no"}',
        b'{"model": "m", "text": "a", "refused": "no", "more": 1}',
        b" " * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(payload):
    with pytest.raises(MalformedMessageError):
        decode_answer(payload)


def test_every_host_has_its_topics_and_a_question_names_its_host():
    assert TOPICS.ask("door") == "site/vad/door/words/ask"
    assert TOPICS.answer("door") == "site/vad/door/words/answer"
    assert TOPICS.asker(TOPICS.ask("door")) == "door"


@pytest.mark.parametrize(
    "topic",
    [
        "site/vad/door/words/answer",
        "vad/door/words/ask",
        "site/vad/a/b/words/ask",
        "site/vad/a b/words/ask",
        "x",
        "",
    ],
)
def test_a_question_elsewhere_is_none(topic):
    with pytest.raises(MalformedMessageError):
        TOPICS.asker(topic)


def test_names_that_would_open_other_topics_are_refused():
    for name in ("a/b", "+", "#", ""):
        with pytest.raises(ConfigError):
            TOPICS.answer(name)
