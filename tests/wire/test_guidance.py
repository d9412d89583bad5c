import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.guidance import Polarity
from edge.errors import MalformedMessageError
from edge.wire.guidance import (
    MAX_COMMAND_BYTES,
    MAX_GUIDANCES,
    MAX_REASON,
    MAX_TEXT,
    Command,
    GuidanceState,
    Instruction,
    Refusal,
    Standing,
    Status,
    decode_guidance,
    decode_state,
    encode_state,
    sentence,
)

BICYCLE = {"text": "a person riding a bicycle", "polarity": "normal"}
SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]


def command(**said) -> Command:
    return decode_guidance(json.dumps(said).encode())


def add(**said) -> Instruction:
    return command(add=BICYCLE | said).add


def refused(payload: bytes) -> str:
    with pytest.raises(MalformedMessageError) as refusal:
        decode_guidance(payload)
    assert len(str(refusal.value)) <= MAX_REASON
    assert str(refusal.value).isprintable()
    return str(refusal.value)


def test_an_instruction_is_what_was_said_and_its_text_is_trimmed():
    said = add(text="  ein Kind auf dem Fahrrad\n", zones=["drive", SQUARE], hours=["22:00-06:00"])
    assert said.text == "ein Kind auf dem Fahrrad"
    assert (said.polarity, said.threshold, said.hours) == ("normal", None, ("22:00-06:00",))
    assert said.zones == ("drive", tuple(map(tuple, SQUARE)))


@pytest.mark.parametrize(
    "text", ["自転車に乗る人", "شخص يركب دراجة", "🚲", "человек на велосипеде", "a" * 500]
)
def test_a_text_may_be_of_any_script(text):
    assert add(text=text).text == text


def test_two_spellings_of_one_letter_are_one_text():
    assert add(text="cafe\u0301").id == add(text="caf\u00e9").id


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"text": ""}, "an empty text"),
        ({"text": " \t\n "}, "an empty text"),
        ({"text": "a" * 10_000}, "10000 characters: at most 500"),
        ({"text": "a\x07b"}, "control characters"),
        ({"text": "a\nb"}, "control characters or line breaks"),
        ({"text": "a\u2028b"}, "control characters or line breaks"),
        ({"text": 7}, "add.text"),
        ({"polarity": "odd"}, "'normal' or 'anomalous'"),
        ({"threshold": 2}, "add.threshold"),
        ({"threshold": "0.2"}, "add.threshold"),
        ({"treshold": 0.2}, "add.treshold"),
        ({"zones": ["a b"]}, "add.zones.0"),
        ({"zones": [[[0, 0], [1, 1]]]}, "add.zones.0"),
        ({"zones": [[[0, 0], [1, 1], [0, 300]]]}, "add.zones.0"),
        ({"zones": ["drive"] * 17}, "add.zones"),
        ({"hours": ["22-06"]}, "written as 22:00-06:00"),
        ({"hours": ["25:00-06:00"]}, "a day has"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(said, why):
    assert why in refused(json.dumps({"add": BICYCLE | said}).encode())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{}", "is needed"),
        (b'{"add": null}', "is needed"),
        (json.dumps({"add": BICYCLE, "remove": "0" * 16}).encode(), "is needed"),
        (b'{"remove": "all"}', "remove"),
        (json.dumps({"replace": [BICYCLE] * (MAX_GUIDANCES + 1)}).encode(), "replace"),
        (b"[]", "object"),
        (b"", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b'{"add": {"text": "\\ud800", "polarity": "normal"}}', "Invalid JSON"),
        (b"[" * 100_000, "recursion"),
        (b" " * (MAX_COMMAND_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_command_is_refused(payload, why):
    assert why in refused(payload)


def test_the_same_words_have_the_same_id_and_others_another():
    assert add().id == add(text=" a person riding a bicycle ").id
    changes = [{"text": "x"}, {"polarity": "anomalous"}, {"threshold": 0.2}, {"zones": ["a"]}]
    ids = {add(**change).id for change in [{}, *changes, {"hours": ["08:00-09:00"]}]}
    assert len(ids) == 6
    assert command(remove=add().id).remove == add().id


@given(st.text(max_size=MAX_TEXT + 20))
def test_a_sentence_is_fit_to_be_said_again(text):
    try:
        said = sentence(text)
    except ValueError:
        return
    assert sentence(said) == said
    assert 0 < len(said) <= MAX_TEXT


@given(
    st.lists(st.text("aä 自", min_size=1, max_size=9), max_size=4), st.none() | st.text(max_size=9)
)
def test_a_state_reads_what_it_says(texts, reason):
    said = [Instruction(text=t, polarity=Polarity.ANOMALOUS) for t in texts if t.strip()]
    state = GuidanceState(
        guidance=tuple(
            Standing(**each.model_dump(), id=each.id, since=1.5, status=Status.WAITING)
            for each in said
        ),
        refused=None if reason is None else Refusal(reason=reason, time=2.0),
    )
    assert decode_state(encode_state(state)) == state
