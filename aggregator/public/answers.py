"""What is taken out of an answer: nothing but what was asked for, or nothing."""

from __future__ import annotations

import json
from typing import Any

MOST_CHARS = 4000  # of a description


def clean(text: str) -> str:
    """One line of what can be printed, at most ``MOST_CHARS``."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MOST_CHARS].rstrip()


def plain(word: str) -> str:
    """Equal for names that differ in capitals, spaces and signs alone."""
    return "".join(c for c in word.casefold() if c.isalnum())


def json_object(answer: str) -> dict[str, Any]:
    """The one JSON object of an answer, whatever stands around it; {} where it is not one.

    Models put it between fences and good wishes. A field that is there twice makes it none.
    """
    begin, end = answer.find("{"), answer.rfind("}") + 1
    try:
        found = json.loads(answer[begin:end], object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def description(answer: str) -> str | None:
    """Of ``{"description": "TEXT"}``; None where it says nothing."""
    text = json_object(answer).get("description")
    return clean(text) or None if isinstance(text, str) else None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is there twice")
    return fields
