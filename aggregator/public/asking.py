"""Questions to a chat endpoint, asked a bounded number of times and never twice.

An answer is of use or nonsense; both are kept, so that a run that was stopped goes on where it was
and a question that was only ever answered with nonsense is not asked for ever. Silence (time-outs,
refusals, lost lines) is not kept: the next run may find the endpoint in better health.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aggregator.public.endpoint import Chat, Message, NoAnswerError
from edge.atomic import write_atomically

ATTEMPTS = 4  # at one question
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # after silence; doubled each time
TEMPERATURES = (0.0, 0.5)  # of the first attempt, and of those after nonsense
MOST_CHARS = 8000  # of an answer; a longer one is nonsense
SHOWN_CHARS = 80  # of nonsense, to a person

Answer = TypeVar("Answer")


class NonsenseError(Exception):
    """Every attempt was answered, and no answer was of use: asking again is of none either."""


class BudgetSpentError(Exception):
    """A run has asked as often as it may."""


@dataclass(slots=True)
class Budget:
    """How often a run may ask."""

    requests: int
    spent: int = field(default=0, init=False)
    ended: str = field(default="", init=False)  # why nothing is asked any more

    def spend(self) -> None:
        """Before every request; raises BudgetSpentError."""
        if self.spent >= self.requests:
            self.end(f"the {self.requests} requests of a run are spent")
        if self.ended:
            raise BudgetSpentError(f"not asked: {self.ended}")
        self.spent += 1

    def end(self, reason: str) -> None:
        """Ask no more in this run."""
        self.ended = self.ended or reason


class Exchanges:
    """What was asked and answered, on the disk: a file for each question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answers(self, key: str) -> list[str]:
        """All answers to a question, oldest first; a damaged file holds none."""
        try:
            found = json.loads(self._path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return []
        return [str(answer) for answer in found] if isinstance(found, list) else []

    def keep(self, key: str, answers: Sequence[str]) -> None:
        """Raises StorageError."""
        write_atomically(self._path(key), json.dumps(list(answers)).encode())

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


class Asker:
    """Asks one endpoint."""

    def __init__(
        self,
        chat: Chat,
        exchanges: Exchanges,
        budget: Budget,
        *,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``attempts`` at one question, nonsense of earlier runs included."""
        self.identity = chat.identity
        self._chat, self._exchanges, self._budget = chat, exchanges, budget
        self._attempts, self._sleep = attempts, sleep

    def ask(self, messages: Sequence[Message], parse: Callable[[str], Answer | None]) -> Answer:
        """What ``parse`` makes of the answer; None of it: the answer is nonsense.

        Raises NonsenseError or NoAnswerError where the attempts have come to nothing,
        BudgetSpentError where there is none left, ConfigError where the endpoint never answers.
        """
        key = hashlib.sha256(json.dumps([self.identity, list(messages)]).encode()).hexdigest()
        answers, silences, pause_s = self._exchanges.answers(key), list[NoAnswerError](), 0.0
        while True:
            if answers and (found := _understood(answers[-1], parse)) is not None:
                return found
            if len(answers) >= self._attempts:
                shown = " ".join(answers[-1][:SHOWN_CHARS].split())
                raise NonsenseError(f"{len(answers)} answers of no use, the last one {shown!r}")
            if len(answers) + len(silences) >= self._attempts:
                raise silences[-1]
            if pause_s:
                self._sleep(pause_s)
            try:
                answers.append(self._once(messages, TEMPERATURES[bool(answers)]))
                self._exchanges.keep(key, answers)
                pause_s = 0.0
            except NoAnswerError as error:
                silences.append(error)
                wanted_s = max(FIRST_PAUSE_S * 2 ** (len(silences) - 1), error.wait_s)
                pause_s = min(wanted_s, LONGEST_PAUSE_S)

    def _once(self, messages: Sequence[Message], temperature: float) -> str:
        self._budget.spend()
        return self._chat.complete(messages, temperature=temperature)[: MOST_CHARS + 1]


def _understood(answer: str, parse: Callable[[str], Answer | None]) -> Answer | None:
    return None if len(answer) > MOST_CHARS else parse(answer)
