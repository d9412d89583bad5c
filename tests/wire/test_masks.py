import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from edge.wire.masks import (
    Keys,
    Masked,
    Passed,
    PublicKeys,
    Roster,
    Shares,
    Survivors,
    Unmask,
    decode_masked,
    encode_masked,
    least_threshold,
)
from edge.wire.rounds import decode_message

SESSION = "site.3.1"

names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
keys = st.binary(min_size=32, max_size=32)
public = st.builds(PublicKeys, mask_key=keys, share_key=keys)


def by_name(values, least):
    return st.dictionaries(names, values, min_size=least, max_size=5)


sealed = by_name(st.binary(min_size=82, max_size=82), 1)
shares = by_name(st.binary(min_size=33, max_size=33), 0)
sessions = st.from_regex(r"[A-Za-z0-9_-]{1,20}\.[1-9]{1,5}\.[1-9]", fullmatch=True)
messages = st.one_of(
    st.builds(Keys, session=sessions, public=public),
    st.builds(Roster, session=sessions, threshold=st.integers(2, 99), public=by_name(public, 2)),
    st.builds(Shares, session=sessions, commitment=keys, sealed=sealed),
    st.builds(Passed, session=sessions, sealed=sealed),
    st.builds(Survivors, session=sessions, participants=st.lists(names, min_size=2).map(tuple)),
    st.builds(Unmask, session=sessions, seed_shares=shares, key_shares=shares),
)


@given(messages)
def test_what_is_sent_is_what_is_read(message):
    assert decode_message(message.model_dump_json().encode(), type(message)) == message


@given(messages, st.data())
def test_a_message_that_was_cut_is_refused(message, data):
    payload = message.model_dump_json().encode()
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(MalformedMessageError):
        decode_message(payload[:cut], type(message))


def test_more_than_half():
    assert [least_threshold(count) for count in (2, 3, 4, 5, 100)] == [2, 2, 3, 3, 51]


@given(st.binary(max_size=300), st.sampled_from([Keys, Roster, Shares, Passed, Survivors, Unmask]))
def test_arbitrary_bytes_are_no_message(payload, of):
    with pytest.raises(MalformedMessageError):
        decode_message(payload, of)


@given(st.binary(max_size=60), st.integers(1, 12))
def test_masked_bytes_are_read_as_they_were_sent_or_refused(payload, size):
    try:
        masked = decode_masked(payload, size=size)
    except MalformedMessageError:
        return
    assert encode_masked(masked) == payload


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_masked_words_come_through(words):
    vector = np.array(words, np.uint32)
    back = decode_masked(encode_masked(Masked(SESSION, vector)), size=len(words))
    np.testing.assert_array_equal(back.words, vector)
    assert back.session == SESSION
