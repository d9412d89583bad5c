import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public.asking import (
    LONGEST_PAUSE_S,
    MOST_CHARS,
    Asker,
    Budget,
    BudgetSpentError,
    Exchanges,
    NonsenseError,
)
from aggregator.public.endpoint import NoAnswerError
from tests.fakes.chat import Chat, in_turn

QUESTION = [{"role": "user", "content": "?"}]
NONSENSE, SILENCE, USEFUL = "what?", NoAnswerError("silent"), "yes"


def parse(answer: str) -> str | None:
    return answer if answer == USEFUL else None


def asker(chat: Chat, folder, *, requests: int = 99, pauses: list | None = None) -> Asker:
    sleep = ([] if pauses is None else pauses).append
    return Asker(chat, Exchanges(folder), Budget(requests), attempts=4, sleep=sleep)


def ask(chat: Chat, folder):
    try:
        return asker(chat, folder).ask(QUESTION, parse)
    except (NonsenseError, NoAnswerError) as error:
        return type(error)


@given(runs=st.lists(st.lists(st.sampled_from([NONSENSE, SILENCE, USEFUL]), max_size=5)))
def test_no_run_asks_oftener_than_it_may_and_nothing_answered_is_asked_again(
    tmp_path_factory, runs
):
    folder = tmp_path_factory.mktemp("exchanges")
    answered: list[str] = []
    for script in runs:
        chat = in_turn(*script)
        found = ask(chat, folder)
        asked = len(chat.asked)
        assert asked <= 4 - min(len(answered), 4)
        if USEFUL in answered or len(answered) == 4:
            assert asked == 0
        answered += [answer for answer in script[:asked] if isinstance(answer, str)]
        wanted = USEFUL if USEFUL in answered else None
        assert found == (wanted or (NonsenseError if len(answered) == 4 else NoAnswerError))


def test_pauses_grow_after_silence_and_the_endpoint_may_ask_for_longer_ones(tmp_path):
    pauses: list[float] = []
    chat = in_turn(SILENCE, NoAnswerError("busy", 7.0), NoAnswerError("busy", 1e9), USEFUL)
    assert asker(chat, tmp_path, pauses=pauses).ask(QUESTION, parse) == USEFUL
    assert pauses == [1.0, 7.0, LONGEST_PAUSE_S]


def test_nonsense_is_answered_without_a_pause(tmp_path):
    pauses: list[float] = []
    asker(in_turn(NONSENSE, USEFUL), tmp_path, pauses=pauses).ask(QUESTION, parse)
    assert pauses == []


def test_a_huge_answer_is_nonsense_and_not_kept_whole(tmp_path):
    huge = USEFUL * MOST_CHARS
    with pytest.raises(NonsenseError):
        asker(Chat(lambda *_: huge), tmp_path).ask(QUESTION, lambda answer: answer)
    (kept,) = tmp_path.rglob("*.json")
    assert all(len(answer) == MOST_CHARS + 1 for answer in json.loads(kept.read_bytes()))


def test_a_spent_budget_asks_nothing_and_known_answers_cost_nothing(tmp_path):
    chat = Chat(lambda *_: USEFUL)
    one = asker(chat, tmp_path, requests=1)
    assert [one.ask(QUESTION, parse) for _ in range(3)] == [USEFUL] * 3
    with pytest.raises(BudgetSpentError, match="the 1 requests"):
        one.ask([{"role": "user", "content": "another"}], parse)
    assert len(chat.asked) == 1


def test_another_endpoint_is_another_question(tmp_path):
    first, second = Chat(lambda *_: USEFUL), Chat(lambda *_: USEFUL)
    second.identity = "another"
    asker(first, tmp_path).ask(QUESTION, parse)
    asker(second, tmp_path).ask(QUESTION, parse)
    assert len(second.asked) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'"yes"', b"\xff", b"[[[["])
def test_a_damaged_exchange_is_asked_anew(tmp_path, content):
    chat = Chat(lambda *_: USEFUL)
    asker(chat, tmp_path).ask(QUESTION, parse)
    (kept,) = tmp_path.rglob("*.json")
    kept.write_bytes(content)
    assert asker(chat, tmp_path).ask(QUESTION, parse) == USEFUL
    assert len(chat.asked) == 2
