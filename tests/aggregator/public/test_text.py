import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public.text import HashedWords, WordTexts, open_texts
from edge.errors import ConfigError, ModelError
from tests.fakes.word_models import tiny_words

SENTENCE = "a person walking on the street"


@given(texts=st.lists(st.text(), max_size=4))
def test_hashed_words_have_length_one_unless_there_is_no_word(texts):
    found = HashedWords(width=64).embed(texts)
    lengths = np.linalg.norm(found, axis=1)
    assert found.shape == (len(texts), 64)
    assert found.dtype == np.float32
    assert all(np.isclose(length, 1, atol=1e-5) or length == 0 for length in lengths)


def test_hashed_words_hear_words_and_their_order_but_no_dots():
    same, other, turned, far = (
        HashedWords().embed(
            ["A PERSON, walking.", "a person running", "walking person a", "cars collide and burn"]
        )
        @ HashedWords().embed(["a person walking"])[0]
    )
    assert same == pytest.approx(1, abs=1e-6)
    assert far < other < same
    assert turned < same


def test_hashed_words_are_the_same_in_every_process():
    """Python's own hash is salted: what was embedded yesterday would be something else today."""
    found = HashedWords(width=8).embed(["a person walking"])[0]
    signs = np.sign(found).astype(int).tolist()
    assert signs == [-1, -1, 0, 0, 1, 1, 0, 1]


def test_a_word_model_reads(tmp_path):
    model = tiny_words(tmp_path / "words")
    texts = open_texts(f"words:{tmp_path / 'words'}")
    wanted = model.read([SENTENCE, "a car"])
    assert np.array_equal(texts.embed([SENTENCE, "a car"]), wanted)
    assert texts.width == wanted.shape[1]
    assert model.version in texts.identity


def test_a_word_model_without_a_text_tower_is_refused(tmp_path):
    with pytest.raises(ModelError, match="text tower"):
        WordTexts(tiny_words(tmp_path / "words", tower=False))


@pytest.mark.parametrize("which", ["", "bert", "words", "words:", "transformers:", "openai:x"])
def test_only_known_networks_are_opened(which):
    with pytest.raises(ConfigError, match="hashed"):
        open_texts(which)
