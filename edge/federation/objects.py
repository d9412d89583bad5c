"""What a host tells a federation of the objects that it sees: of how many which class they are.

It counts what its cameras have stored (``edge.training.census``) and sends shares alone: no number,
place or time of any object. Where the federation asks for noise, they are noised once for a run and
its classes and the very same numbers are sent in every round, so they cost the privacy budget as
much as one round does: one release, whose unit is the host's whole footage (``noised_shares``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.atomic import write_atomically
from edge.domain.objects import counts_of
from edge.domain.weights import Shares
from edge.errors import VadError
from edge.federation.actions import UpMessage
from edge.federation.noise import noised_shares
from edge.federation.privacy_budget import PrivacyBudget
from edge.wire.rounds import Announcement, Join

log = logging.getLogger(__name__)

LEAST_OBJECTS = 30
"""Shares that are noised once and for all wait for so many; those without noise are told anew in
every round."""


class ObjectShares:
    """Answers a federation's question what is to be seen here."""

    def __init__(
        self,
        seen: Callable[[], Mapping[str, int]],
        *,
        path: Path,
        budget: PrivacyBudget | None = None,
    ) -> None:
        """``seen``: class names as the detector has them → objects so far.

        ``path``: where noised shares are kept. ``budget``: with one, none leave without noise, nor
        beyond the budget.
        """
        self._seen = seen
        self._path = path
        self._budget = budget
        self._noised = False  # what was answered last

    def __call__(self, announcement: Announcement) -> tuple[float, ...]:
        """Shares of the classes that are asked for, which sum to 1; (): none may leave yet.

        Another run, other classes or another noise than the last time make a new release.
        """
        settings = announcement.settings
        if not settings.classes:
            return ()
        noise = settings.privacy.noise_multiplier if settings.privacy else 0.0
        self._noised = noise > 0
        try:
            if self._noised:
                return self._private(announcement.run, settings.classes, noise)
            return self._plain(settings.classes)
        except VadError as error:
            log.warning("round %d: no word of what is seen here: %s", announcement.round, error)
            return ()

    def holds(self, message: UpMessage) -> str:
        """What of it is in a message, in words for the byte ledger; "" if nothing."""
        if not isinstance(message, Join) or not message.objects:
            return ""
        noised = "noised" if self._noised else "without noise"
        return f"shares of {len(message.objects)} classes, {noised}"

    def _plain(self, classes: tuple[str, ...]) -> tuple[float, ...]:
        if self._budget is not None:
            log.warning("this host has a privacy budget: shares of what it sees need noise")
            return ()
        counts = counts_of(self._seen(), classes)
        return _numbers(noised_shares(counts, 0.0)) if counts.any() else ()

    def _private(self, run: str, classes: tuple[str, ...], noise: float) -> tuple[float, ...]:
        asked = {"run": run, "classes": list(classes), "noise_multiplier": noise}
        kept = self._kept(asked)
        if kept is not None:
            return kept
        counts = counts_of(self._seen(), classes)
        if counts.sum() < LEAST_OBJECTS:
            return ()
        shares = _numbers(noised_shares(counts, noise))
        if self._budget is not None:
            self._budget.spend(noise, "shares")
        write_atomically(self._path, json.dumps({"asked": asked, "shares": shares}).encode())
        log.info("shares of %d classes, noised with %g, will be sent", len(classes), noise)
        return shares

    def _kept(self, asked: Mapping[str, object]) -> tuple[float, ...] | None:
        """What was released when just this was asked for; None: it was not, or something else."""
        try:
            content = json.loads(self._path.read_bytes())
            return tuple(map(float, content["shares"])) if content["asked"] == asked else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.warning("%s cannot be read (%s): shares are noised anew", self._path, error)
            return None


def _numbers(shares: Shares) -> tuple[float, ...]:
    return tuple(shares.tolist())
