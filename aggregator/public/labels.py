"""What people say of public videos: normal, abnormal, or which anomaly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggregator.public.answers import plain
from aggregator.public.prompts import ABNORMAL, CATEGORIES
from aggregator.public.videos import NORMAL
from aggregator.public.written import read_entries
from edge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Label:
    """Of one video."""

    abnormal: bool | None = None  # None: nobody says
    category: str = ""  # of anomaly, or ``NORMAL``; "": nobody says which

    def agrees(self, category: str) -> bool:
        """Whether a video of this label may be of this category."""
        if self.category:
            return category == self.category
        return self.abnormal is None or self.abnormal == (category != NORMAL)

    def __str__(self) -> str:
        return self.category or {None: "nothing", True: ABNORMAL, False: NORMAL}[self.abnormal]


def read_labels(path: Path, categories: Collection[str]) -> dict[str, Label]:
    """Labels by name of a JSON file: 0 or 1, a list of them (of frames), or a word.

    A word is ``normal``, ``abnormal`` or a category, however it is spaced and spelt large or
    small. Raises ConfigError.
    """
    written = read_entries(path, '{"NAME": label}')
    known = {plain(category): category for category in categories}
    return {name: _label(path, name, value, known) for name, value in written.items()}


def read_categories(path: Path | None) -> Mapping[str, str]:
    """Categories and what they look like: of a file, ``NAME: WHAT IT LOOKS LIKE`` a line.

    None: ``CATEGORIES``. Raises ConfigError.
    """
    if path is None:
        return CATEGORIES
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the categories cannot be read ({error})") from error
    split = [line.partition(":") for line in lines if line.strip()]
    found = {name.strip(): looks.strip() or name.strip() for name, _, looks in split}
    reserved = {plain(NORMAL), plain(ABNORMAL), ""}
    names = {plain(name) for name in found}
    if not found or reserved & names or len(names) < len(split):
        raise ConfigError(
            f"{path}: name each category once, one a line, none of them {NORMAL} or {ABNORMAL}"
        )
    return found


def _label(path: Path, name: str, value: Any, known: Mapping[str, str]) -> Label:
    if isinstance(value, str):
        word = plain(value)
        if word == plain(ABNORMAL):
            return Label(True)
        if word in known:
            return Label(True, known[word])
        value = 0 if word == plain(NORMAL) else value
    of_frames = value if isinstance(value, list) else [value]
    if not of_frames or any(frame not in (0, 1) for frame in of_frames):
        words = ", ".join((NORMAL, ABNORMAL, *known.values()))
        raise ConfigError(f"{path}: {name}: {value!r:.80} is no label; 0, 1 or one of {words}")
    return Label(True) if any(of_frames) else Label(False, NORMAL)
