"""The rounds of a federation as a state machine: what counts, when a round is over, what follows.

No socket, no clock, no bytes of chunks. Everything it decides is in the ``Store`` before it is
told to anybody; a new object on the same store goes on where the last one died, with the sum of
the round rebuilt from the accepted updates in the order of their acceptance.

A round: **statistics** (only where the student's labels need the mixture of all participants'
segment norms) → **updates** → **distillation** (only where an ``Improver`` is given: the averaged
models are improved before they are anybody's) → the next round. Updates are over when those of
``close_at`` distinct participants are in, or at the deadline with at least ``quorum``; with fewer
it is extended. In buffered mode (Nguyen et al. 2022) a late update counts in the round that it
arrives in.

Where the strategy clusters, ``Membership`` says who is given which model.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from aggregator.announcing import announcement_of
from aggregator.counting import Count
from aggregator.distil_folder import Task, task_of
from aggregator.membership import Membership
from aggregator.models import Models
from aggregator.plan import Plan, first_round, outcome_of
from aggregator.records import AcceptedUpdate, Round, StoredPayload
from aggregator.store import Store
from aggregator.strategies.port import Step, Strategy
from edge.domain.weights import Weights
from edge.errors import MalformedMessageError, ModelError
from edge.wire.rounds import (
    MAX_MEMBERS,
    MAX_REASON,
    Accepted,
    Announcement,
    Join,
    Mode,
    Phase,
    Refused,
    Statistics,
    UpdateOffer,
    printable,
)
from edge.wire.weights import decode_weights, fingerprint

log = logging.getLogger(__name__)


class Improver(Protocol):
    """Who makes more of the models that a round has come to, beside all else."""

    def begin(self, task: Task) -> None:
        """Begin with a round's models, or go on where an earlier process was; never waits."""

    def result(self, *, late: bool) -> Mapping[int, Weights] | None:
        """Improved models by label; None: not yet; nothing of them: there will not be any.

        ``late``: there is no more time.
        """


