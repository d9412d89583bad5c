from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from edge.wire.envelope import Sequence
from edge.wire.letters import Letters, RepeatedMessageError

KEYS = {name: Ed25519PrivateKey.generate() for name in ("a", "b", "thief")}
PUBLIC = {name: KEYS[name].public_key() for name in ("a", "b")}


def letters(name: str, heard=None) -> Letters:
    return Letters(name, KEYS[name], PUBLIC, heard or {})


def test_what_was_sealed_is_opened_once_also_after_a_restart():
    sealed = letters("a").seal("t", "join", b"body")
    ours = letters("b")
    assert ours.open("t", sealed, sender="a", kind="join") == b"body"
    for again in (ours, letters("b", ours.heard())):
        with pytest.raises(RepeatedMessageError):
            again.open("t", sealed, sender="a", kind="join")


def test_what_is_retained_is_heard_again_but_nothing_older():
    theirs, ours = letters("a"), letters("b")
    old, new = (theirs.seal("t", "round", body) for body in (b"old", b"new"))
    for _ in range(2):
        assert ours.open("t", new, sender="a", kind="round", retained=True) == b"new"
    with pytest.raises(RepeatedMessageError):
        ours.open("t", old, sender="a", kind="round", retained=True)


def test_a_forgery_is_no_repetition():
    forged = Letters("a", KEYS["thief"], PUBLIC, {}).seal("t", "join", b"x")
    with pytest.raises(MalformedMessageError, match="signature") as caught:
        letters("b").open("t", forged, sender="a", kind="join")
    assert not isinstance(caught.value, RepeatedMessageError)


def test_a_message_counts_under_its_own_kind_alone():
    sealed = letters("a").seal("t", "join", b"x")
    with pytest.raises(MalformedMessageError, match="kind"):
        letters("b").open("t", sealed, sender="a", kind="update")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        letters("b").open("t", payload, sender="a", kind="join")


def test_who_restarts_with_a_clock_that_was_set_back_is_still_heard(monkeypatch):
    before, ours = letters("a"), letters("b")
    ours.open("t", before.seal("t", "join", b"1"), sender="a", kind="join")
    kept = before.heard()
    ours.open("t", before.seal("t", "join", b"2"), sender="a", kind="join")  # after the note
    monkeypatch.setattr("edge.wire.letters.Sequence", partial(Sequence, lambda: 10**9))
    after = Letters("a", KEYS["a"], PUBLIC, kept)
    assert ours.open("t", after.seal("t", "join", b"3"), sender="a", kind="join") == b"3"


def test_what_we_said_ourselves_is_no_correspondent():
    ours = letters("a")
    ours.seal("t", "join", b"1")
    assert letters("b", letters("a", ours.heard()).heard()).knows("a")
    assert ours.heard().keys() == {"a"}
