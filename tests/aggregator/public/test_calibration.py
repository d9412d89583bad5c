import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public import prompts
from aggregator.public.asking import Asker, Budget, Exchanges, NonsenseError
from aggregator.public.calibration import Calibrated, Calibrator
from aggregator.public.labels import Label
from aggregator.public.prompts import CATEGORIES
from aggregator.public.videos import NORMAL
from tests.fakes.chat import Chat, in_turn

TOLD = "A man walks. A man lies on the ground."
KNOWN = (NORMAL, *CATEGORIES)


def calibrator(chat: Chat, folder, **options) -> Calibrator:
    asker = Asker(chat, Exchanges(folder), Budget(999), sleep=lambda _: None)
    return Calibrator(asker, CATEGORIES, **options)


def sorted_into(category: str) -> str:
    return json.dumps({"abnormal": category != NORMAL, "category": category})


def described(text: str) -> str:
    return json.dumps({"description": text})


def reading(chat_says) -> Chat:
    """Sorts by ``chat_says`` of the narrative; mends by adding a word."""

    def answer(_, messages):
        told = json.loads(messages[1]["content"])["narrative"]
        if "sort" in messages[0]["content"]:
            return sorted_into(chat_says(told))
        return described(f"{told} again")

    return Chat(answer)


@given(
    label=st.sampled_from([Label(), Label(True), Label(False, NORMAL), Label(True, "arson")]),
    categories=st.lists(st.sampled_from(KNOWN), min_size=5, max_size=5),
    most=st.integers(0, 4),
)
def test_it_describes_again_until_it_agrees_or_the_rounds_are_over(
    tmp_path_factory, label, categories, most
):
    chat = reading(lambda told: categories[told.count("again")])
    folder = tmp_path_factory.mktemp("exchanges")
    found = calibrator(chat, folder, most_rounds=most).calibrate(TOLD, label)
    agreeing = [label.agrees(category) for category in categories[: most + 1]]
    rounds = agreeing.index(True) if any(agreeing) else most
    assert found == Calibrated(
        caption=TOLD + " again" * rounds,
        category=categories[rounds],
        rounds=rounds,
        contradicts=not any(agreeing),
    )
    assert len(chat.asked) == 2 * rounds + 1


def test_a_video_without_a_label_keeps_its_category_and_its_caption(tmp_path):
    found = calibrator(in_turn(sorted_into("arson")), tmp_path).calibrate(TOLD, Label())
    assert found == Calibrated(TOLD, "arson", 0, contradicts=False)


def test_it_is_described_in_the_words_of_the_category_that_the_label_names(tmp_path):
    for label, category in ((Label(True, "arson"), "arson"), (Label(True), prompts.ABNORMAL)):
        chat = in_turn(sorted_into(NORMAL), described("fire"), sorted_into("arson"))
        calibrator(chat, tmp_path / category).calibrate(TOLD, label)
        assert chat.asked[1][0]["content"] == prompts.describe(category, CATEGORIES)


NONSENSE = [
    "",
    "arson",
    '{"category": "dancing", "abnormal": true}',
    '{"category": "arson"}',
    '{"category": "arson", "abnormal": false}',
    '{"category": "normal", "abnormal": true}',
    '{"category": ["arson", "abuse"], "abnormal": true}',
    '{"category": "arson, abuse", "abnormal": true}',
    '{"category": "arson", "category": "abuse", "abnormal": true}',
    '{"category": "arson", "abnormal": true} {"category": "abuse", "abnormal": true}',
    '{"category": {"a": 1}, "abnormal": 1}',
    '{"category": ["arson"], "abnormal": true}',
    '{"category": null, "abnormal": true}',
    '{"category": "arson", "abnormal": "true"}',
    "[" * 5000,
    '{"a":' * 5000 + "}",
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_is_asked_again_and_not_for_ever(tmp_path, answer):
    chat = in_turn(answer, sorted_into("arson"))
    assert calibrator(chat, tmp_path / "1").calibrate(TOLD, Label(True)).category == "arson"
    assert len(chat.asked) == 2
    chat = Chat(lambda *_: answer)
    with pytest.raises(NonsenseError):
        calibrator(chat, tmp_path / "2").calibrate(TOLD, Label(True))
    assert len(chat.asked) == 4


def test_what_stands_around_an_answer_does_not_matter(tmp_path):
    chat = in_turn(f"Sure!\n```json\n{sorted_into('arson')}\n```\nAnything else?")
    assert calibrator(chat, tmp_path).calibrate(TOLD, Label()).category == "arson"


def test_capitals_and_spaces_do_not_matter(tmp_path):
    chat = in_turn(sorted_into("Road_Accidents"))
    assert calibrator(chat, tmp_path).calibrate(TOLD, Label()).category == "road accidents"


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x01"])
def test_an_empty_description_is_nonsense(tmp_path, text):
    chat = in_turn(sorted_into(NORMAL), described(text), described("fire"), sorted_into("arson"))
    assert calibrator(chat, tmp_path).calibrate(TOLD, Label(True)).caption == "fire"


@given(caption=st.text())
def test_a_caption_is_quoted_and_never_a_part_of_an_instruction(tmp_path_factory, caption):
    chat = in_turn(sorted_into("arson"))
    folder = tmp_path_factory.mktemp("exchanges")
    calibrator(chat, folder).calibrate(caption, Label())
    ((system, user),) = chat.asked
    assert system["content"] == prompts.classify(CATEGORIES)
    assert json.loads(user["content"]) == {"narrative": caption}


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path):
    first = reading(lambda told: NORMAL)
    found = calibrator(first, tmp_path).calibrate(TOLD, Label(True))
    assert found.contradicts
    assert "arson" in found.reason(Label(True, "arson"))
    assert calibrator(in_turn(), tmp_path).calibrate(TOLD, Label(True)) == found
