"""Rounds of secure aggregation: the aggregator learns the sum of the updates, and no single one.

``UnmaskingRound`` does the cryptography; here it is driven through its stages by messages and
deadlines, and kept: every message is in the store before it has an effect, so a new process that is
handed them again is where the last one died. An attempt that cannot be finished, because too many
were lost after they gave out shares, is begun again with those who are there.

Phases: keys → shares → updates → unmask. A participant that repeats itself is answered with what
the next stage has for it: the roster, or the shares for it; the survivors are announced.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TypeAlias

from aggregator.records import AcceptedUpdate
from aggregator.rounds import Rounds
from aggregator.strategies.screen import screen
from aggregator.unmasking import UnmaskingRound
from edge.domain.fixed_point import size_of
from edge.domain.weights import WeightUpdate
from edge.errors import MalformedMessageError, PrivacyError
from edge.wire.masks import Keys, Passed, Roster, Shares, Unmask, decode_masked
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Masking,
    Phase,
    Refused,
    UpdateOffer,
    decode_message,
    encode_message,
)

log = logging.getLogger(__name__)

Word: TypeAlias = Keys | Shares | Unmask

_HEADER_BYTES = 256  # of a masked update
WORDS: dict[str, type[Word]] = {kind.kind: kind for kind in (Keys, Shares, Unmask)}
_STEP, _MASKED = "step", "masked"  # kinds of rows beside those of messages


class SecureRounds(Rounds):
    """Rounds whose updates are masked."""

    def masking(self, participant: str, message: Word, now_s: float) -> Roster | Passed | None:
        """One message of the session; MalformedMessageError where it has no place in it."""
        if message.session != self._session_name:
            return None  # of an attempt that is over: the announcement says so
        known = self._heard[message.kind]
        if participant not in known:
            self._hear(participant, message)
            self._store.add_masking(participant, message.kind, encode_message(message))
            known.add(participant)
            self.tick(now_s)
        return self._next_for(participant, message)

    def judge(
        self, participant: str, offer: UpdateOffer, now_s: float
    ) -> Accepted | Refused | None:
        """The answer to an offered masked update; None: it is wanted."""
        if self._masked.get(participant) == offer.update:
            return Accepted(round=offer.round, update=offer.update)
        return super().judge(participant, offer, now_s)

    def take(
        self, participant: str, offer: UpdateOffer, payload: bytes, now_s: float
    ) -> Accepted | Refused:
        """A masked update that was fetched: kept, and added to the sum."""
        answer = self.judge(participant, offer, now_s)
        if answer is not None:
            return answer
        try:
            self._add_masked(participant, offer.update, payload)
        except MalformedMessageError as error:
            return self.refuse(participant, str(error), now_s, offer)
        body = offer.update.encode() + b"\n" + payload
        self._store.add_masking(participant, _MASKED, body)
        log.info("round %d: masked update of %s", self._round.number, participant)
        return Accepted(round=offer.round, update=offer.update)

    def _advance(self, now_s: float) -> None:
        """Go on to the next stage where everybody is there, or the deadline has passed."""
        phase = self._round.phase
        try:
            if phase is Phase.KEYS and self._is_over(len(self._heard[Keys.kind]), now_s):
                self._step(Phase.SHARES, now_s + self._plan.step_s)
            elif phase is Phase.SHARES:
                self._end_shares(now_s)
            elif phase is Phase.UPDATES:
                self._end_masked(now_s)
            elif phase is Phase.UNMASK:
                self._end_unmask(now_s)
            elif phase is Phase.DISTILLATION and not self._count.num_updates:
                self._add_sum(now_s)  # as the process did that began it
                self._conclude(now_s)
            else:
                super()._advance(now_s)
        except (PrivacyError, MalformedMessageError) as error:
            self._begin_again(str(error), now_s)

    def _load(self) -> None:
        self._survivors: tuple[str, ...] = ()
        super()._load()
        self._begin_session()

    def _announce(self) -> Announcement:
        return super()._announce().model_copy(update={"survivors": self._survivors})

    def _begin_session(self) -> None:
        """An empty session, and everything that was heard in it."""
        terms = self._plan.settings.masking
        assert terms is not None
        self._terms: Masking = terms
        self._session_name = self._announcement.session
        self._size = size_of(self._count.expects)
        self._limit_bytes = 4 * self._size + _HEADER_BYTES
        self._unmasking = UnmaskingRound(
            self._session_name, threshold=terms.threshold, size=self._size
        )
        self._roster: Roster | None = None
        self._heard: dict[str, set[str]] = {kind.kind: set() for kind in (Keys, Shares, Unmask)}
        self._masked: dict[str, str] = {}  # participant → id of its update
        for participant, kind, body in self._store.masking():
            self._recall(participant, kind, body)
        self._announcement = self._announce()

    def _recall(self, participant: str, kind: str, body: bytes) -> None:
        if kind == _STEP:
            self._close_stage(Phase(body.decode()))
        elif kind == _MASKED:
            update, _, payload = body.partition(b"\n")
            self._add_masked(participant, update.decode(), payload)
        else:
            message = decode_message(body, WORDS[kind])
            self._hear(participant, message)
            self._heard[kind].add(participant)

    def _hear(self, participant: str, message: Word) -> None:
        if isinstance(message, Keys):
            if len(self._heard[Keys.kind]) >= self._terms.max_participants:
                raise MalformedMessageError(f"keys of {participant}: the session is full")
            self._unmasking.add_keys(participant, message)
        elif isinstance(message, Shares):
            self._unmasking.add_shares(participant, message)
        else:
            self._unmasking.add_unmask(participant, message)

    def _add_masked(self, participant: str, update: str, payload: bytes) -> None:
        masked = decode_masked(payload, size=self._size)
        self._unmasking.add_masked(participant, masked)
        self._masked[participant] = update

    def _next_for(self, participant: str, message: Word) -> Roster | Passed | None:
        phase = self._round.phase
        if isinstance(message, Keys) and phase is not Phase.KEYS:
            return self._roster
        if isinstance(message, Shares) and phase not in (Phase.KEYS, Phase.SHARES):
            return self._unmasking.shares_for(participant)
        return None

    def _close_stage(self, following: Phase) -> None:
        """What ends the stage before ``following``."""
        if following is Phase.SHARES:
            self._roster = self._unmasking.roster()
        elif following is Phase.UPDATES:
            self._unmasking.close_shares()
        else:
            self._survivors = self._unmasking.survivors().participants

    def _step(self, following: Phase, deadline_s: float) -> None:
        self._close_stage(following)
        current = replace(self._round, phase=following, deadline_s=deadline_s)
        self._store.step_masking(current, _STEP, following.value.encode())
        self._round = current
        self._announcement = self._announce()

    def _end_shares(self, now_s: float) -> None:
        arrived = len(self._heard[Shares.kind])
        if arrived == len(self._heard[Keys.kind]) or now_s >= self._round.deadline_s:
            self._step(Phase.UPDATES, now_s + self._plan.round_s)

    def _end_masked(self, now_s: float) -> None:
        """Who gave out shares and was killed cannot mask any more: waiting longer is no use."""
        everybody = len(self._masked) == len(self._heard[Shares.kind])
        late = now_s >= self._round.deadline_s
        if everybody or (late and len(self._masked) >= self._plan.quorum):
            self._step(Phase.UNMASK, now_s + self._plan.step_s)
        elif late:
            raise PrivacyError(f"{len(self._masked)} of {self._plan.quorum} masked updates came")

    def _end_unmask(self, now_s: float) -> None:
        if self._unmasking.complete:
            self._add_sum(now_s)
            self._conclude(now_s)
        elif now_s >= self._round.deadline_s:
            raise PrivacyError("too few survivors answered")

    def _add_sum(self, now_s: float) -> None:
        """The sum is one update, of all examples."""
        point = self._plan.settings.fixed_point()
        try:
            mean, num_examples = point.decode_mean(self._unmasking.total(), self._count.expects)
        except ValueError as error:
            raise MalformedMessageError(f"the sum makes no sense: {error}") from None
        update = WeightUpdate("all", self._round.number, num_examples, mean)
        screen(update, self._count.expects)
        self._count.add_sum(update, set(self._masked))
        self._unmasked = [self._as_accepted(name, now_s) for name in sorted(self._masked)]

    def _as_accepted(self, participant: str, now_s: float) -> AcceptedUpdate:
        number = self._round.number
        return AcceptedUpdate(
            id=self._masked[participant],
            participant=participant,
            trained_on=number,
            counts_in=number,
            num_examples=1,  # how many is under the mask
            size_bytes=4 * self._size,
            accepted_s=now_s,
        )

    def _begin_again(self, why: str, now_s: float) -> None:
        log.error("round %d, attempt %d: %s", self._round.number, self._round.attempt, why)
        current = replace(
            self._round,
            phase=Phase.KEYS,
            attempt=self._round.attempt + 1,
            deadline_s=now_s + self._plan.step_s,
        )
        self._store.restart_round(current)
        self._round = current
        self._load()
