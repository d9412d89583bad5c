import base64
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public.answers import MOST_CHARS, clean
from aggregator.public.asking import Asker, Budget, Exchanges, NonsenseError
from aggregator.public.captions import (
    ChatCaptioner,
    narrative,
    read_captions,
    written_caption,
)
from edge.errors import ConfigError, DatasetError
from tests.fakes.chat import Chat


def test_what_goes_on_unchanged_is_said_once():
    captions = ["a man walks", "a man walks.", "", "a man runs", "a man walks"]
    assert narrative(captions) == "a man walks. a man runs. a man walks."
    assert narrative(["", " \n"]) == ""


@given(texts=st.lists(st.text(st.characters()), max_size=5))
def test_a_narrative_is_one_bounded_line_whatever_was_said(texts):
    told = narrative([*texts, "x" * MOST_CHARS, "y"])
    assert len(told) <= MOST_CHARS
    assert told.isprintable()
    assert clean(told) == told


def picture(grey: int):
    return np.full((36, 64, 3), grey, np.uint8)


def test_a_chat_is_shown_each_picture_and_the_prompt(tmp_path):
    chat = Chat(lambda number, _: json.dumps({"description": f"picture\n{number}"}))
    asker = Asker(chat, Exchanges(tmp_path), Budget(9), sleep=lambda _: None)
    shown = [picture(10), picture(200)]
    assert ChatCaptioner(asker).caption(shown, "what?") == ["picture 0", "picture 1"]
    for (_, user), grey in zip(chat.asked, (10, 200), strict=True):
        text, image = user["content"]
        assert text == {"type": "text", "text": "what?"}
        kind, _, data = image["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        seen = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert abs(int(seen.mean()) - grey) < 5
    assert ChatCaptioner(asker).caption(shown, "what?") == ["picture 0", "picture 1"]
    assert len(chat.asked) == 2


@pytest.mark.parametrize("answer", [" ", "I cannot look at people.", '{"description": " "}'])
def test_a_chat_that_describes_nothing_is_not_asked_for_ever(tmp_path, answer):
    chat = Chat(lambda *_: answer)
    asker = Asker(chat, Exchanges(tmp_path), Budget(99), sleep=lambda _: None)
    with pytest.raises(NonsenseError):
        ChatCaptioner(asker).caption([picture(0)], "what?")
    assert len(chat.asked) == 4


def test_captions_come_from_a_list_or_from_beside_the_video(tmp_path):
    video = tmp_path / "a.mp4"
    assert written_caption(video, {}) == ""
    (tmp_path / "a.txt").write_text("a man\nwalks\n")
    assert written_caption(video, {}) == "a man walks"
    assert written_caption(video, {"a": "a  man runs"}) == "a man runs"


def test_text_that_is_none_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"a\.txt"):
        written_caption(tmp_path / "a.mp4", {})


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", r"captions\.json:1: "),
        (b'{"a": "a man runs",\n"b": }', r"captions\.json:2: column 6: .*mend it"),
        (b"[]", r"captions\.json: must be an object"),
        (b'{"a": "a man runs", "b": 1}', r"captions\.json: b: 1 is no caption"),
        (b'{"a": "\xff"}', r"captions\.json: no JSON"),
        (b"[" * 100_000, r"captions\.json: no JSON"),
    ],
)
def test_a_list_that_is_none_is_named_with_the_place(tmp_path, content, place):
    (tmp_path / "captions.json").write_bytes(content)
    with pytest.raises(ConfigError, match=place):
        read_captions(tmp_path / "captions.json")
