import ftfy
import open_clip
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge.errors import ModelError
from export.words.clip_tokens import convert

NAME = "ViT-B-32"
# what is not assigned yet belongs to other classes in other editions of Unicode
CHARACTERS = st.characters(exclude_categories=("Cn", "Cs", "Co"))


@pytest.fixture(scope="module")
def pair():
    tokenizer, length = convert(NAME)
    assert length == 77
    return tokenizer, open_clip.get_tokenizer(NAME)


def both(pair, text):
    ours, theirs = pair
    return ours.encode(text).ids, theirs([text])[0].tolist()


def needs_mending(text):
    """What ftfy and HTML make of it is open_clip's own; so is Greek's sigma at a word's end."""
    return ftfy.fix_text(text) != text or "&" in text or "Σ" in text


@given(st.text(CHARACTERS, max_size=40))
@example("a person riding a bicycle")
@example("")
@example("Don't  stop: you're I'LL 3rd")
@example("Ein Hund läuft über die Straße")
@example("走る人 и собака 🚲")
@example("x" * 300)
@example("a b " * 200)
def test_all_texts_that_need_no_mending_become_the_same_tokens(pair, text):
    assume(not needs_mending(text))
    ours, theirs = both(pair, text)
    assert ours == theirs


def test_curly_quotes_become_straight_ones(pair):
    ours, theirs = both(pair, "it’s “here”")
    assert ours == theirs


def test_marks_of_begin_and_end_in_a_text_are_only_text(pair):
    ours, theirs = both(pair, "<end_of_text> a person")
    assert ours.count(theirs[0]) == 1
    assert ours.count(ours[-1] or max(ours)) == 1


def test_a_network_with_another_tokenizer_is_refused():
    with pytest.raises(ModelError, match="tokenizer of its own"):
        convert("ViT-B-16-SigLIP")
