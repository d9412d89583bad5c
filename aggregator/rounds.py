"""The rounds of a federation as a state machine: what counts, when a round is over, what follows.

No socket, no clock, no bytes of chunks. Everything it decides is in the ``Store`` before it is
told to anybody; a new object on the same store goes on where the last one died, with the sum of
the round rebuilt from the accepted updates in the order of their acceptance.

A round: **statistics** (only where the student's labels need the mixture of all participants'
segment norms) → **updates** → the next round. It closes when updates of ``close_at`` distinct
participants are in, or at its deadline with at least ``quorum``; with fewer it is extended. In
buffered mode (Nguyen et al. 2022) a late update counts in the round that it arrives in.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from aggregator.plan import Plan, first_round, outcome_of
from aggregator.records import AcceptedUpdate, Round, StoredPayload
from aggregator.store import Store
from aggregator.strategies.port import Aggregation, Strategy
from aggregator.strategies.screen import screen
from edge.domain.weights import WeightUpdate
from edge.errors import ConfigError, MalformedMessageError, ModelError
from edge.wire.chunks import blob_of
from edge.wire.compression import decode_delta
from edge.wire.rounds import (
    MAX_COMPONENTS,
    MAX_REASON,
    Accepted,
    Announcement,
    Component,
    Join,
    Mode,
    Phase,
    Refused,
    Statistics,
    UpdateOffer,
    printable,
)
from edge.wire.weights import decode_weights, encode_weights, fingerprint

log = logging.getLogger(__name__)

_SLACK_BYTES = 64 * 1024  # of an update's headers, beyond its fp32 values
_FLOAT_BYTES = 4


class Rounds:
    """All that the aggregator decides; used by one thread."""

    def __init__(self, store: Store, strategy: Strategy, plan: Plan) -> None:
        """Go on with the round that ``begin`` or ``resume`` has put into the store.

        ConfigError where an accepted update does not fit the strategy any more.
        """
        running = store.running()
        assert running is not None
        self._store = store
        self._strategy = strategy
        self._plan = plan
        self._round = running
        self._load()
        for stored in store.payloads():
            self._recount(stored)

    @property
    def announcement(self) -> Announcement:
        """What the participants are to know now."""
        return self._announcement

    @property
    def published(self) -> bytes:
        """The blob that the announcement names."""
        return self._published

    @property
    def running(self) -> Round:
        """The round that is under way."""
        return self._round

    @property
    def contributors(self) -> frozenset[str]:
        """Whose updates count in the running round."""
        return frozenset(self._contributors)

    def join(self, participant: str, message: Join, now_s: float) -> None:
        """A participant is there, or says why it stays away."""
        self._store.seen(participant, now_s, version=message.version, reason=message.reason)
        if not message.takes_part:
            log.warning("%s: no part in round %d: %s", participant, message.round, message.reason)

    def statistics(self, participant: str, message: Statistics, now_s: float) -> Refused | None:
        """Three numbers for the mixture; a repetition, or a late one, changes nothing."""
        current = self._round
        if message.round != current.number:
            why = f"statistics of round {message.round}, now is round {current.number}"
            return self.refuse(participant, why, now_s)
        if current.phase is Phase.STATISTICS:
            self._store.add_statistics(current.number, participant, message.component)
            self._end_statistics(now_s)
        return None

    def judge(
        self, participant: str, offer: UpdateOffer, now_s: float
    ) -> Accepted | Refused | None:
        """The answer to an offered update; None: it is wanted."""
        known = self._store.update_of(participant, offer.round)
        if known is not None and known.id == offer.update:
            return Accepted(round=offer.round, update=offer.update)
        why = "another update of this round was accepted" if known else self._unwanted(offer)
        return None if why is None else self.refuse(participant, why, now_s, offer)

    def take(
        self, participant: str, offer: UpdateOffer, payload: bytes, now_s: float
    ) -> Accepted | Refused:
        """An update that was fetched: screened, kept, counted once."""
        answer = self.judge(participant, offer, now_s)
        if answer is not None:
            return answer
        stored = StoredPayload(participant, offer.round, offer.num_examples, payload)
        try:
            update = self._decode(stored)
            screen(update, self._expects)
        except (MalformedMessageError, ModelError) as error:
            return self.refuse(participant, str(error), now_s, offer)
        accepted = AcceptedUpdate(
            id=offer.update,
            participant=participant,
            trained_on=offer.round,
            counts_in=self._round.number,
            num_examples=offer.num_examples,
            size_bytes=len(payload),
            accepted_s=now_s,
        )
        self._store.accept(accepted, payload)
        self._count(update)
        log.info(
            "round %d: update of %s, %d examples, %d bytes",
            self._round.number,
            participant,
            offer.num_examples,
            len(payload),
        )
        return Accepted(round=offer.round, update=offer.update)

    def refuse(
        self, participant: str, reason: str, now_s: float, offer: UpdateOffer | None = None
    ) -> Refused:
        """Remember the refusal, under the participant's name, and word it."""
        reason = printable(reason[:MAX_REASON])
        log.warning("%s is refused: %s", participant, reason)
        self._store.refuse(participant, reason, now_s)
        update = None if offer is None else offer.update
        return Refused(round=self._round.number, update=update, reason=reason)

    def tick(self, now_s: float) -> None:
        """Close what is complete, extend what is late.

        A deadline further off than the phase may last is one of before the clock was set back.
        """
        latest_s = now_s + self._plan.patience_s(self._round.phase)
        if self._round.deadline_s > latest_s and self._round.phase is not Phase.FINISHED:
            self._save(replace(self._round, deadline_s=latest_s))
        self._advance(now_s)

    def _advance(self, now_s: float) -> None:
        if self._round.phase is Phase.STATISTICS:
            self._end_statistics(now_s)
        elif self._round.phase is Phase.UPDATES:
            self._end_updates(now_s)

    def _unwanted(self, offer: UpdateOffer) -> str | None:
        """Why an update must not even be fetched."""
        current, plan = self._round, self._plan
        staleness = current.number - offer.round
        if offer.round > current.number:
            return f"update of round {offer.round}, which was not announced"
        if current.phase is Phase.FINISHED:
            return "the federation is finished"
        if plan.settings.mode is Mode.SYNCHRONOUS and staleness:
            return f"update of round {offer.round}, now is round {current.number}"
        if staleness > plan.max_staleness:
            return f"update is {staleness} rounds late: at most {plan.max_staleness}"
        if not staleness and current.phase is not Phase.UPDATES:
            return f"round {offer.round} takes no updates now, its phase is {current.phase}"
        if offer.fingerprint != self._store.fingerprint_of(offer.round):
            return f"update of round {offer.round} was trained on another model"
        if offer.blob.size_bytes > self._limit_bytes:
            return f"update of {offer.blob.size_bytes} bytes: at most {self._limit_bytes}"
        return None

    def _decode(self, stored: StoredPayload) -> WeightUpdate:
        delta = decode_delta(stored.payload, self._expects)
        return WeightUpdate(stored.participant, stored.trained_on, stored.num_examples, delta)

    def _recount(self, stored: StoredPayload) -> None:
        try:
            self._count(self._decode(stored))
        except MalformedMessageError as error:
            raise ConfigError(
                f"the update of {stored.participant} that round {self._round.number} has accepted "
                f"does not fit strategy {self._strategy.name} ({error}): configure the former "
                "strategy until the round is over"
            ) from None

    def _count(self, update: WeightUpdate) -> None:
        self._aggregation.add(update, staleness=self._round.number - update.round)
        self._contributors.add(update.participant)
        self._num_updates += 1
        self._num_examples += update.num_examples

    def _end_statistics(self, now_s: float) -> None:
        count = len(self._store.statistics(self._round.number))
        if self._is_over(count, now_s):
            phase = self._plan.first_phase(with_statistics=False)
            deadline_s = now_s + self._plan.patience_s(phase)
            self._save(replace(self._round, phase=phase, deadline_s=deadline_s))

    def _end_updates(self, now_s: float) -> None:
        if self._is_over(len(self._contributors), now_s):
            self._close(now_s)

    def _is_over(self, count: int, now_s: float) -> bool:
        """Whether the phase ends; a deadline that finds too few moves on."""
        current, plan = self._round, self._plan
        late = now_s >= current.deadline_s
        if count >= plan.close_at or (late and count >= plan.quorum):
            return True
        if late:
            patience_s = plan.patience_s(current.phase)
            extensions = current.extensions + 1
            self._save(replace(current, deadline_s=now_s + patience_s, extensions=extensions))
            log.warning(
                "round %d, %s: %d of %d participants at the deadline; extended by %.0f s",
                current.number,
                current.phase,
                count,
                plan.quorum,
                patience_s,
            )
        return False

    def _close(self, now_s: float) -> None:
        """Combine, and begin the next round."""
        step = self._aggregation.finish()
        model, state = step.model, step.state
        if not all(np.isfinite(array).all() for array in (*model.values(), *state.values())):
            log.error(
                "round %d: the result is not finite; its updates are lost", self._round.number
            )
            model, state = self._model, self._state
        ended = replace(
            self._round,
            ended_s=now_s,
            num_updates=self._num_updates,
            num_examples=self._num_examples,
        )
        following = first_round(self._plan, fingerprint(model), now_s, number=ended.number + 1)
        self._store.finish_round(ended, following, outcome_of(model, state), self._unmasked)
        log.info("round %d is over: %d updates", ended.number, ended.num_updates)
        self._round = following
        self._load()

    def _load(self) -> None:
        """Begin the running round's sum from what the store says it begins with."""
        outcome = self._store.outcome()
        self._model = decode_weights(outcome.model)
        self._state = decode_weights(outcome.strategy)
        self._expects = self._strategy.expects(self._model)
        coordinates = sum(int(np.prod(shape)) for shape in self._expects.values())
        self._limit_bytes = _FLOAT_BYTES * coordinates + _SLACK_BYTES
        self._aggregation: Aggregation = self._strategy.begin(self._model, self._state)
        self._contributors: set[str] = set()
        self._num_updates = self._num_examples = 0
        self._unmasked: list[AcceptedUpdate] = []
        self._published = encode_weights(self._strategy.published(self._model, self._state))
        self._announcement = self._announce()

    def _save(self, current: Round) -> None:
        self._store.save_round(current)
        self._round = current
        self._announcement = self._announce()

    def _announce(self) -> Announcement:
        current = self._round
        return Announcement(
            run=self._store.run(),
            round=current.number,
            phase=current.phase,
            attempt=current.attempt,
            deadline_s=current.deadline_s,
            model=blob_of(self._published),
            fingerprint=current.fingerprint,
            settings=self._plan.settings,
            mixture=self._mixture(),
        )

    def _mixture(self) -> tuple[Component, ...]:
        """Of this round; in buffered mode, where rounds overlap, of all that is known."""
        if self._round.phase is Phase.STATISTICS:
            return ()
        since = self._round.number if self._plan.settings.mode is Mode.SYNCHRONOUS else 1
        components = list(self._store.statistics(since).values())
        largest = sorted(components, key=lambda component: -component.num_segments)
        return tuple(largest[:MAX_COMPONENTS])
