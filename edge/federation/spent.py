"""The file of a host's privacy budget: what was released, and with how much noise."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from edge.atomic import refused, write_atomically
from edge.errors import PrivacyError

FORMAT = "vad-edge-privacy-2"
BEFORE_SHARES = "vad-edge-privacy-1"  # noise multipliers of rounds alone

Release: TypeAlias = Literal["rounds", "shares"]
"""What was paid for: a round's update, or shares of object classes."""


@dataclass(frozen=True, slots=True)
class Spent:
    """All releases so far: noise multiplier → how often."""

    rounds: Counter[float] = field(default_factory=Counter)
    shares: Counter[float] = field(default_factory=Counter)
    epsilon: float | None = None  # of them all, as of the latest; None: not written down then
    delta: float | None = None  # at which it was measured

    @property
    def releases(self) -> Counter[float]:
        """Whatever they were."""
        return self.rounds + self.shares


def read_spent(path: Path) -> Spent:
    """What the file says; nothing was spent where there is none.

    PrivacyError for one that cannot be read: it is never a new start.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == BEFORE_SHARES:
            return Spent(_counter(content["rounds"]))
        if content["format"] != FORMAT:
            raise ValueError(f"not of format {FORMAT}")
        return Spent(
            _counter(content["rounds"]),
            _counter(content["shares"]),
            float(content["epsilon"]),
            float(content["delta"]),
        )
    except FileNotFoundError:
        return Spent()
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise PrivacyError(
            f"the privacy ledger {path} cannot be read ({error}): what this host has given away "
            "is unknown, so nothing is sent; restore the file from a backup"
        ) from error


def write_spent(path: Path, spent: Spent) -> None:
    """Replace the file, so that not even a power cut brings the old one back; or StorageError."""
    counts = {"rounds": spent.rounds, "shares": spent.shares}
    content = {
        "format": FORMAT,
        **{what: {repr(sigma): n for sigma, n in each.items()} for what, each in counts.items()},
        "epsilon": spent.epsilon,
        "delta": spent.delta,
    }
    write_atomically(path, json.dumps(content).encode())
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise refused(path, error) from error


def _counter(read: Mapping[str, int]) -> Counter[float]:
    spent = Counter({float(sigma): int(releases) for sigma, releases in read.items()})
    if not all(sigma > 0 and releases > 0 for sigma, releases in spent.items()):
        raise ValueError("not positive")
    return spent
