import pytest

from aggregator.public.endpoint import MOST_BYTES, Endpoint, NoAnswerError
from edge.errors import ConfigError
from tests.fakes.chat import CUT, HANG, chat_server

MESSAGES = [{"role": "user", "content": "what is seen?"}]
PATIENCE_S = 20.0  # for what does come


def ask(said, *, timeout_s: float = PATIENCE_S, key: str | None = None):
    with chat_server(lambda *_: said) as server:
        endpoint = Endpoint(server.url, "m", key, timeout_s)
        return endpoint.complete(MESSAGES, temperature=0.5), server


def test_it_speaks_the_protocol():
    answer, server = ask("a street", key="secret")
    assert answer == "a street"
    (asked,), (headers,) = server.asked, server.headers
    assert (asked["model"], asked["messages"], asked["temperature"]) == ("m", MESSAGES, 0.5)
    assert headers["Authorization"] == "Bearer secret"


def test_without_a_key_none_is_sent():
    _, server = ask("a street")
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "said",
    [
        (500, {}, b"oops"),
        (503, {"Retry-After": "soon"}, b""),
        (400, {}, b"\xff too long"),
        (200, {}, b"<html>"),
        (200, {}, b'{"choices": []}'),
        (200, {}, b'{"choices": [{"message": {"content": null}}]}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b" " * (MOST_BYTES + 1)),
        CUT,
    ],
)
def test_what_is_no_answer_may_become_one(said):
    with pytest.raises(NoAnswerError):
        ask(said)


def test_a_timeout_is_no_answer():
    with pytest.raises(NoAnswerError):
        ask(HANG, timeout_s=0.2)


def test_nobody_there_is_no_answer():
    with chat_server(lambda *_: "") as server:
        pass
    with pytest.raises(NoAnswerError, match=r"127\.0\.0\.1"):
        Endpoint(server.url, "m").complete(MESSAGES, temperature=0)


def test_a_busy_server_says_how_long_to_wait():
    with pytest.raises(NoAnswerError) as caught:
        ask((429, {"Retry-After": "7"}, b""))
    assert caught.value.wait_s == 7


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_will_never_answer_is_a_mistake_of_the_operator(status):
    with pytest.raises(ConfigError, match="check the address"):
        ask((status, {}, b""))


def test_a_redirect_is_not_followed_and_the_key_stays_here():
    with chat_server(lambda *_: "elsewhere") as other:
        with pytest.raises(ConfigError):
            ask((302, {"Location": f"{other.url}/chat/completions"}, b""), key="secret")
        assert other.asked == []


@pytest.mark.parametrize(
    "address", ["", "#m", "http://h/v1", "http://#m", "file:///etc/passwd#m", "http://u:p@h/v1#m"]
)
def test_an_address_is_checked(address):
    with pytest.raises(ConfigError, match="openai:URL#MODEL"):
        Endpoint.parse(address, key=None)


def test_an_address_is_a_server_and_a_model():
    found = Endpoint.parse("http://127.0.0.1:1/v1/#big/model:7b", key="k")
    assert (found.url, found.model) == ("http://127.0.0.1:1/v1", "big/model:7b")
    assert "k" not in repr(found).replace("key", "").replace("Endpoint", "").split("'")


def test_a_key_that_no_header_carries_is_refused():
    with pytest.raises(ConfigError, match="the variable"):
        Endpoint.parse("http://h/v1#m", key="two\nlines")
