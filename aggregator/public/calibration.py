"""Captions that agree with the labels: classified, and described again where they do not (Fig. 3).

A chat endpoint sorts a video's narrative into a category. Where that contradicts the video's label,
it describes the video again in the words of the category that the label names, and sorts what it
wrote; at most ``MOST_ROUNDS`` times. What still contradicts is not to be taught from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.public import prompts
from aggregator.public.answers import description, json_object, plain
from aggregator.public.asking import Asker
from aggregator.public.endpoint import Message
from aggregator.public.labels import Label
from aggregator.public.videos import NORMAL

MOST_ROUNDS = 3  # of describing again, R


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What became of a narrative."""

    caption: str  # as it was classified last
    category: str  # that it was sorted into
    rounds: int  # how often it was described again
    contradicts: bool  # still, after all rounds

    def reason(self, label: Label) -> str:
        """Why it is not to be taught from."""
        return (
            f"its caption is of category {self.category!r}, its label says {label}, also after "
            f"{self.rounds} new descriptions"
        )


class Calibrator:
    """Sorts and mends captions by asking."""

    def __init__(
        self, asker: Asker, categories: Mapping[str, str], *, most_rounds: int = MOST_ROUNDS
    ) -> None:
        """``categories``: of anomalies, and what they look like; ``NORMAL`` is one besides."""
        self._asker = asker
        self._categories = categories
        self._most_rounds = most_rounds

    def calibrate(self, narrative: str, label: Label) -> Calibrated:
        """Raises as `Asker.ask`."""
        caption, rounds = narrative, 0
        while True:
            category = self._category(caption)
            contradicts = not label.agrees(category)
            if not contradicts or rounds == self._most_rounds:
                return Calibrated(caption, category, rounds, contradicts)
            caption = self._described(caption, label.category or prompts.ABNORMAL)
            rounds += 1

    def _category(self, caption: str) -> str:
        known = {plain(name): name for name in (NORMAL, *self._categories)}
        instruction = prompts.classify(self._categories)

        def parse(answer: str) -> str | None:
            fields = json_object(answer)
            named, abnormal = fields.get("category"), fields.get("abnormal")
            category = known.get(plain(named)) if isinstance(named, str) else None
            return category if abnormal is (category != NORMAL) else None

        return self._asker.ask(_messages(instruction, caption), parse)

    def _described(self, caption: str, category: str) -> str:
        instruction = prompts.describe(category, self._categories)
        return self._asker.ask(_messages(instruction, caption), description)


def _messages(instruction: str, caption: str) -> list[Message]:
    return [
        {"role": "system", "content": instruction},
        {"role": "user", "content": json.dumps({"narrative": caption}, ensure_ascii=False)},
    ]
