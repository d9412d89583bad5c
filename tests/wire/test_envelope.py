import json
from dataclasses import replace
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from edge.wire.envelope import (
    MAX_STREAMS,
    SIGNATURE_BYTES,
    Envelope,
    ReplayGuard,
    Sequence,
    open_sealed,
    seal,
)

TOPIC = "vad/fl/site/door/up/update"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"door": KEY.public_key(), "yard": Ed25519PrivateKey.generate().public_key()}
LIMIT = 1000
UPDATE = Envelope("door", "update", 7, 1.5, b"\x00weights\xff")

names = st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True)
envelopes = st.builds(
    Envelope,
    sender=st.just("door"),
    kind=names,
    sequence=st.integers(0, 2**64 - 1),
    time_s=st.floats(0, 4e9),
    body=st.binary(max_size=LIMIT),
)


def opened(payload: bytes, guard: ReplayGuard | None = None, **changes) -> Envelope:
    settings = {
        "topic": TOPIC,
        "sender": "door",
        "keys": KEYS,
        "guard": guard or ReplayGuard(),
        "limit_bytes": LIMIT,
    }
    return open_sealed(payload, **{**settings, **changes})


@given(envelopes)
def test_what_is_sealed_is_what_is_opened(envelope):
    assert opened(seal(envelope, KEY, topic=TOPIC)) == envelope


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        opened(payload)


@given(envelopes, st.data())
def test_any_changed_bit_is_refused(envelope, data):
    payload = bytearray(seal(envelope, KEY, topic=TOPIC))
    at = data.draw(st.integers(0, 8 * len(payload) - 1))
    payload[at // 8] ^= 1 << at % 8
    with pytest.raises(MalformedMessageError):
        opened(bytes(payload))


@given(envelopes, st.data())
def test_truncated_and_extended_messages_are_refused(envelope, data):
    payload = seal(envelope, KEY, topic=TOPIC)
    cut = data.draw(st.integers(0, len(payload) - 1))
    for wrong in (payload[:cut], payload + b"\0", b"\0" + payload):
        with pytest.raises(MalformedMessageError):
            opened(wrong)


def test_a_sender_may_not_speak_on_the_topic_of_another():
    with pytest.raises(MalformedMessageError, match="door on a topic of yard"):
        opened(seal(UPDATE, KEY, topic=TOPIC), sender="yard")


def test_what_was_signed_for_one_topic_says_nothing_on_another():
    with pytest.raises(MalformedMessageError, match="another topic"):
        opened(seal(UPDATE, KEY, topic="vad/fl/elsewhere/door/up/update"))


def test_unknown_senders_and_foreign_keys_are_refused():
    payload = seal(UPDATE, KEY, topic=TOPIC)
    with pytest.raises(MalformedMessageError, match="not registered"):
        opened(payload, keys={})
    with pytest.raises(MalformedMessageError, match="not by its registered key"):
        opened(payload, keys={"door": KEYS["yard"]})


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not():
    payload = seal(replace(UPDATE, body=bytes(LIMIT)), KEY, topic=TOPIC)
    assert len(opened(payload).body) == LIMIT
    with pytest.raises(MalformedMessageError, match="at most 999"):
        opened(payload, limit_bytes=LIMIT - 1)


def test_the_header_is_small():
    overhead = len(seal(UPDATE, KEY, topic=TOPIC)) - len(UPDATE.body)
    assert overhead == 26 + len("door") + len("update") + SIGNATURE_BYTES


def test_names_that_are_none_are_not_sealed():
    for wrong in (replace(UPDATE, sender=""), replace(UPDATE, kind="a/b")):
        with pytest.raises(ValueError, match="no name"):
            seal(wrong, KEY, topic=TOPIC)


@given(st.lists(st.integers(0, 50), min_size=1))
def test_each_message_is_admitted_once_and_in_order(sequences):
    guard, admitted = ReplayGuard(), []
    for sequence in sequences:
        try:
            guard.admit(replace(UPDATE, sequence=sequence))
            admitted.append(sequence)
        except MalformedMessageError:
            assert sequence <= admitted[-1]
    assert admitted == sorted(set(admitted))
    assert max(sequences) in admitted


def test_a_replay_is_refused_also_after_a_restart():
    payload = seal(UPDATE, KEY, topic=TOPIC)
    guard = ReplayGuard()
    opened(payload, guard)
    kept = json.dumps(guard.state())
    for guards in (guard, ReplayGuard(json.loads(kept))):
        with pytest.raises(MalformedMessageError, match="sequence 7 after 7"):
            opened(payload, guards)


def test_a_false_signature_does_not_shut_out_the_true_sender():
    guard = ReplayGuard()
    forged = seal(replace(UPDATE, sequence=2**60), Ed25519PrivateKey.generate(), topic=TOPIC)
    with pytest.raises(MalformedMessageError):
        opened(forged, guard)
    assert opened(seal(UPDATE, KEY, topic=TOPIC), guard) == UPDATE


def test_a_retained_message_is_welcome_at_every_subscription_until_a_newer_one_came():
    guard = ReplayGuard()
    old = seal(UPDATE, KEY, topic=TOPIC)
    new = seal(replace(UPDATE, sequence=8), KEY, topic=TOPIC)
    for payload in (old, old, new, new):
        opened(payload, guard, retained=True)
    with pytest.raises(MalformedMessageError):
        opened(old, guard, retained=True)


def test_kinds_are_counted_apart_and_bounded():
    guard = ReplayGuard()
    for number in range(MAX_STREAMS):
        guard.admit(replace(UPDATE, kind=f"k{number}", sequence=100 - number))
    with pytest.raises(MalformedMessageError, match="more than"):
        guard.admit(replace(UPDATE, kind="one-more"))


@given(st.lists(st.integers(0, 2**63), min_size=1))
def test_sequences_rise_whatever_the_clock_does(clock_ns):
    ticks = iter(clock_ns)
    numbers = Sequence(lambda: next(ticks))
    drawn = [numbers.next() for _ in clock_ns]
    assert all(b > a for a, b in pairwise(drawn))
    assert all(number >= ns for number, ns in zip(drawn, clock_ns, strict=True))
