"""A chat endpoint that speaks OpenAI's protocol: one question, one answer, no second attempt.

``POST {url}/chat/completions``. Any server will do, a local one too. Redirects are not followed:
they would take the key and the question elsewhere.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeAlias
from urllib.parse import urlsplit

from edge.errors import ConfigError

TIMEOUT_S = 120.0  # of one answer: large local models are slow
MOST_BYTES = 1 << 20  # of an answer
CHUNK_BYTES = 1 << 16
MOST_TOKENS = 1000  # of an answer
SAID_BYTES = 200  # of a refusal, to a person
FOR_GOOD = frozenset({300, 301, 302, 303, 307, 308, 401, 403, 404, 405})

Message: TypeAlias = Mapping[str, Any]


class NoAnswerError(Exception):
    """The endpoint gave no answer now; it may later. ``wait_s`` is what it asked for."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Chat(Protocol):
    """What answers questions."""

    @property
    def identity(self) -> str:
        """Another one for whatever may answer otherwise."""
        ...

    def complete(self, messages: Sequence[Message], *, temperature: float) -> str:
        """The answer; raises NoAnswerError, and ConfigError where it will never come."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model of one server."""

    url: str  # "http://127.0.0.1:11434/v1"
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S

    @classmethod
    def parse(cls, address: str, *, key: str | None, timeout_s: float = TIMEOUT_S) -> Self:
        """From ``URL#MODEL``; raises ConfigError."""
        url, _, model = address.partition("#")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not model:
            raise ConfigError(
                "openai:URL#MODEL: give an http or https address and a model, as in "
                "openai:http://127.0.0.1:11434/v1#qwen3"
            )
        if parts.username is not None:
            raise ConfigError(
                "openai:URL#MODEL: no password in an address: keys come from the environment"
            )
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ConfigError(
                f"{url}: its key holds what no header can carry: look at the variable"
            )
        return cls(url.rstrip("/"), model, key, timeout_s)

    @property
    def identity(self) -> str:
        """See `Chat.identity`."""
        return f"openai {self.url} {self.model}"

    def complete(self, messages: Sequence[Message], *, temperature: float) -> str:
        """See `Chat.complete`."""
        asked = {
            "model": self.model,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": MOST_TOKENS,
        }
        try:
            return _content(self._post(json.dumps(asked).encode()))
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None
        except (OSError, http.client.HTTPException) as error:  # timeouts and lost lines too
            raise NoAnswerError(f"{self.url}: {_reason(error)}") from None

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "vad-aggregator"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)
        until_s = time.monotonic() + self.timeout_s
        content = b""
        with urllib.request.build_opener(_Stay).open(request, timeout=self.timeout_s) as answer:
            while chunk := answer.read1(CHUNK_BYTES):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise NoAnswerError(f"{self.url}: answered with more than {MOST_BYTES} bytes")
                if time.monotonic() > until_s:  # a drop now and then resets the socket's timeout
                    raise NoAnswerError(f"{self.url}: no whole answer in {self.timeout_s:.0f} s")
        return content

    def _refused(self, error: urllib.error.HTTPError) -> ConfigError | NoAnswerError:
        said = _said(error)
        if error.code in FOR_GOOD:
            return ConfigError(
                f"{self.url}: refuses {self.model} (HTTP {error.code}): check the address, the "
                "model's name and its key (--api-key-env, --captioner-key-env)"
            )
        waiting = error.headers.get("Retry-After", "")
        wait_s = float(waiting) if waiting.isdecimal() else 0.0
        return NoAnswerError(f"{self.url}: HTTP {error.code} {said}", wait_s)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirect is an error."""


def _content(body: bytes) -> str:
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (LookupError, TypeError, ValueError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise NoAnswerError("answered with something that holds no message")
    return content


def _said(error: urllib.error.HTTPError) -> str:
    """The beginning of what a refusal says, in ASCII."""
    try:
        with error:
            return ascii(" ".join(error.read(SAID_BYTES).decode("utf-8", "replace").split()))
    except (OSError, http.client.HTTPException):
        return "without a word"


def _reason(error: OSError | http.client.HTTPException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(inner).strip() or type(inner).__name__