class Rounds:
    """All that the aggregator decides; used by one thread."""

    def __init__(
        self,
        store: Store,
        strategy: Strategy,
        plan: Plan,
        improver: Improver | None = None,
        *,
        registered: Collection[str] | None = None,
    ) -> None:
        """Go on with the round that ``begin`` or ``resume`` has put into the store.

        Whoever is not ``registered`` any more is forgotten at the round's end: its place and what
        it sees; None: nobody is.
        ConfigError where an accepted update does not fit the strategy any more.
        """
        running = store.running()
        assert running is not None
        self._store = store
        self._strategy = strategy
        self._plan = plan
        self._improver = improver
        self._registered = registered
        self._result: Step | None = None  # of the running round, while it is being improved
        self._membership = Membership(store, strategy)
        self._round = running
        self._load()

    @property
    def announcement(self) -> Announcement:
        """What the participants are to know now."""
        return self._announcement

    @property
    def models(self) -> Models:
        """The blobs that the announcement names."""
        return self._membership.models

    @property
    def running(self) -> Round:
        """The round that is under way."""
        return self._round

    @property
    def contributors(self) -> frozenset[str]:
        """Whose updates count in the running round."""
        return frozenset(self._count.contributors)

    def join(self, participant: str, message: Join, now_s: float) -> Refused | None:
        """A participant is there and wants a place, or says why it stays away."""
        self._store.seen(participant, now_s, version=message.version, reason=message.reason)
        if not message.takes_part:
            log.warning("%s: no part in round %d: %s", participant, message.round, message.reason)
        why = self._membership.hear(participant, message.objects)
        return None if why is None else self.refuse(participant, why, now_s)

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
        why = (
            "another update of this round was accepted"
            if known
            else self._unwanted(participant, offer)
        )
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
            update = self._count.decode(stored, self._membership.objects_of(participant))
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
        self._count.add(update)
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
        """Place who has come, close what is complete, extend what is late.

        A deadline further off than the phase may last is one of before the clock was set back.
        """
        if self._round.phase is not Phase.DISTILLATION and self._membership.place_newcomers():
            self._begin_count()
            self._announcement = self._announce()
        latest_s = now_s + self._plan.patience_s(self._round.phase)
        if self._round.deadline_s > latest_s and self._round.phase is not Phase.FINISHED:
            self._save(replace(self._round, deadline_s=latest_s))
        self._advance(now_s)

    def _advance(self, now_s: float) -> None:
        if self._round.phase is Phase.STATISTICS:
            self._end_statistics(now_s)
        elif self._round.phase is Phase.UPDATES:
            self._end_updates(now_s)
        elif self._round.phase is Phase.DISTILLATION:
            self._improve(now_s)

    def _unwanted(self, participant: str, offer: UpdateOffer) -> str | None:
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
        if offer.fingerprint != self._given_to(participant, offer.round):
            return f"update of round {offer.round} was trained on another model"
        if self._strategy.clustering and len(self._count.contributors) >= MAX_MEMBERS:
            return f"clusters take at most {MAX_MEMBERS} participants"
        if offer.blob.size_bytes > self._limit_bytes:
            return f"update of {offer.blob.size_bytes} bytes: at most {self._limit_bytes}"
        return None

    def _given_to(self, participant: str, number: int) -> str | None:
        """Fingerprint of the model that a participant was to begin a round with."""
        if self.models.clusters:
            given = self.models.given_to(participant)
            return given.notice.fingerprint if given and given.notice else None
        return self._store.fingerprint_of(number)

    def _end_statistics(self, now_s: float) -> None:
        count = len(self._store.statistics(self._round.number))
        if self._is_over(count, now_s):
            phase = self._plan.first_phase(with_statistics=False)
            deadline_s = now_s + self._plan.patience_s(phase)
            self._save(replace(self._round, phase=phase, deadline_s=deadline_s))

    def _end_updates(self, now_s: float) -> None:
        if self._is_over(len(self._count.contributors), now_s):
            self._conclude(now_s)

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

    def _conclude(self, now_s: float) -> None:
        """Combine what was accepted; nothing more is taken."""
        step = self._count.finish()
        if self._improver is None:
            self._close(step, now_s)
            return
        deadline_s = now_s + self._plan.patience_s(Phase.DISTILLATION)
        self._save(replace(self._round, phase=Phase.DISTILLATION, deadline_s=deadline_s))
        self._result = step
        clusters = self._strategy.clusters(step.model, step.state)
        task = task_of(self._round.number, self._strategy.classes, step.model, clusters)
        self._improver.begin(task)

    def _improve(self, now_s: float) -> None:
        """Begin the next round once the models are improved, or late."""
        if self._result is None or self._improver is None:  # another process has combined
            self._conclude(now_s)
            return
        improved = self._improver.result(late=now_s >= self._round.deadline_s)
        if improved is not None:
            step = self._strategy.improved(self._result, improved) if improved else self._result
            self._close(step, now_s)

    def _close(self, step: Step, now_s: float) -> None:
        """Keep the result, and begin the next round."""
        if self._registered is not None:
            step = self._strategy.retained(step, self._registered)
        ended = replace(
            self._round,
            ended_s=now_s,
            num_updates=self._count.num_updates,
            num_examples=self._count.num_examples,
        )
        following = first_round(self._plan, fingerprint(step.model), now_s, number=ended.number + 1)
        outcome = outcome_of(step.model, step.state)
        self._store.finish_round(
            ended, following, outcome, self._unmasked, registered=self._registered
        )
        log.info("round %d is over: %d updates", ended.number, ended.num_updates)
        self._round = following
        self._load()

    def _load(self) -> None:
        """Begin the running round from what the store says it begins with."""
        outcome = self._store.outcome()
        self._membership.begin(decode_weights(outcome.model), decode_weights(outcome.strategy))
        self._unmasked: list[AcceptedUpdate] = []
        self._begin_count()
        self._announcement = self._announce()

    def _begin_count(self) -> None:
        """Count what the running round has accepted, for those who are in it now."""
        now = self._membership
        self._result = None
        self._count: Count = Count(self._strategy, now.model, now.state, self._round.number)
        self._limit_bytes = self._count.limit_bytes
        for stored in self._store.payloads():
            self._count.recall(stored, now.objects_of(stored.participant))

    def _save(self, current: Round) -> None:
        self._store.save_round(current)
        self._round = current
        self._announcement = self._announce()

    def _announce(self) -> Announcement:
        return announcement_of(self._store, self._plan, self._round, self.models)
