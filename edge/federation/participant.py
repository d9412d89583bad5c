"""A participant of a federation as a state machine: messages and time in, messages and wishes out.

No socket, no thread, no clock. The courier hands in what was heard and does what is asked; training
happens elsewhere and comes back as one more input. What must survive a kill is in ``Desk``'s
folder: the model, and the computed update until the aggregator has answered it. So an update that
was computed is sent again under its id; it is never computed, or paid for from the privacy budget,
a second time.
"""

from __future__ import annotations

import logging

from edge.domain.weights import Weights
from edge.errors import MalformedMessageError, VadError
from edge.federation.actions import Action, Listen, Measure, Received, Say, SendChunks, Train
from edge.federation.desk import Desk
from edge.federation.joining import Joining, Objects
from edge.federation.masked import MaskedSession
from edge.federation.model_fetch import ModelFetch
from edge.federation.packing import Packed, Packing
from edge.wire.masks import Passed, Roster
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Component,
    Missing,
    Mode,
    Phase,
    Refused,
    Settings,
    Statistics,
)

log = logging.getLogger(__name__)

RESEND_S = 5.0  # after which a message that nobody has answered is said again


class Participant:
    """One host in one federation."""

    def __init__(
        self,
        name: str,
        desk: Desk,
        packing: Packing,
        *,
        version: str,
        min_masked: int = 2,
        objects: Objects = lambda _: (),
        resend_s: float = RESEND_S,
    ) -> None:
        """``version``: of our software, for the aggregator's list of participants.

        ``min_masked``: in secure aggregation we take part in no sum of fewer. ``objects``: noised
        shares of classes among what we see, asked for once in each round; (): nothing to tell.
        """
        self._name = name
        self._min_masked = min_masked
        self._desk = desk
        self._packing = packing
        self._resend_s = resend_s
        self._now: Announcement | None = None  # as it concerns us
        self._placeless: Announcement | None = None  # it names clusters, and us in none
        self._models = ModelFetch(desk)
        self._joined = 0  # round
        self._joining = Joining(version, objects)
        self._away: tuple[int, float] | None = None  # round and deadline of what we stay away from
        self._component: Component | None = None  # of the announced round
        self._busy: Announcement | None = None  # what the trainer works on
        self._due_s: dict[str, float] = {}  # kind → when to say it again
        self._session: MaskedSession | None = None  # of secure aggregation

    def announced(self, announcement: Announcement, now_s: float) -> list[Action]:
        """The aggregator says how the round stands."""
        before = self._now or self._placeless
        self._desk.turn_to(announcement.run, announcement.round)
        if before is None or _round_of(announcement) != _round_of(before):
            self._component = None
            self._joined = 0
            self._joining.begin()
        self._due_s.clear()
        own = self._now = announcement.seen_by(self._name)
        self._placeless = announcement if own is None else None
        if own is None:
            return self.tick(now_s)
        self._models.want(own.model)
        return [Listen(own.clusters[0].label if own.clusters else None), *self.tick(now_s)]

    def chunk(self, blob: str, offset: int, payload: bytes, now_s: float) -> list[Action]:
        """A piece of the model, or of something that we do not want."""
        if self._now is None or not self._models.add(blob, offset, payload, now_s):
            return []
        return self._seek(self._now, now_s)

    def missing(self, message: Missing) -> list[Action]:
        """The aggregator wants bytes of our update."""
        work = self._desk.work
        if work is None or work.offer.blob.id != message.blob:
            return []
        return [SendChunks(work, message)]

    def accepted(self, message: Accepted, now_s: float) -> list[Action]:
        """Our update is safe."""
        work = self._desk.work
        if work is None or work.offer.update != message.update:
            return []
        log.info("round %d: our update was accepted", work.offer.round)
        self._desk.finish(accepted=True)
        return self.tick(now_s)

    def refused(self, message: Refused, now_s: float) -> list[Action]:
        """Something of ours was not taken; final where it names our update."""
        log.warning("the aggregator, in round %d, refuses: %s", message.round, message.reason)
        work = self._desk.work
        if work is None or work.offer.update != message.update:
            return []
        self._desk.finish(accepted=False)
        return self.tick(now_s)

    def measured(self, component: Component | None, now_s: float) -> list[Action]:
        """The trainer's answer to ``Measure``; None: there is nothing to measure yet."""
        task, self._busy = self._busy, None
        if task is None:
            return []
        if component is None:
            return [*self._stay_away(task, "no normal footage yet"), *self.tick(now_s)]
        if self._now is not None and _round_of(self._now) == _round_of(task):
            self._component = component
        return self.tick(now_s)

    def trained(self, delta: Weights, num_examples: int, now_s: float) -> list[Action]:
        """The trainer's answer to ``Train``: turned into an update, kept, offered."""
        task, self._busy = self._busy, None
        now = self._now or self._placeless
        if task is None or now is None:
            return []
        over = now.round != task.round and task.settings.mode is Mode.SYNCHRONOUS
        if over or now.run != task.run:
            log.warning("round %d ended before our training did; its result is lost", task.round)
            return self.tick(now_s)
        try:
            if task.settings.masking is None:
                packed = self._pack(delta, task.settings)
                self._desk.take_on(task, num_examples, packed)
            else:
                words = self._packing.encode(delta, num_examples, task.settings)
                self._desk.keep_words(task.round, words)
        except VadError as error:
            return self._give_up(task, error, now_s)
        return self.tick(now_s)

    def _pack(self, delta: Weights, settings: Settings) -> Packed:
        return self._packing.pack(delta, settings, self._desk.residual(settings.privacy))

    def roster(self, message: Roster, now_s: float) -> list[Action]:
        """Secure aggregation: who takes part in the session."""
        session = self._session
        if session is None or session.name != message.session or self._now is None:
            return []
        try:
            session.take_roster(message)
        except VadError as error:
            return self._give_up(self._now, error, now_s)
        return self.tick(now_s)

    def shares(self, message: Passed, now_s: float) -> list[Action]:
        """Secure aggregation: what the others share with us; now we can mask."""
        session = self._session
        if session is None or session.name != message.session:
            return []
        session.take_shares(message)
        return self.tick(now_s)

    def failed(self, error: VadError, now_s: float) -> list[Action]:
        """The trainer could not: this round goes on without us."""
        task, self._busy = self._busy, None
        return [] if task is None else self._give_up(task, error, now_s)

    def _give_up(self, task: Announcement, error: VadError, now_s: float) -> list[Action]:
        log.error("round %d: we take no part: %s", task.round, error)
        if self._now is not None and _round_of(task) == _round_of(self._now):
            self._session = None
        return [*self._stay_away(task, str(error)), *self.tick(now_s)]

    def reconnected(self, now_s: float) -> list[Action]:
        """The connection is new: what was said last may be lost."""
        self._due_s.clear()
        self._models.quiet()
        return self.tick(now_s)

    def tick(self, now_s: float) -> list[Action]:
        """Say again what nobody answered, and go on where that is possible; call often."""
        actions: list[Action] = []
        work = self._desk.work
        if work is not None and self._is_due("update", now_s):
            actions.append(Say(work.offer))
        if self._placeless is not None and self._is_due("join", now_s):
            actions.append(Say(self._joining.takes_part(self._placeless)))
        announcement = self._now
        if announcement is None or self._away == _occasion(announcement):
            return actions
        if self._models.model is None:
            return actions + self._seek(announcement, now_s)
        if announcement.settings.masking is not None:
            actions += self._take_part_masked(announcement, now_s)
        elif announcement.round > self._desk.done and work is None:
            actions += self._take_part(announcement, now_s)
        return actions

    def _seek(self, announcement: Announcement, now_s: float) -> list[Action]:
        """Go on to find the announced model."""
        try:
            missing = self._models.seek(now_s)
        except MalformedMessageError as error:
            return self._give_up(announcement, error, now_s)
        model = self._models.model
        if model is not None:
            return [Received(announcement, model), *self.tick(now_s)]
        return [Say(missing)] if missing else []

    def _take_part(self, announcement: Announcement, now_s: float) -> list[Action]:
        actions = self._join(announcement)
        if self._busy is not None:  # an older round's training ends first
            return actions
        if announcement.phase is Phase.STATISTICS:
            actions += self._measure(announcement, now_s)
        elif announcement.phase is Phase.UPDATES:
            actions += self._begin_training(announcement, now_s)
        return actions

    def _take_part_masked(self, announcement: Announcement, now_s: float) -> list[Action]:
        """The same under secure aggregation: a session that was missed is not entered late."""
        number, phase = announcement.round, announcement.phase
        prepared = self._desk.has_words(number)
        over = number <= self._desk.done and not prepared
        if phase is Phase.STATISTICS or phase is Phase.FINISHED:
            return [] if over else self._take_part(announcement, now_s)
        session = self._session
        if session is None or session.name != announcement.session:
            if phase is not Phase.KEYS or over:
                return []
            session = self._enter(announcement)
        actions = self._join(announcement)
        try:
            word = session.says(announcement)
            if word is not None and self._is_due(word.kind, now_s):
                actions.append(Say(word))
            if session.ready and not session.masked and phase is Phase.UPDATES:
                actions += self._mask(announcement, session) if prepared else self._learn(now_s)
        except VadError as error:
            return actions + self._give_up(announcement, error, now_s)
        return actions

    def _enter(self, announcement: Announcement) -> MaskedSession:
        """A new session; an update that was masked for another is worth nothing now."""
        if self._desk.work is not None:
            self._desk.finish(accepted=False)
        self._session = MaskedSession(
            self._name, announcement.session, min_participants=self._min_masked
        )
        return self._session

    def _mask(self, announcement: Announcement, session: MaskedSession) -> list[Action]:
        words = self._desk.words(announcement.round)
        # the number of examples is under the mask: the offer does not tell it
        self._desk.take_on(announcement, 1, Packed(session.mask(words), None))
        assert self._desk.work is not None
        return [Say(self._desk.work.offer)]

    def _learn(self, now_s: float) -> list[Action]:
        assert self._now is not None
        return [] if self._busy else self._begin_training(self._now, now_s)

    def _begin_training(self, announcement: Announcement, now_s: float) -> list[Action]:
        model = self._models.model
        assert model is not None
        try:
            self._packing.check(announcement.settings.privacy)
        except VadError as error:  # before a long training whose result would have to stay here
            return self._give_up(announcement, error, now_s)
        self._busy = announcement
        return [Train(announcement, model)]

    def _join(self, announcement: Announcement) -> list[Action]:
        if self._joined == announcement.round or announcement.phase is Phase.FINISHED:
            return []
        self._joined = announcement.round
        return [Say(self._joining.takes_part(announcement))]

    def _measure(self, announcement: Announcement, now_s: float) -> list[Action]:
        if self._component is None:
            self._busy = announcement
            return [Measure(announcement)]
        if self._is_due("statistics", now_s):
            return [Say(Statistics(round=announcement.round, component=self._component))]
        return []

    def _stay_away(self, task: Announcement, reason: str) -> list[Action]:
        """Until the next round, or until this one is extended: it may depend on us."""
        self._away = _occasion(task)
        self._joined = 0
        return [Say(self._joining.stays_away(task, reason))]

    def _is_due(self, kind: str, now_s: float) -> bool:
        if now_s < self._due_s.get(kind, now_s):
            return False
        self._due_s[kind] = now_s + self._resend_s
        return True


def _round_of(announcement: Announcement) -> tuple[str, int]:
    return announcement.run, announcement.round


def _occasion(announcement: Announcement) -> tuple[int, float]:
    return announcement.round, announcement.deadline_s
