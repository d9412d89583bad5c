"""How commands answer: for a person or for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def answer(figures: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print one JSON object, or the text."""
    print(json.dumps(figures, ensure_ascii=False, allow_nan=False) if as_json else text)


def say(what: str) -> None:
    """Tell a person what goes on, apart from the answer."""
    print(what, file=sys.stderr, flush=True)


def progress_bar(what: str, total: float | None, unit: str) -> tqdm[Any]:
    """A bar on the terminal's error stream; nothing where that is no terminal."""
    style = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
    return tqdm(
        desc=what, total=total, unit=unit, disable=None, bar_format=style if total else None
    )


def shown(items: Sequence[Item], what: str, unit: str) -> Iterator[Item]:
    """The items one after the other, with a bar that says how far it is."""
    with progress_bar(what, len(items), unit) as bar:
        for item in items:
            yield item
            bar.update()
