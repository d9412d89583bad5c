"""Sentences of hosts without a text tower, and what the aggregator answers."""

import numpy as np
import pytest

from aggregator.readers import Reader, open_words
from edge.errors import ConfigError, ModelError
from edge.wire.broker import Message
from edge.wire.words import Ask, WordTopics, decode_answer, encode
from tests.fakes.broker import FakeBroker
from tests.fakes.sentences import FakeWords, direction

TOPICS = WordTopics("site/vad")
VERSION = "0123456789ab"


class Counter:
    """A reader, and a host that asks it."""

    def __init__(self, words):
        self.broker = FakeBroker()
        self.broker.come()
        self.reader = Reader(words, self.broker, "site/vad")
        self.reader.listen()

    def ask(self, text, *, model=VERSION, host="door"):
        self.put(TOPICS.ask(host), encode(Ask(model=model, text=text)))

    def put(self, topic, payload):
        self.broker.publish(Message(topic, payload), lambda _: None)

    def answers(self, host="door"):
        self.reader.step(0.0)
        return [decode_answer(payload) for payload in self.broker.payloads(TOPICS.answer(host))]


def test_each_host_gets_the_embedding_of_its_sentence():
    counter = Counter(FakeWords())
    counter.ask("a bicycle")
    counter.ask("a dog", host="yard")
    (mine,), (theirs,) = counter.answers(), counter.answers("yard")
    assert (mine.model, mine.text, theirs.text) == (VERSION, "a bicycle", "a dog")
    np.testing.assert_array_equal(mine.vector, direction("a bicycle"))
    np.testing.assert_array_equal(theirs.vector, direction("a dog"))


def test_a_host_with_another_model_hears_which_one_is_read_here():
    counter = Counter(FakeWords())
    counter.ask("a bicycle", model="another")
    (told,) = counter.answers()
    assert told.vector is None
    assert told.model == "another"
    assert VERSION in told.refused
    assert "give both the same" in told.refused


def test_a_tower_that_fails_is_told_and_the_next_question_answered(monkeypatch):
    words = FakeWords()
    counter = Counter(words)
    read = words.read

    def fail(texts):
        if "cart" in texts[0]:
            raise ModelError("the tower does not run")
        return read(texts)

    monkeypatch.setattr(words, "read", fail)
    counter.ask("a cart")
    counter.ask("a dog")
    assert [told.refused for told in counter.answers()] == ["the tower does not run", None]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPICS.ask("door"), b"{"),
        (TOPICS.ask("door"), b'{"model": "m", "text": ""}'),
        (TOPICS.ask("door"), b"x" * 100_000),
        ("site/vad/a\nERROR b/words/ask", encode(Ask(model=VERSION, text="a dog"))),
    ],
)
def test_what_is_no_question_is_not_answered_and_forges_no_line_in_the_log(topic, payload, caplog):
    counter = Counter(FakeWords())
    counter.reader._hear(topic, payload)
    assert counter.answers() == []
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]


def test_what_is_answered_while_nobody_is_connected_is_asked_again():
    counter = Counter(FakeWords())
    counter.ask("a dog")
    counter.broker.go()
    assert counter.answers() == []
    counter.broker.come()
    assert len(counter.answers()) == 1  # it waited


def test_only_a_word_model_that_reads_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr("edge.model.words.load_words", lambda _: FakeWords(tower=False))
    with pytest.raises(ConfigError, match="has no text tower"):
        open_words(tmp_path)
    words = FakeWords()
    monkeypatch.setattr("edge.model.words.load_words", lambda _: words)
    assert open_words(tmp_path) is words
