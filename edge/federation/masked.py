"""A participant's way through one session of secure aggregation, one message after the other."""

from __future__ import annotations

from edge.domain.fixed_point import Words
from edge.errors import PrivacyError
from edge.federation.masking import MaskingRound
from edge.wire.masks import Keys, Passed, Roster, Shares, Survivors, Unmask, encode_masked
from edge.wire.rounds import Announcement, Phase


class MaskedSession:
    """What we have said, and what we know, in one attempt at one round; lives in memory alone."""

    def __init__(self, participant: str, session: str, *, min_participants: int) -> None:
        """``min_participants``: this host takes part in no sum of fewer."""
        self.name = session
        self.ready = False  # to mask
        self.masked = False
        self._round = MaskingRound(participant, session, min_participants=min_participants)
        self._says: Keys | Shares | Unmask = self._round.keys()
        self._passed: Passed | None = None

    def says(self, announcement: Announcement) -> Keys | Shares | Unmask | None:
        """What to say, again and again, in this phase; None: nothing."""
        phase = announcement.phase
        if phase is Phase.UNMASK:
            return self._unmask(announcement)
        if self.ready or phase not in (Phase.KEYS, Phase.SHARES, Phase.UPDATES):
            return None
        return self._says

    def take_roster(self, roster: Roster) -> None:
        """Who takes part; raises VadError where we must not."""
        if isinstance(self._says, Keys):
            self._says = self._round.shares(roster)

    def take_shares(self, passed: Passed) -> None:
        """What the others share with us."""
        if not isinstance(self._says, Keys):
            self._passed, self.ready = passed, True

    def mask(self, words: Words) -> bytes:
        """The update under its masks, once; raises VadError where a share was tampered with."""
        if self._passed is None or self.masked:
            raise PrivacyError("there are no shares to mask with, or they were used")
        self.masked = True
        return encode_masked(self._round.mask(words, self._passed))

    def _unmask(self, announcement: Announcement) -> Unmask | None:
        if not self.masked:
            return None
        return self._round.unmask(Survivors(session=self.name, participants=announcement.survivors))
