import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.words.tiny.acts import ACTS
from export.words.tiny.captions import UNSEEN, caption, split, stranger, title, words
from export.words.tiny.sentences import UNKNOWN, make_tokenizer
from export.words.tiny.towers import LONGEST


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@given(act=st.sampled_from(ACTS), seed=st.integers(0, 10_000))
def test_every_caption_is_made_of_known_words(tokenizer, act, seed):
    rng = np.random.default_rng(seed)
    for text in (caption(act, rng), stranger(rng)):
        assert UNKNOWN not in tokenizer.encode(text).ids
        assert set(split(text)) <= set(words())


@pytest.mark.parametrize("act", ACTS)
def test_captions_are_many_and_none_is_kept_for_judging(act):
    rng = np.random.default_rng(0)
    drawn = {caption(act, rng) for _ in range(2000)}
    assert len(drawn) > 200
    assert not drawn & set(UNSEEN[act])


def test_acts_have_different_titles():
    assert len({title(act) for act in ACTS}) == len(ACTS)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_any_text_becomes_the_same_number_of_tokens(tokenizer, text):
    found = tokenizer.encode(text).ids
    assert len(found) == LONGEST
    assert max(found) < tokenizer.get_vocab_size()


def test_case_and_accents_do_not_count(tokenizer):
    assert tokenizer.encode("A PERSÖN").ids == tokenizer.encode("a person").ids
