import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.alert import Event, Transition, TransitionKind
from edge.errors import MalformedMessageError
from edge.wire.events import MAX_EVENT_BYTES, decode_event, encode_event, event_json_schema
from tests.fakes.scores import event, story

times = st.floats(0, 4e9).map(lambda t: round(t, 6))
scores = st.floats(-10, 300).map(lambda s: round(s, 3))
sides = st.floats(-1000, 10_000).map(lambda x: round(x, 1))
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
events = st.builds(
    Event,
    id=names,
    camera=names,
    label=names,
    start_time_s=times,
    updated_time_s=times,
    end_time_s=st.none() | times,
    score=scores,
    top_score=scores,
    threshold=scores,
    box_xyxy=st.tuples(sides, sides, sides, sides),
    frame_size_px=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    track_ids=st.lists(st.integers(-1, 2**53), max_size=5).map(tuple),
    zones=st.lists(names, max_size=3).map(tuple),
    reason=names,
    snapshot=st.none() | names,
    model_version=names,
)
transitions = st.builds(
    Transition, kind=st.sampled_from(TransitionKind), before=events, after=events
)


@given(transitions, st.floats(-100, 1e9))
def test_what_is_sent_is_what_is_read(transition, age_s):
    assert decode_event(encode_event(transition, age_s=age_s)) == transition


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 4e9))
def test_rounding_happens_once(score, time_s):
    before = event(time_s, score=score)
    once = encode_event(Transition(TransitionKind.NEW, before, before), age_s=0)
    assert encode_event(decode_event(once), age_s=0) == once


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        decode_event(payload)


@given(st.data())
def test_a_message_with_one_field_spoilt_is_refused(data):
    message = json.loads(encode_event(story()[0], age_s=1.0))
    field = data.draw(st.sampled_from(sorted(set(message["after"]) - {"end_time", "snapshot"})))
    bad = data.draw(st.sampled_from([None, {}, {"a": 1}, [[1]], float("nan"), float("inf")]))
    message["after"][field] = bad
    with pytest.raises(MalformedMessageError):
        decode_event(json.dumps(message).encode())


@pytest.mark.parametrize(
    "payload",
    [b"[" * 50_000, b" " * (MAX_EVENT_BYTES + 1), b'{"type":"new"}', b"\xff", b"null"],
    ids=["deep", "long", "short", "no UTF-8", "null"],
)
def test_hostile_payloads_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        decode_event(payload)


def test_an_error_does_not_repeat_what_was_sent():
    with pytest.raises(MalformedMessageError) as raised:
        decode_event(b'{"type": "rtsp://user:secret@camera"}')
    assert "secret" not in str(raised.value)


def test_the_shape_is_that_of_frigate():
    message = json.loads(encode_event(story()[0], age_s=0.25))
    assert message["type"] == "new"
    assert message["before"] == message["after"]
    assert message["age"] == 0.25
    frigates = {"id", "camera", "frame_time", "label", "start_time", "end_time", "score"}
    frigates |= {"top_score", "box", "entered_zones", "has_snapshot"}
    assert frigates <= set(message["after"])


def test_a_clock_that_was_set_back_gives_no_negative_age():
    assert json.loads(encode_event(story()[0], age_s=-3.0))["age"] == 0


def test_no_number_that_json_does_not_know():
    broken = replace(story()[0], after=event(score=float("nan")))
    with pytest.raises(ValueError, match="finite"):
        encode_event(broken, age_s=0)


def test_every_field_is_in_the_schema():
    state = event_json_schema()["$defs"]["EventState"]["properties"]
    assert set(state) == set(json.loads(encode_event(story()[0], age_s=0))["after"])
