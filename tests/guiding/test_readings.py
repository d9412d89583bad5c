import numpy as np
import pytest

from edge.errors import ModelError
from edge.guiding import readings as module
from edge.guiding.readings import ASK_EVERY_S, Readings
from edge.wire.words import Answer, Ask, answer, bytes_of, refusal
from tests.fakes.sentences import WIDTH, FakeWords, direction

BICYCLE, DOG = "a bicycle", "a dog"


class Bench:
    """Readings on a clock of their own, and what they asked."""

    def __init__(self, folder, words):
        self.now_s = 0.0
        self.asked: list[Ask] = []
        self.readings = Readings(words, folder, ask=self.asked.append, tick=lambda: self.now_s)

    def ask(self, after_s=0.0):
        self.now_s += after_s
        self.readings.ask()
        return len(self.asked)


@pytest.fixture
def make(tmp_path):
    return lambda words=None: Bench(tmp_path / "words", words or FakeWords(tower=False))


def test_a_host_with_a_text_tower_asks_nobody_and_reads_each_sentence_once(make):
    words = FakeWords()
    bench = make(words)
    for _ in range(3):
        np.testing.assert_array_equal(bench.readings.find(BICYCLE), direction(BICYCLE))
        assert bench.ask(ASK_EVERY_S) == 0
    assert make(words).readings.find(BICYCLE) is not None
    assert words.asked == [BICYCLE]


def test_without_a_tower_it_asks_until_somebody_answers(make):
    bench = make()
    assert bench.ask() == 0
    assert bench.readings.find(BICYCLE) is None
    assert bench.ask() == bench.ask() == 1
    assert bench.ask(ASK_EVERY_S) == 2
    assert bench.asked[0] == Ask(model="0123456789ab", text=BICYCLE)
    assert bench.readings.refusal(BICYCLE) == ""
    assert bench.readings.hear(answer(bench.asked[0], direction(BICYCLE)))
    assert not bench.readings.hear(answer(bench.asked[0], direction(DOG)))  # once is enough
    np.testing.assert_array_equal(bench.readings.find(BICYCLE), direction(BICYCLE))
    assert bench.ask(ASK_EVERY_S) == 2


def test_what_was_answered_outlives_the_process_and_belongs_to_one_model(make):
    bench = make()
    bench.readings.find(BICYCLE)
    bench.readings.hear(answer(Ask(model="0123456789ab", text=BICYCLE), direction(BICYCLE)))
    np.testing.assert_array_equal(make().readings.find(BICYCLE), direction(BICYCLE))
    assert make(FakeWords(version="other", tower=False)).readings.find(BICYCLE) is None


@pytest.mark.parametrize(
    "given",
    [
        answer(Ask(model="another", text=BICYCLE), direction(BICYCLE)),
        answer(Ask(model="0123456789ab", text=DOG), direction(DOG)),
        refusal(Ask(model="another", text=BICYCLE), "no"),
    ],
)
def test_an_answer_to_another_question_changes_nothing(make, given):
    bench = make()
    bench.readings.find(BICYCLE)
    assert not bench.readings.hear(given)
    assert bench.readings.find(BICYCLE) is None
    assert bench.readings.refusal(BICYCLE) == ""


def test_an_embedding_of_another_width_is_refused_and_asked_for_again(make):
    bench = make()
    bench.readings.find(BICYCLE)
    narrow = Answer(
        model="0123456789ab", text=BICYCLE, embedding=bytes_of(np.array([1.0], np.float32))
    )
    assert bench.readings.hear(narrow)
    assert bench.readings.refusal(BICYCLE) == f"answered with 1 numbers instead of {WIDTH}"
    assert bench.ask(ASK_EVERY_S) == 1
    assert not bench.readings.hear(narrow)  # nothing new
    assert bench.readings.hear(answer(bench.asked[0], direction(BICYCLE)))
    assert bench.readings.refusal(BICYCLE) == ""


def test_a_refusal_is_told_and_asked_again(make):
    bench = make()
    bench.readings.find(BICYCLE)
    bench.ask()
    assert bench.readings.hear(refusal(bench.asked[0], "other model"))
    assert bench.readings.refusal(BICYCLE) == "other model"
    assert bench.ask(ASK_EVERY_S) == 2


def test_a_tower_that_fails_is_told(make, monkeypatch):
    words = FakeWords()
    bench = make(words)

    def fail(_texts):
        raise ModelError("the tower does not run")

    monkeypatch.setattr(words, "read", fail)
    assert bench.readings.find(BICYCLE) is None
    assert bench.readings.refusal(BICYCLE) == "the tower does not run"


def test_sentences_that_nobody_uses_are_forgotten(make, tmp_path):
    words = FakeWords()
    bench = make(words)
    for text in (BICYCLE, DOG):
        bench.readings.find(text)
    assert len(list((tmp_path / "words").iterdir())) == 2
    bench.readings.retain([DOG])
    assert len(list((tmp_path / "words").iterdir())) == 1
    bench.readings.find(DOG)
    bench.readings.find(BICYCLE)
    assert words.asked == [BICYCLE, DOG, BICYCLE]
    waiting = make()
    waiting.readings.find("a cart")
    waiting.readings.retain([])
    assert waiting.ask(ASK_EVERY_S) == 0


@pytest.mark.parametrize("content", [b"", b"abc", bytes(4 * WIDTH), bytes_of(np.ones(1, "f4"))])
def test_a_damaged_file_is_as_good_as_none(make, tmp_path, content):
    make(FakeWords()).readings.find(BICYCLE)
    (path,) = (tmp_path / "words").iterdir()
    path.write_bytes(content)
    np.testing.assert_array_equal(make(FakeWords()).readings.find(BICYCLE), direction(BICYCLE))
    assert path.read_bytes() == bytes_of(direction(BICYCLE))


def test_a_full_disk_keeps_nobody_from_being_guided(make, monkeypatch, caplog):
    def refuse(path, _content):
        raise module.StorageError(f"{path}: no room")

    monkeypatch.setattr(module, "write_atomically", refuse)
    assert make(FakeWords()).readings.find(BICYCLE) is not None
    assert "no room" in caplog.text
